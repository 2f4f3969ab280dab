/** Items handed from several makers to one taker, a few at a time: whoever is quicker waits. */
export class Channel<Item> {
  readonly #room: number
  readonly #items: Item[] = []
  readonly #makers: (() => void)[] = []
  #taker: (() => void) | undefined
  #isClosed = false
  #failure: { reason: unknown } | undefined

  constructor(room: number) {
    this.#room = room
  }

  /** Resolves when there is room for more; rejects when nobody will take anything any more. */
  async push(item: Item): Promise<void> {
    if (this.#failure) throw this.#failure.reason
    this.#items.push(item)
    this.#wake()
    while (this.#items.length > this.#room && !this.#failure) {
      await new Promise<void>((resolve) => this.#makers.push(resolve))
    }
    if (this.#failure) throw (this.#failure as { reason: unknown }).reason
  }

  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  /** Both sides are told. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#items.length = 0
    this.#wake()
    for (const maker of this.#makers.splice(0)) maker()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    for (;;) {
      if (this.#failure) throw this.#failure.reason
      if (this.#items.length > 0) {
        const item = this.#items.shift() as Item
        this.#makers.shift()?.()
        yield item
      } else if (this.#isClosed) return
      else await new Promise<void>((resolve) => (this.#taker = resolve))
    }
  }

  #wake(): void {
    this.#taker?.()
    this.#taker = undefined
  }
}
