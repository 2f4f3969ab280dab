import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  addCompany,
  asSuperuser,
  findings,
  postEntry,
  query,
  untypedOperations,
} from '../../../testing/books.ts'
import type { Client } from '../../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { createJournalEntry } from '../../ledger/contract.ts'
import { glAccount, glAccountTree } from './definition.ts'

const operations = untypedOperations(glAccount)

interface Account {
  id: string
  code: string
  name: string
  type: string
  parentId: string | null
  isActive: boolean
  updatedAt: string
}
interface Node extends Account {
  children: Node[]
}

let product: TestProduct
let tenant: TestTenant
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  admin = tenant.admin
})
afterAll(() => product.stop())

const create = (body: object) => admin.call(operations.create, { body: body })
const update = (id: string, body: object) => admin.call(operations.update, { params: { id }, body })
const remove = (id: string) => admin.call(operations.remove, { params: { id } })
const created = async (body: object): Promise<Account> => (await create(body)).ok() as Account

let next = 8000
const code = (): string => String(++next)
const expense = (overrides: object = {}): object => ({ code: code(), name: 'Expense', type: 'expense', ...overrides }) // prettier-ignore

async function named(accountCode: string): Promise<Account> {
  const { glAccounts } = (await admin.call(operations.list, { query: { search: accountCode } })).ok() as { glAccounts: Account[] } // prettier-ignore
  return glAccounts.find((account) => account.code === accountCode)!
}

async function tree(): Promise<Node[]> {
  return (await admin.call(glAccountTree)).ok().glAccounts as unknown as Node[]
}
const flattened = (nodes: Node[]): Node[] => nodes.flatMap((node) => [node, ...flattened(node.children)])

describe('the tree', () => {
  test('holds every account once, below its parent, in the order of the codes', async () => {
    const roots = await tree()
    expect(roots.map(({ code: root }) => root)).toEqual(['1000', '2000', '3000', '4000', '5000', '6000', '7000']) // prettier-ignore
    const all = flattened(roots)
    const [row] = await query<{ count: number }>(product, tenant, 'SELECT count(*)::int AS count FROM masters.gl_account') // prettier-ignore
    expect(all).toHaveLength(row?.count ?? -1)
    for (const node of all) {
      expect(node.children.every(({ parentId, type }) => parentId === node.id && type === node.type)).toBe(true) // prettier-ignore
      expect(node.children.map((child) => child.code)).toEqual(node.children.map((child) => child.code).toSorted()) // prettier-ignore
    }
  })

  test('has no circles', async () => {
    const top = await created(expense())
    const middle = await created(expense({ parentId: top.id }))
    const bottom = await created(expense({ parentId: middle.id }))
    expect((await update(top.id, { parentId: bottom.id })).refusals).toEqual(['parentId CYCLE'])
    expect((await update(top.id, { parentId: top.id })).refusals).toEqual(['parentId CYCLE'])
    expect((await update(top.id, { parentId: bottom.id.toUpperCase() })).refusals).toEqual(['parentId CYCLE'])
    ;(await update(bottom.id, { parentId: null })).ok()
    ;(await update(top.id, { parentId: bottom.id.toUpperCase() })).ok()
  })

  test('has no circles, also when two branches are moved below each other at the same moment', async () => {
    for (let round = 0; round < 10; round++) {
      const [a, b] = [await created(expense()), await created(expense())]
      const [belowA, belowB] = [await created(expense({ parentId: a.id })), await created(expense({ parentId: b.id }))] // prettier-ignore
      const answers = await Promise.all([
        update(a.id, { parentId: belowB.id }),
        update(b.id, { parentId: belowA.id }),
      ])
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400])
      const shown = new Set(flattened(await tree()).map((node) => node.id))
      expect([a.id, b.id, belowA.id, belowB.id].every((id) => shown.has(id))).toBe(true)
    }
  })

  test('a child is of the type of its parent, also when one of them changes', async () => {
    const parent = await created(expense())
    expect((await create(expense({ parentId: parent.id, type: 'asset' }))).refusals).toEqual(['parentId WRONG_TYPE']) // prettier-ignore
    const child = await created(expense({ parentId: parent.id }))
    expect((await update(parent.id, { type: 'asset' })).refusals).toEqual(['type HAS_CHILDREN'])
    expect((await update(child.id, { type: 'asset' })).refusals).toEqual(['parentId WRONG_TYPE'])
    ;(await update(child.id, { type: 'asset', parentId: null })).ok()
    ;(await update(parent.id, { type: 'asset' })).ok()
    expect(await findings(product, tenant)).toEqual([])
    // Control: had it got through, the check of the books would have named it.
    await query(product, tenant, 'UPDATE masters.gl_account SET parent_id = $1, type = $2 WHERE id = $3', [parent.id, 'revenue', child.id]) // prettier-ignore
    expect((await findings(product, tenant)).map(({ check }) => check)).toEqual(['accounts are of the type of the account above']) // prettier-ignore
    await query(product, tenant, 'UPDATE masters.gl_account SET parent_id = NULL WHERE id = $1', [child.id])
  })

  test('a parent is an account of this company', async () => {
    const otherId = await addCompany(product, tenant, 'OTHER')
    const [other] = await query<{ id: string }>(product, tenant, "SELECT id FROM masters.gl_account WHERE code = '6000' AND company_id = $1", [otherId]) // prettier-ignore
    for (const parentId of [randomUUID(), other?.id]) {
      expect((await create(expense({ parentId }))).refusals).toEqual(['parentId UNKNOWN_ACCOUNT'])
    }
  })
})

