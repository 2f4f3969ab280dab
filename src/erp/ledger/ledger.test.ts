import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addUser,
  CLEARING,
  closeUntil,
  entryBody,
  findings,
  MARKETING,
  periodNamed,
  postEntry,
  query,
  RENT,
  SALES,
  snapshot,
  type EntryBody,
} from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { trialBalance } from '../reports/contract.ts'
import {
  closePeriod,
  createFiscalYear,
  createJournalEntries,
  createJournalEntry,
  deleteJournalEntry,
  getJournalEntry,
  listFiscalYears,
  listJournalEntries,
  postJournalEntry,
  reopenPeriod,
  reverseJournalEntry,
  updateJournalEntry,
} from './contract.ts'

let product: TestProduct
let tenant: TestTenant
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
})
afterAll(() => product.stop())

const draftBody = (amount: string, overrides: Partial<EntryBody> = {}): EntryBody =>
  entryBody(amount, { status: 'draft', ...overrides })
const numberOf = (entry: { number: string | null }): number => Number(entry.number?.split('/').at(-1))

async function get(id: string) {
  return (await admin.call(getJournalEntry, { params: { id } })).ok()
}

describe('a draft', () => {
  test('is created, read, replaced and posted; then it is in the books with a number', async () => {
    const created = (await admin.call(createJournalEntry, { body: draftBody('10', { status: undefined } as never) })).ok() // prettier-ignore
    expect(created).toMatchObject({ status: 'draft', number: null, postedAt: null, totalDebit: '10.00' })
    expect(await get(created.id)).toEqual(created)

    const body = draftBody('20.50', { description: 'Rent', reference: 'R-1', postingDate: '2026-03-31' })
    const replaced = (await admin.call(updateJournalEntry, { params: { id: created.id }, body })).ok()
    expect(replaced).toMatchObject({ id: created.id, totalDebit: '20.50', description: 'Rent', reference: 'R-1' }) // prettier-ignore
    expect(replaced.createdAt).toBe(created.createdAt)
    expect(await get(created.id)).toEqual(replaced)

    const before = (await admin.call(trialBalance, { query: { asOf: '2026-12-31' } })).ok()
    const posted = (await admin.call(postJournalEntry, { params: { id: created.id } })).ok()
    expect(posted).toMatchObject({ id: created.id, status: 'posted', totalCredit: '20.50', postingDate: '2026-03-31' }) // prettier-ignore
    expect(posted.number).toMatch(/^JE\/2026\/\d{6}$/)
    expect(await get(created.id)).toEqual(posted)
    const after = (await admin.call(trialBalance, { query: { asOf: '2026-12-31' } })).ok()
    expect(Number(after.totalDebit) - Number(before.totalDebit)).toBeCloseTo(20.5)
  })

  test('can be thrown away, a posted entry cannot', async () => {
    const { id } = (await admin.call(createJournalEntry, { body: draftBody('1') })).ok()
    ;(await admin.call(deleteJournalEntry, { params: { id } })).ok()
    expect((await admin.call(getJournalEntry, { params: { id } })).error.code).toBe('NOT_FOUND')
    expect((await admin.call(deleteJournalEntry, { params: { id } })).error.code).toBe('NOT_FOUND')

    const posted = await postEntry(admin, '1')
    const refused = [
      await admin.call(deleteJournalEntry, { params: { id: posted.id } }),
      await admin.call(updateJournalEntry, { params: { id: posted.id }, body: draftBody('2') }),
      await admin.call(postJournalEntry, { params: { id: posted.id } }),
    ]
    expect(refused.map(({ status, error }) => `${status} ${error.code}`)).toEqual([
      '409 NOT_A_DRAFT',
      '409 NOT_A_DRAFT',
      '409 ALREADY_POSTED',
    ])
    expect(await get(posted.id)).toEqual(posted)
  })

  test('is posted once, however many ask at the same moment', async () => {
    const { id } = (await admin.call(createJournalEntry, { body: draftBody('7') })).ok()
    const before = await snapshot(product, tenant)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => admin.call(postJournalEntry, { params: { id } })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
    const { entries } = before as { entries: number }
    expect(await snapshot(product, tenant)).toMatchObject({ entries: entries + 1 })
  })

  test('is not posted by an update, nor by who may not post', async () => {
    const { id } = (await admin.call(createJournalEntry, { body: draftBody('3') })).ok()
    const posting = await admin.call(updateJournalEntry, { params: { id }, body: entryBody('3') })
    expect(posting.refusals).toEqual(['status NOT_ALLOWED'])
    const { client: viewer } = await addUser(
      product,
      tenant,
      `viewer-${randomUUID()}@books.example`,
      'Viewer',
    )
    expect((await viewer.call(postJournalEntry, { params: { id } })).status).toBe(403)
    expect((await viewer.call(createJournalEntry, { body: entryBody('3') })).status).toBe(403)
    expect((await viewer.call(getJournalEntry, { params: { id } })).ok().status).toBe('draft')
  })

  test('is checked again when it is posted', async () => {
    const { id } = (await admin.call(createJournalEntry, { body: draftBody('4', { transactionDate: '2031-01-01' }) })).ok() // prettier-ignore
    const before = await snapshot(product, tenant)
    expect((await admin.call(postJournalEntry, { params: { id } })).refusals).toEqual([
      'transactionDate NO_PERIOD',
    ])
    expect(await snapshot(product, tenant)).toEqual(before)
  })
})

