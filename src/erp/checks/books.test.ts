/** Each proof is made to fail once: a check that finds nothing must be known to look. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addCompany, asSuperuser, entryBody, findings, postEntry, query } from '../../testing/books.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { reverseJournalEntry } from '../ledger/contract.ts'
import { checkNames } from './books.ts'

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  const foreign = [
    { accountCode: '1190', debit: '8', currency: 'EUR', exchangeRate: '1.25' },
    { accountCode: '4110', credit: '10' },
  ]
  for (const date of ['2026-01-31', '2026-02-01', '2026-02-28'])
    await postEntry(tenant.admin, '10', { transactionDate: date })
  const { id } = await postEntry(tenant.admin, '10', { lines: foreign })
  const body = { transactionDate: '2026-03-20', reason: 'x' }
  ;(await tenant.admin.call(reverseJournalEntry, { params: { id }, body })).ok()
})
afterAll(() => product.stop())

test('whole books have no findings', async () => {
  expect(await findings(product, tenant)).toEqual([])
})

/** What is found after the books were damaged behind the program's back; the damage is mended again. */
async function foundAfter(damage: string, mend: string): Promise<[checks: string[], details: string]> {
  await asSuperuser(product, tenant, async (client) => {
    await client.query(
      `SET session_replication_role = replica; ${damage}; SET session_replication_role = origin`,
    )
  })
  const found = await findings(product, tenant)
  await asSuperuser(product, tenant, async (client) => {
    await client.query(
      `SET session_replication_role = replica; ${mend}; SET session_replication_role = origin`,
    )
  })
  expect(await findings(product, tenant)).toEqual([])
  return [[...new Set(found.map(({ check }) => check))], found.map(({ detail }) => detail).join('\n')]
}

const first = (table: string, where: string): string =>
  `id = (SELECT id FROM finance.${table} WHERE ${where} ORDER BY id LIMIT 1)`
const DAY = first('account_balance', "grain = 'day' AND start_date = '2026-02-01' AND debit > 0")
const MONTH = first('account_balance', "grain = 'month' AND start_date = '2026-02-01' AND debit > 0")
const EUR_DAY = first('account_balance', "grain = 'day' AND currency = 'EUR'")
const FIRST_ENTRY = first('journal_entry', "number = 'JE/2026/000001'")