describe('an account with postings', () => {
  test('keeps what they mean: type, control account and currency; its names may change', async () => {
    const account = await created(expense())
    const lines = [{ accountCode: account.code, debit: '1' }, { accountCode: '4110', credit: '1' }] // prettier-ignore
    await postEntry(admin, '1', { lines })
    const wanted = { type: 'asset', controlAccount: 'bank', currency: 'EUR' }
    expect((await update(account.id, wanted)).refusals).toEqual([
      'controlAccount HAS_POSTINGS',
      'currency HAS_POSTINGS',
      'type HAS_POSTINGS',
    ])
    const renamed = (await update(account.id, { name: 'Other', code: `${account.code}-1` })).ok() as Account
    expect(renamed).toMatchObject({ name: 'Other', code: `${account.code}-1`, type: 'expense' })
    const unposted = await created(expense())
    ;(await update(unposted.id, wanted)).ok()
  })

  test('is not deleted: who uses it is told; deactivated, nothing is posted to it', async () => {
    const account = await created(expense())
    const lines = [{ accountCode: account.code, debit: '1' }, { accountCode: '4110', credit: '1' }] // prettier-ignore
    const draft = { transactionDate: '2026-03-01', lines }
    ;(await admin.call(createJournalEntry, { body: draft })).ok()
    const byDraft = await remove(account.id)
    expect([byDraft.status, byDraft.error.code]).toEqual([409, 'IN_USE'])
    expect(byDraft.error.details).toEqual({ usedBy: ['journal draft line'] })
    await postEntry(admin, '1', { lines })
    await created(expense({ parentId: account.id }))
    const { details, message } = (await remove(account.id)).error
    expect((details as unknown as { usedBy: string[] }).usedBy.toSorted()).toEqual([
      'account balance',
      'gl account',
      'journal draft line',
      'journal line',
    ])
    expect(message).toContain('journal line')
    ;(await update(account.id, { isActive: false })).ok()
    const refused = await admin.call(createJournalEntry, { body: { ...draft, status: 'posted' } })
    expect(refused.refusals).toEqual(['lines[0].accountCode INACTIVE_ACCOUNT'])
  })
})

test('an unused account is deleted: it is gone, and its code is free', async () => {
  const account = await created(expense())
  expect((await create({ ...expense(), code: account.code })).error.code).toBe('DUPLICATE_CODE')
  ;(await remove(account.id)).ok()
  const params = { id: account.id }
  expect((await admin.call(operations.get, { params })).status).toBe(404)
  expect((await update(account.id, { name: 'x' })).status).toBe(404)
  expect((await remove(account.id)).status).toBe(404)
  expect(flattened(await tree()).map(({ id }) => id)).not.toContain(account.id)
  const again = await created({ ...expense(), code: account.code })
  expect(again.id).not.toBe(account.id)
  expect((await create(expense({ parentId: account.id }))).refusals).toEqual(['parentId UNKNOWN_ACCOUNT'])
})