describe('a reversal', () => {
  const reverse = (id: string, transactionDate = '2026-03-20', client = admin) =>
    client.call(reverseJournalEntry, { params: { id }, body: { transactionDate, reason: 'typed wrong' } })

  test('mirrors every line and leaves the balances as they were', async () => {
    const before = (await admin.call(trialBalance, { query: { asOf: '2026-12-31' } })).ok()
    const lines = [
      { accountCode: MARKETING, debit: '30', description: 'ads' },
      { accountCode: RENT, debit: '12.34' },
      { accountCode: CLEARING, credit: '42.34' },
    ]
    const entry = await postEntry(admin, '1', { lines, reference: 'INV 9' })
    const reversal = (await reverse(entry.id)).ok()
    expect(reversal).toMatchObject({
      status: 'posted',
      reversesId: entry.id,
      transactionDate: '2026-03-20',
      description: `Reversal of ${entry.number}: typed wrong`,
      totalDebit: '42.34',
    })
    const sides = (list: typeof entry.lines) => list.map(({ accountCode, debit, credit }) => [accountCode, debit, credit]) // prettier-ignore
    expect(sides(reversal.lines)).toEqual(
      sides(entry.lines).map(([code, debit, credit]) => [code, credit, debit]),
    )
    expect(await get(reversal.id)).toEqual(reversal)
    expect(await get(entry.id)).toEqual({ ...entry, status: 'reversed', reversedById: reversal.id })
    const after = (await admin.call(trialBalance, { query: { asOf: '2026-12-31' } })).ok()
    expect(after.rows).toEqual(before.rows)
  })

  test('is made once, also when two ask at the same moment', async () => {
    const entry = await postEntry(admin, '5')
    const answers = await Promise.all(Array.from({ length: 6 }, () => reverse(entry.id)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409])
    const again = await reverse(entry.id)
    expect([again.status, again.error.code]).toEqual([409, 'ALREADY_REVERSED'])
  })

  test('is refused before its entry, for drafts, for nothing and in a closed period', async () => {
    const entry = await postEntry(admin, '5')
    const draft = (await admin.call(createJournalEntry, { body: draftBody('5') })).ok()
    const before = await snapshot(product, tenant)
    expect((await reverse(entry.id, '2026-03-14')).refusals).toEqual(['transactionDate BEFORE_ENTRY'])
    expect((await reverse(entry.id, '2031-03-14')).refusals).toEqual(['transactionDate NO_PERIOD'])
    expect((await reverse(entry.id, '2026-02-30')).refusals).toEqual(['transactionDate FORMAT'])
    expect((await reverse(draft.id)).error.code).toBe('NOT_POSTED')
    expect((await reverse(randomUUID())).error.code).toBe('NOT_FOUND')
    expect(await snapshot(product, tenant)).toEqual(before)
  })

  test('of a reversal brings the entry back', async () => {
    const entry = await postEntry(admin, '6')
    const reversal = (await reverse(entry.id)).ok()
    const again = (await reverse(reversal.id)).ok()
    expect(again.lines.map(({ debit, credit }) => [debit, credit])).toEqual(
      entry.lines.map(({ debit, credit }) => [debit, credit]),
    )
  })
})

