/** A few things of which each serves one piece of work at a time, in the order the work came. */
export class Lanes<Thing> {
  readonly all: readonly Thing[]
  readonly #free: Thing[]
  readonly #waiting: ((thing: Thing) => void)[] = []

  constructor(things: readonly Thing[]) {
    this.all = things
    this.#free = [...things]
  }

  get count(): number {
    return this.all.length
  }

  async run<Result>(work: (thing: Thing) => Promise<Result>): Promise<Result> {
    const thing = this.#free.shift() ?? (await new Promise<Thing>((resolve) => this.#waiting.push(resolve)))
    try {
      return await work(thing)
    } finally {
      const next = this.#waiting.shift()
      if (next) next(thing)
      else this.#free.push(thing)
    }
  }
}