test('a deletion and a child of the account at the same moment: one of them', async () => {
  for (let round = 0; round < 10; round++) {
    const account = await created(expense())
    const [removed, child] = await Promise.all([remove(account.id), create(expense({ parentId: account.id }))]) // prettier-ignore
    expect([removed.status, child.status].toSorted()).toEqual(removed.status === 200 ? [200, 400] : [201, 409]) // prettier-ignore
  }
})

test('a deletion and a posting to the account at the same moment: one of them', async () => {
  const account = await created(expense())
  const lines = [{ accountCode: account.code, debit: '1' }, { accountCode: '4110', credit: '1' }] // prettier-ignore
  await postEntry(admin, '1')
  const [posting, removal] = await asSuperuser(product, tenant, async (client) => {
    // The posting has read the account and waits for its number while the account is deleted.
    await client.query('BEGIN')
    await client.query('SELECT 1 FROM finance.number_series FOR UPDATE')
    const body = { transactionDate: '2026-03-01', status: 'posted', lines } as const
    const waiting = admin.call(createJournalEntry, { body })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const removing = remove(account.id)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await client.query('ROLLBACK')
    return Promise.all([waiting, removing])
  })
  expect([posting.status, removal.status].filter((status) => status < 300)).toHaveLength(1)
})

test.each([
  [{ code: ' 1', name: 'x', type: 'asset' }, ['code PATTERN']],
  [{ code: '', name: '', type: 'asset' }, ['code TOO_SHORT', 'name TOO_SHORT']],
  [{ code: 'ws', name: '   ', type: 'asset' }, ['name TOO_SHORT']],
  [{ code: 'x'.repeat(41), name: 'x'.repeat(201), type: 'money' }, ['code TOO_LONG', 'name TOO_LONG', 'type NOT_ALLOWED']], // prettier-ignore
  [{}, ['code REQUIRED', 'name REQUIRED', 'type REQUIRED']],
  [{ code: 'c', name: 'c', type: 'asset', currency: 'QQQ' }, ['currency UNKNOWN_CURRENCY']],
  [{ code: 'c', name: 'c', type: 'asset', id: randomUUID(), companyId: null }, ['companyId UNKNOWN_FIELD', 'id UNKNOWN_FIELD']], // prettier-ignore
])('refuses %j', async (body, expected) => {
  const answer = await create(body)
  expect([answer.status, answer.refusals]).toEqual([400, expected])
})

test('a change keeps the fields that are not given, and no change is none', async () => {
  const account = await created(expense({ nameArabic: 'مصروف' }))
  const { updatedAt, ...changed } = (await update(account.id, { name: 'New' })).ok() as Account
  expect(updatedAt > account.updatedAt).toBe(true)
  expect({ ...changed, updatedAt: account.updatedAt }).toEqual({ ...account, name: 'New' })
  expect((await update(account.id, {})).refusals).toEqual([' MIN_PROPERTIES'])
  expect((await update(account.id, { name: null })).status).toBe(400)
})

test('many different sets of fields can be changed, one after another on the same connection', async () => {
  const account = await created(expense())
  const fields = { code: account.code, name: 'All', nameArabic: 'x', type: 'expense', parentId: null, controlAccount: 'none', postingAllowed: true, currency: null, isActive: true } // prettier-ignore
  const names = Object.keys(fields)
  for (let length = 1; length <= names.length; length++) {
    const given = Object.fromEntries(Object.entries(fields).slice(0, length))
    ;(await update(account.id, { ...given, code: `${account.code}${length}` })).ok()
  }
  expect(await named(`${account.code}${names.length}`)).toMatchObject(fields.name ? { name: 'All' } : {})
  const filters = { type: 'expense', parentId: randomUUID(), controlAccount: 'none', postingAllowed: true, isActive: true, currency: 'EUR' } // prettier-ignore
  for (let length = 1; length <= 6; length++) {
    const given = Object.fromEntries(Object.entries(filters).slice(0, length))
    const wanted = { ...given, sort: 'createdAt', order: 'desc', search: 'x' }
    ;(await admin.call(operations.list, { query: wanted })).ok()
  }
})