describe('the list', () => {
  let other: TestTenant

  beforeAll(async () => {
    other = await product.createTenant()
    for (const [index, amount] of ['5', '3', '4'].entries()) {
      await postEntry(other.admin, amount, {
        transactionDate: `2026-0${index + 1}-10`,
        description: `Entry ${amount}%`,
        reference: `REF_${amount}`,
      })
    }
    const [first] = (await list({ search: 'REF_5' })).journalEntries
    const body = { transactionDate: '2026-04-01', reason: 'x' }
    ;(await other.admin.call(reverseJournalEntry, { params: { id: first!.id }, body })).ok()
    await other.admin.call(createJournalEntry, { body: draftBody('9', { transactionDate: '2026-05-01' }) })
  })

  async function list(filters: object) {
    return (await other.admin.call(listJournalEntries, { query: filters })).ok()
  }
  const amounts = async (filters: object) =>
    (await list(filters)).journalEntries.map(({ totalDebit }) => totalDebit)

  test.each<[object, string[]]>([
    [{}, ['9.00', '5.00', '4.00', '3.00', '5.00']],
    [{ order: 'asc' }, ['5.00', '3.00', '4.00', '5.00', '9.00']],
    [{ sort: 'totalDebit', order: 'asc' }, ['3.00', '4.00', '5.00', '5.00', '9.00']],
    [{ sort: 'number', order: 'asc', status: 'posted' }, ['3.00', '4.00', '5.00']],
    [{ status: 'draft' }, ['9.00']],
    [{ status: 'reversed' }, ['5.00']],
    [{ from: '2026-02-01', to: '2026-03-31' }, ['4.00', '3.00']],
    [{ search: 'ref_4' }, ['4.00']],
    [{ search: '%' }, ['4.00', '3.00', '5.00']],
    [{ search: 'R_F' }, []],
    [{ search: '/000002' }, ['3.00']],
    [{ page: 2, limit: 2 }, ['4.00', '3.00']],
    [{ page: 4, limit: 2 }, []],
  ])('%j', async (filters, expected) => {
    expect(await amounts(filters)).toEqual(expected)
  })

  test('tells how many there are, whatever the filters', async () => {
    expect((await list({ page: 2, limit: 2 })).pagination).toEqual({
      total: 5,
      page: 2,
      limit: 2,
      totalPages: 3,
      hasNext: true,
      hasPrevious: true,
    })
    expect((await list({ status: 'posted', limit: 1 })).pagination.total).toBe(3)
    expect((await list({ search: 'entry', limit: 1 })).pagination.total).toBe(3)
    expect((await list({ page: 9 })).pagination).toMatchObject({ total: 5, hasNext: false })
  })

  test.each([
    ['limit=201', ['limit MAXIMUM']],
    ['limit=0&page=0', ['limit MINIMUM', 'page MINIMUM']],
    ['sort=description', ['sort NOT_ALLOWED']],
    ['status=void', ['status NOT_ALLOWED']],
    ['from=2026-02-30', ['from FORMAT']],
    ['nothing=1', ['nothing UNKNOWN_FIELD']],
    ['search=%00', ['search NUL_CHARACTER']],
    ['page=two', ['page TYPE']],
  ])('refuses ?%s', async (search, expected) => {
    const answer = await other.admin.send('GET', `/api/v1/finance/journal-entries?${search}`)
    expect([answer.status, answer.refusals]).toEqual([400, expected])
  })
})