const broken: Record<string, [damage: string, mend: string, detail: RegExp][]> = {
  'every entry balances and has all its lines': [
    [`UPDATE finance.journal_entry SET total = total + 1 WHERE ${FIRST_ENTRY}`, `UPDATE finance.journal_entry SET total = total - 1 WHERE ${FIRST_ENTRY}`, /^entry JE\/2026\/000001: debits 10/], // prettier-ignore
    [`UPDATE finance.journal_entry SET line_count = 3 WHERE ${FIRST_ENTRY}`, `UPDATE finance.journal_entry SET line_count = 2 WHERE ${FIRST_ENTRY}`, /2 of 3 lines/], // prettier-ignore
  ],
  'daily balances equal the lines': [
    [`UPDATE finance.account_balance SET debit = debit + 0.01 WHERE ${DAY}`, `UPDATE finance.account_balance SET debit = debit - 0.01 WHERE ${DAY}`, /^day of 2026-02-01 in account 1190 \(USD\): kept 10.0100, lines 10.0000/], // prettier-ignore
    [`UPDATE finance.account_balance SET debit = debit + 1, credit = credit + 1 WHERE ${DAY}`, `UPDATE finance.account_balance SET debit = debit - 1, credit = credit - 1 WHERE ${DAY}`, /^day of 2026-02-01 in account 1190/], // prettier-ignore
    [`UPDATE finance.account_balance SET currency_debit = currency_debit + 1 WHERE ${EUR_DAY}`, `UPDATE finance.account_balance SET currency_debit = currency_debit - 1 WHERE ${EUR_DAY}`, /in account 1190 \(EUR\)/], // prettier-ignore
    [`UPDATE finance.account_balance SET start_date = '2026-02-02' WHERE ${DAY}`, "UPDATE finance.account_balance SET start_date = '2026-02-01' WHERE grain = 'day' AND start_date = '2026-02-02'", /kept 0, lines 10.0000/], // prettier-ignore
  ],
  'monthly balances equal the lines': [
    [`UPDATE finance.account_balance SET debit = debit + 0.01 WHERE ${MONTH}`, `UPDATE finance.account_balance SET debit = debit - 0.01 WHERE ${MONTH}`, /^month of 2026-02-01 in account 1190 \(USD\): kept 20.0100, lines 20.0000/], // prettier-ignore
  ],
  'numbers have no gaps': [
    ['UPDATE finance.number_series SET last_number = last_number + 1', 'UPDATE finance.number_series SET last_number = last_number - 1', /5 entries, numbers 1 to 5, counter 6/], // prettier-ignore
    [`UPDATE finance.journal_entry SET sequence = 90 WHERE ${FIRST_ENTRY}`, `UPDATE finance.journal_entry SET sequence = 1 WHERE ${FIRST_ENTRY}`, /5 entries, numbers 2 to 90, counter 5/], // prettier-ignore
  ],
  'every entry is dated in its period': [
    [`UPDATE finance.journal_entry SET posting_date = '2026-02-01' WHERE ${FIRST_ENTRY}`, `UPDATE finance.journal_entry SET posting_date = '2026-01-31' WHERE ${FIRST_ENTRY}`, /entry JE\/2026\/000001 of 2026-02-01 is in period 2026-01/], // prettier-ignore
  ],
  'a reversal mirrors its entry': [
    ["UPDATE finance.journal_entry SET reverses_id = (SELECT id FROM finance.journal_entry WHERE number = 'JE/2026/000003') WHERE number = 'JE/2026/000005'", "UPDATE finance.journal_entry SET reverses_id = (SELECT id FROM finance.journal_entry WHERE number = 'JE/2026/000004') WHERE number = 'JE/2026/000005'", /JE\/2026\/000005 does not mirror JE\/2026\/000003/], // prettier-ignore
  ],
  'accounts are of the type of the account above': [
    ["UPDATE masters.gl_account SET type = 'asset' WHERE code = '6110'", "UPDATE masters.gl_account SET type = 'expense' WHERE code = '6110'", /account 6110 is of type asset below 6100 of type expense/], // prettier-ignore
  ],
  'list totals equal the rows': [
    ["UPDATE masters.entity_total SET total = total + 1 WHERE entity = 'currency'", "UPDATE masters.entity_total SET total = total - 1 WHERE entity = 'currency'", /^currency: kept/], // prettier-ignore
  ],
}

describe.each(Object.entries(broken))('%s', (check, cases) => {
  test.each(cases)('is found broken by %s', async (damage, mend, detail) => {
    const [checks, details] = await foundAfter(damage, mend)
    expect(checks).toContain(check)
    expect(details).toMatch(detail)
  })
})

test('every check is broken once above', () => {
  expect(Object.keys(broken).toSorted()).toEqual(checkNames.toSorted())
})

test("a company's checks are not disturbed by another company's books", async () => {
  const other = await addCompany(product, tenant, 'OTHER')
  expect(await findings(product, tenant, other)).toEqual([])
  await query(product, tenant, `UPDATE finance.account_balance SET debit = debit + 1 WHERE ${DAY}`)
  expect(await findings(product, tenant, other)).toEqual([])
  expect((await findings(product, tenant)).length).toBeGreaterThan(0)
  await query(product, tenant, `UPDATE finance.account_balance SET debit = debit - 1 WHERE ${DAY}`)
})

test('control: posting goes on in books that were mended', async () => {
  const entry = await postEntry(tenant.admin, '1', entryBody('1'))
  expect(entry.number).toBe('JE/2026/000006')
  expect(await findings(product, tenant)).toEqual([])
})
