/** Does nothing until it is killed: a process id that belongs to a stranger, for tests. */
setInterval(() => {}, 60_000)