describe('numbers', () => {
  test('have no gap and no double under 200 postings, 20 at a time, with refused ones among them', async () => {
    const fresh = await product.createTenant()
    const wanted = Array.from({ length: 240 }, (_, index) => index)
    const numbers: number[] = []
    let refused = 0
    const worker = async (): Promise<void> => {
      for (let index = wanted.shift(); index !== undefined; index = wanted.shift()) {
        const isWrong = index % 6 === 5
        const body = entryBody('1', isWrong ? { transactionDate: '2035-01-01' } : {})
        const answer = await fresh.admin.call(createJournalEntry, { body })
        if (answer.status === 201) numbers.push(numberOf(answer.ok()))
        else refused++
      }
    }
    await Promise.all(Array.from({ length: 20 }, worker))
    expect(refused).toBe(40)
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    const after = await postEntry(fresh.admin, '1')
    expect(after.number).toBe('JE/2026/000201')
    expect(await findings(product, fresh)).toEqual([])
    // Control: a number that is missing is found.
    await query(product, fresh, 'UPDATE finance.number_series SET last_number = last_number + 1')
    expect((await findings(product, fresh)).map(({ check }) => check)).toEqual(['numbers have no gaps'])
  })

  test('begin again in every fiscal year, also when one request posts in two', async () => {
    const fresh = await product.createTenant()
    const year = { name: 'FY27', startDate: '2027-01-01', endDate: '2027-12-31' }
    ;(await fresh.admin.call(createFiscalYear, { body: year })).ok()
    const dates = ['2026-12-31', '2027-01-01', '2026-01-01', '2027-12-31']
    const body = { journalEntries: dates.map((transactionDate) => entryBody('1', { transactionDate })) }
    const { journalEntries } = (await fresh.admin.call(createJournalEntries, { body })).ok()
    expect(journalEntries.map(({ number }) => number)).toEqual([
      'JE/2026/000001',
      'JE/FY27/000001',
      'JE/2026/000002',
      'JE/FY27/000002',
    ])
    expect(await findings(product, fresh)).toEqual([])
  })

  test('sort by year and sequence, as no text would: drafts at the end that has no numbers', async () => {
    const fresh = await product.createTenant()
    const year = { name: '1st', startDate: '2027-01-01', endDate: '2027-12-31' }
    ;(await fresh.admin.call(createFiscalYear, { body: year })).ok()
    for (const transactionDate of ['2027-01-05', '2026-06-01', '2027-01-03', '2026-02-01']) {
      await postEntry(fresh.admin, '1', { transactionDate })
    }
    ;(await fresh.admin.call(createJournalEntry, { body: draftBody('1') })).ok()
    const numbers = async (query: object) =>
      (await fresh.admin.call(listJournalEntries, { query: { sort: 'number', ...query } }))
        .ok()
        .journalEntries.map(({ number }) => number)
    const inOrder = ['JE/2026/000001', 'JE/2026/000002', 'JE/1st/000001', 'JE/1st/000002']
    expect(inOrder.toSorted()).not.toEqual(inOrder) // control: text would be told apart
    expect(await numbers({ order: 'asc' })).toEqual([...inOrder, null])
    expect(await numbers({ order: 'desc' })).toEqual([null, ...inOrder.toReversed()])
    expect(await numbers({ order: 'asc', page: 2, limit: 2 })).toEqual(inOrder.slice(2))
    expect(await numbers({ order: 'asc', from: '2026-03-01', status: 'posted' })).toEqual([
      'JE/2026/000001',
      'JE/1st/000001',
      'JE/1st/000002',
    ])
  })
})

