/**
 * Eight clients do at random whatever can be done to a ledger, all at once; then everything that must be true
 * is looked for, through the API and in the database. The seed is printed by a failure and may be given back.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Decimal } from '../../kernel/decimal.ts'
import { CLEARING, entryBody, findings, MARKETING, periodNamed, RENT, SALES } from '../../testing/books.ts'
import type { Answer, Client } from '../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { trialBalance } from '../reports/contract.ts'
import {
  closePeriod,
  createJournalEntry,
  getJournalEntry,
  listJournalEntries,
  postJournalEntry,
  reopenPeriod,
  reverseJournalEntry,
} from './contract.ts'

const CLIENTS = 8
const STEPS_EACH = 60
const MONTHS = ['2026-01', '2026-02', '2026-03', '2026-04']
const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 1_000_000)

let product: TestProduct
let tenant: TestTenant
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
})
afterAll(() => product.stop())

interface Done {
  readonly kind: 'post' | 'close' | 'reopen'
  readonly month: string
  readonly sent: number
  readonly answered: number
}

/** What the clients know of, all together. */
class Model {
  readonly done: Done[] = []
  readonly posted = new Map<string, string>()
  readonly reversed = new Set<string>()
  readonly drafts = new Set<string>()
  readonly statuses = new Map<number, number>()
  readonly periodIds = new Map<string, string>()
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  pick<Value>(values: Iterable<Value>): Value | undefined {
    const list = [...values]
    return list[Math.floor(this.#random() * list.length)]
  }

  async step(): Promise<void> {
    const chance = this.#random()
    if (chance < 0.45) return this.create('posted')
    if (chance < 0.55) return this.create('draft')
    if (chance < 0.65) return this.postDraft()
    if (chance < 0.82) return this.reverse()
    return this.turnPeriod(chance < 0.91 ? 'close' : 'reopen')
  }

  async create(status: 'posted' | 'draft'): Promise<void> {
    const date = this.#date()
    const amount = new Decimal(BigInt(1 + Math.floor(this.#random() * 1_000_000)), 2).toFixed(2)
    const [debit, credit] = [this.pick([CLEARING, MARKETING]), this.pick([SALES, RENT])]
    const lines = [
      { accountCode: debit ?? CLEARING, debit: amount },
      { accountCode: credit ?? SALES, credit: amount },
    ]
    const body = entryBody(amount, { transactionDate: date, status, lines })
    // A draft may be dated in any period.
    const posted = status === 'posted' ? date : ''
    const answer = await this.#timed('post', posted, () => admin.call(createJournalEntry, { body }))
    if (answer.status !== 201) return
    if (status === 'draft') this.drafts.add(answer.ok().id)
    else this.posted.set(answer.ok().id, date)
  }

  async postDraft(): Promise<void> {
    const id = this.pick(this.drafts)
    if (id === undefined) return
    const answer = await this.#timed('post', '', () => admin.call(postJournalEntry, { params: { id } }))
    if (answer.status !== 200) return
    this.drafts.delete(id)
    this.posted.set(id, answer.ok().postingDate)
  }

  async reverse(): Promise<void> {
    const id = this.pick(this.posted.keys())
    if (id === undefined) return
    const body = { transactionDate: this.#date(), reason: 'model' }
    const answer = await this.#timed('post', body.transactionDate, () =>
      admin.call(reverseJournalEntry, { params: { id }, body }),
    )
    if (answer.status !== 201) return
    expect(this.reversed.has(id)).toBe(false)
    this.reversed.add(id)
    this.posted.set(answer.ok().id, body.transactionDate)
  }

  async turnPeriod(kind: 'close' | 'reopen'): Promise<void> {
    const month = this.pick(MONTHS) ?? ''
    const params = { id: this.periodIds.get(month) ?? '' }
    await this.#timed(kind, month, () =>
      kind === 'close'
        ? admin.call(closePeriod, { params })
        : admin.call(reopenPeriod, { params, query: { reason: 'model' } }),
    )
  }

  #date(): string {
    return `${this.pick(MONTHS)}-${String(1 + Math.floor(this.#random() * 28)).padStart(2, '0')}`
  }

  async #timed<Data>(kind: Done['kind'], date: string, work: () => Promise<Answer<Data>>) {
    const sent = performance.now()
    const answer = await work()
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1)
    if (answer.status < 300 && date !== '') {
      this.done.push({ kind, month: date.slice(0, 7), sent, answered: performance.now() })
    }
    return answer
  }

  /** Postings sent after their month was seen closed, and answered before anybody asked to open it again. */
  postedWhileClosed(): Done[] {
    const of = (kind: Done['kind'], month: string): Done[] =>
      this.done.filter((step) => step.kind === kind && step.month === month)
    return this.done.filter(({ kind, month, sent, answered }) => {
      if (kind !== 'post') return false
      const closed = of('close', month).findLast((step) => step.answered < sent)
      if (!closed) return false
      return !of('reopen', month).some((step) => step.answered > closed.sent && step.sent < answered)
    })
  }
}

/** mulberry32: small, and the same everywhere. */
function randomOf(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function everyEntry() {
  const summaries = []
  for (let page = 1; ; page++) {
    const { journalEntries, pagination } = (await admin.call(listJournalEntries, { query: { page, limit: 200, order: 'asc' } })).ok() // prettier-ignore
    summaries.push(...journalEntries)
    if (!pagination.hasNext) {
      expect(summaries).toHaveLength(pagination.total)
      return summaries
    }
  }
}

test(`after whatever eight clients did, all that must be true is true (MODEL_SEED=${seed})`, async () => {
  const model = new Model(randomOf(seed))
  for (const month of MONTHS) model.periodIds.set(month, (await periodNamed(admin, month)).id)
  const client = async (): Promise<void> => {
    for (let step = 0; step < STEPS_EACH; step++) await model.step()
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))

  expect([...model.statuses.keys()].filter((status) => status >= 500)).toEqual([])
  expect(model.postedWhileClosed()).toEqual([])
  expect(await findings(product, tenant)).toEqual([])

  const entries = await everyEntry()
  const ids = (status: string): Set<string> =>
    new Set(entries.filter((entry) => entry.status === status).map(({ id }) => id))
  expect(ids('draft')).toEqual(model.drafts)
  expect(ids('reversed')).toEqual(model.reversed)
  expect(new Set([...ids('posted'), ...ids('reversed')])).toEqual(new Set(model.posted.keys()))
  const numbers = entries.flatMap(({ number }) => (number === null ? [] : [Number(number.split('/')[2])]))
  expect(numbers.toSorted((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1))
  expect(model.posted.size).toBeGreaterThan(50)

  const balances = new Map<string, Decimal>()
  for (const { id, status } of entries) {
    if (status === 'draft') continue
    for (const line of (await admin.call(getJournalEntry, { params: { id } })).ok().lines) {
      const kept = balances.get(line.accountCode) ?? Decimal.zero
      balances.set(line.accountCode, kept.plus(Decimal.of(line.debit)).minus(Decimal.of(line.credit)))
    }
  }
  const { rows, totalDebit, totalCredit } = (await admin.call(trialBalance, { query: { asOf: '2026-12-31' } })).ok() // prettier-ignore
  expect(totalDebit).toBe(totalCredit)
  const told = rows.map(({ accountCode, debit, credit }) => [accountCode, Decimal.of(debit).minus(Decimal.of(credit)).toFixed(2)]) // prettier-ignore
  const summed = [...balances].filter(([, net]) => !net.isZero()).map(([code, net]) => [code, net.toFixed(2)])
  expect(told).toEqual(summed.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)))
})

test('control: a posting while closed would be seen', () => {
  const model = new Model(randomOf(1))
  model.done.push(
    { kind: 'close', month: '2026-01', sent: 1, answered: 2 },
    { kind: 'post', month: '2026-01', sent: 3, answered: 4 },
    { kind: 'post', month: '2026-02', sent: 3, answered: 4 },
    { kind: 'reopen', month: '2026-01', sent: 5, answered: 6 },
    { kind: 'post', month: '2026-01', sent: 5, answered: 7 },
  )
  expect(model.postedWhileClosed()).toEqual([model.done[1]])
})
