/**
 * Who uses the embedded PostgreSQL of a directory. Whoever leaves last stops it: a command that was started
 * before the server may end long before it, and the other way round. Coming and going take turns, so that
 * nobody is given a server that somebody else has just decided to stop.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface EmbeddedUser {
  /** `stop` is called if nobody else is left. */
  leave(stop: () => Promise<void>): Promise<void>
}

const TRY_AGAIN_MS = 25
/** Longer than it takes to start or stop a server, or to recover a killed one. */
const TURN_TIMEOUT_MS = 120_000

/** Written down before it looks for a server: from then on nobody stops one. */
export async function enterEmbedded(directory: string): Promise<EmbeddedUser> {
  const users = join(directory, 'postgres-users')
  mkdirSync(users, { recursive: true })
  // More than one a process: tests, and a product beside another one.
  const own = join(users, `${process.pid}-${randomBytes(4).toString('hex')}`)
  await inTurn(directory, async () => writeFileSync(own, identityOf(process.pid)))
  return {
    leave: (stop) =>
      inTurn(directory, async () => {
        rmSync(own, { force: true })
        if (!someoneIsLeft(users)) await stop()
      }),
  }
}

/** Those of processes that are gone are cleared away. */
function someoneIsLeft(users: string): boolean {
  const left = readdirSync(users).filter((name) => {
    const file = join(users, name)
    if (isTheSame(Number.parseInt(name, 10), textOf(file))) return true
    rmSync(file, { force: true })
    return false
  })
  return left.length > 0
}

async function inTurn(directory: string, work: () => Promise<void>): Promise<void> {
  const lock = join(directory, 'postgres-turn')
  const deadline = Date.now() + TURN_TIMEOUT_MS
  while (!take(lock)) {
    if (Date.now() > deadline) throw new Error(`Another process has kept ${lock} for too long`)
    await sleep(TRY_AGAIN_MS)
  }
  try {
    await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Linked into place whole, so that nobody reads half a name. */
function take(lock: string): boolean {
  const own = `${lock}.${process.pid}-${randomBytes(4).toString('hex')}`
  writeFileSync(own, `${process.pid} ${identityOf(process.pid)}`)
  try {
    linkSync(own, lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    breakDead(lock)
    return false
  } finally {
    rmSync(own, { force: true })
  }
}

/** The turn of a process that died in it. Moved aside first: only one of those who find it so succeeds. */
function breakDead(lock: string): void {
  const holder = textOf(lock)
  const [pid = '', ...identity] = holder.split(' ')
  if (holder === '' || isTheSame(Number(pid), identity.join(' '))) return
  const aside = `${lock}.dead-${randomBytes(4).toString('hex')}`
  try {
    renameSync(lock, aside)
    // Someone else was quicker, and this is the turn of one who lives: it is given back.
    if (textOf(aside) !== holder) linkSync(aside, lock)
  } catch {
    // Already broken, or taken anew.
  }
  rmSync(aside, { force: true })
}

function isTheSame(pid: number, identity: string): boolean {
  return Number.isInteger(pid) && pid > 0 && isAlive(pid) && identityOf(pid) === identity
}

/** A process id may have been given to someone else since: the moment it started tells them apart (Linux). */
function identityOf(pid: number): string {
  const afterName = textOf(`/proc/${pid}/stat`).split(') ').at(-1) ?? ''
  return afterName.split(' ')[19] ?? ''
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