describe('bulk', () => {
  test('1,000 entries are created in order, drafts among them', async () => {
    const fresh = await product.createTenant()
    const journalEntries = Array.from({ length: 1000 }, (_, index) =>
      entryBody(String(index + 1), index % 100 === 99 ? { status: 'draft' } : {}),
    )
    const answer = (await fresh.admin.call(createJournalEntries, { body: { journalEntries } })).ok()
    expect(answer.count).toBe(1000)
    expect(answer.journalEntries.map(({ totalDebit }) => totalDebit)).toEqual(
      journalEntries.map((_, index) => `${index + 1}.00`),
    )
    const numbers = answer.journalEntries.filter(({ status }) => status === 'posted').map(numberOf)
    expect(numbers).toEqual(Array.from({ length: 990 }, (_, index) => index + 1))
    expect(await findings(product, fresh)).toEqual([])
  })

  test('one wrong entry refuses all, each wrong one named; 1,001 are too many', async () => {
    const before = await snapshot(product, tenant)
    const good = entryBody('1')
    const unbalanced = entryBody('1', { lines: [{ accountCode: CLEARING, debit: '1' }, { accountCode: SALES, credit: '2' }] }) // prettier-ignore
    const journalEntries = [good, unbalanced, good, entryBody('1', { transactionDate: '2035-01-01' })]
    const refused = await admin.call(createJournalEntries, { body: { journalEntries } })
    expect([refused.status, refused.refusals]).toEqual([
      400,
      ['journalEntries[1].lines UNBALANCED', 'journalEntries[3].transactionDate NO_PERIOD'],
    ])
    const many = { journalEntries: Array.from({ length: 1001 }, () => good) }
    expect((await admin.call(createJournalEntries, { body: many })).refusals).toEqual(['journalEntries TOO_MANY']) // prettier-ignore
    expect((await admin.call(createJournalEntries, { body: { journalEntries: [] } })).refusals).toEqual(['journalEntries TOO_FEW']) // prettier-ignore
    expect(await snapshot(product, tenant)).toEqual(before)
  })
})

describe('periods', () => {
  let fresh: TestTenant
  beforeAll(async () => {
    fresh = await product.createTenant()
  })
  const close = async (name: string) =>
    fresh.admin.call(closePeriod, { params: { id: (await periodNamed(fresh.admin, name)).id } })
  const reopen = async (name: string, reason: string) =>
    fresh.admin.call(reopenPeriod, {
      params: { id: (await periodNamed(fresh.admin, name)).id },
      query: { reason },
    })

  test('close in order, refuse postings, and open again in order with a reason', async () => {
    const january = await postEntry(fresh.admin, '1', { transactionDate: '2026-01-10' })
    const draft = (await fresh.admin.call(createJournalEntry, { body: draftBody('2', { transactionDate: '2026-01-11' }) })).ok() // prettier-ignore
    const bookedInJanuary = (await fresh.admin.call(createJournalEntry, { body: draftBody('3', { transactionDate: '2026-03-11', postingDate: '2026-01-11' }) })).ok() // prettier-ignore
    expect((await close('2026-02')).error).toMatchObject({ code: 'EARLIER_PERIOD_OPEN' })
    expect((await close('2026-01')).ok()).toMatchObject({ name: '2026-01', status: 'closed' })
    expect((await close('2026-01')).error.code).toBe('PERIOD_CLOSED')
    ;(await close('2026-02')).ok()

    const before = await snapshot(product, fresh)
    const intoJanuary = entryBody('1', { transactionDate: '2026-01-31' })
    const answers = [
      await fresh.admin.call(createJournalEntry, { body: intoJanuary }),
      await fresh.admin.call(createJournalEntry, { body: { ...entryBody('1'), postingDate: '2026-01-31' } }),
      await fresh.admin.call(postJournalEntry, { params: { id: draft.id } }),
      await fresh.admin.call(postJournalEntry, { params: { id: bookedInJanuary.id } }),
      await fresh.admin.call(reverseJournalEntry, { params: { id: january.id }, body: { transactionDate: '2026-02-01', reason: 'x' } }), // prettier-ignore
    ]
    expect(answers.map((answer) => answer.refusals)).toEqual([
      ['transactionDate PERIOD_CLOSED'],
      ['postingDate PERIOD_CLOSED'],
      ['transactionDate PERIOD_CLOSED'],
      ['postingDate PERIOD_CLOSED'],
      ['transactionDate PERIOD_CLOSED'],
    ])
    expect(await snapshot(product, fresh)).toEqual(before)
    await postEntry(fresh.admin, '1', { transactionDate: '2026-01-31', postingDate: '2026-03-01' })

    expect((await reopen('2026-01', 'late invoice')).error.code).toBe('LATER_PERIOD_CLOSED')
    expect((await reopen('2026-02', 'x')).refusals).toEqual(['reason TOO_SHORT'])
    const { id } = await periodNamed(fresh.admin, '2026-02')
    const unreasoned = await fresh.admin.send('DELETE', `/api/v1/finance/periods/${id}/closure`)
    expect(unreasoned.refusals).toEqual(['reason REQUIRED'])
    expect((await reopen('2026-02', 'late invoice')).ok()).toMatchObject({ status: 'open', statusReason: 'late invoice' }) // prettier-ignore
    expect((await reopen('2026-02', 'late invoice')).error.code).toBe('PERIOD_OPEN')
    ;(await reopen('2026-01', 'late invoice')).ok()
    ;(await fresh.admin.call(createJournalEntry, { body: intoJanuary })).ok()
    expect(await findings(product, fresh)).toEqual([])
  })

  test('who closed and opened what, and why, is in the audit', async () => {
    const rows = await query<{ status: string; reason: string | null; actor: string }>(
      product,
      fresh,
      `SELECT new_values ->> 'status' AS status, new_values ->> 'status_reason' AS reason,
         actor_kind || ' ' || u.full_name AS actor
       FROM audit.change c JOIN core.app_user u ON u.id = c.actor_id
       WHERE entity = 'finance.period' AND new_values ->> 'name' = '2026-02' ORDER BY c.id`,
    )
    expect(rows).toEqual([
      { status: 'closed', reason: null, actor: 'user Ann Keeper' },
      { status: 'open', reason: 'late invoice', actor: 'user Ann Keeper' },
    ])
  })

  test('fiscal years do not overlap, nor come before what is closed', async () => {
    const create = (name: string, startDate: string, endDate: string) =>
      fresh.admin.call(createFiscalYear, { body: { name, startDate, endDate } })
    expect((await create('x', '2026-12-31', '2027-12-30')).error.code).toBe('FISCAL_YEAR_OVERLAPS')
    expect((await create('2026', '2027-01-01', '2027-12-31')).error.code).toBe('DUPLICATE_NAME')
    expect((await create('x', '2027-12-31', '2027-01-01')).refusals).toEqual(['endDate BEFORE_START'])
    const same = await Promise.all([1, 2, 3].map((at) => create(`p${at}`, '2027-01-01', '2027-12-31')))
    expect(same.map(({ status }) => status).toSorted()).toEqual([201, 409, 409])
    await closeUntil(fresh.admin, '2026-01')
    expect((await create('2025', '2025-01-01', '2025-12-31')).error.code).toBe('LATER_PERIOD_CLOSED')
    ;(await reopen('2026-01', 'the year before')).ok()
    ;(await create('2025', '2025-01-01', '2025-12-31')).ok()
    expect((await close('2026-01')).error.code).toBe('EARLIER_PERIOD_OPEN')
    const { fiscalYears } = (await fresh.admin.call(listFiscalYears)).ok()
    expect(fiscalYears.map(({ startDate }) => startDate)).toEqual(['2027-01-01', '2026-01-01', '2025-01-01'])
    expect(fiscalYears.map(({ periods }) => periods.length)).toEqual([12, 12, 12])
  })

  test('a period that closes while postings run has none posted afterwards', async () => {
    const racing = await product.createTenant()
    const { id } = await periodNamed(racing.admin, '2026-01')
    const postings = Array.from({ length: 120 }, (_, index) => index)
    let [answered, isUnderWay] = [0, (): void => {}]
    const underWay = new Promise<void>((resolve) => (isUnderWay = resolve))
    const worker = async (): Promise<void> => {
      while (postings.shift() !== undefined) {
        await racing.admin.call(createJournalEntry, {
          body: entryBody('1', { transactionDate: '2026-01-15' }),
        })
        if (++answered === 10) isUnderWay()
      }
    }
    const workers = Promise.all(Array.from({ length: 8 }, worker))
    await underWay
    ;(await racing.admin.call(closePeriod, { params: { id } })).ok()
    const atClosing = await snapshot(product, racing)
    await workers
    expect(await snapshot(product, racing)).toEqual(atClosing)
    expect((atClosing as { entries: number }).entries).toBeGreaterThan(0)
    expect((atClosing as { entries: number }).entries).toBeLessThan(120)
    expect(await findings(product, racing)).toEqual([])
  })
})
