import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJournalEntry } from '../erp/ledger/contract.ts'
import { entryBody, postEntry, query } from '../testing/books.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'

const ENTRIES = '/api/v1/finance/journal-entries'

let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
})
afterAll(() => product.stop())

test('a success is {success, data}, with a request id and the version of the API', async () => {
  const answer = await tenant.admin.send('GET', `${ENTRIES}?limit=1`)
  expect(Object.keys(answer.body)).toEqual(['success', 'data'])
  expect(answer.body.success).toBe(true)
  expect(answer.headers.get('x-api-version')).toBe('v1')
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
})

test('a failure is {success, error} with all that helps to find it', async () => {
  const answer = await tenant.admin.send('GET', `${ENTRIES}/${randomUUID()}?x=1`, undefined, { 'x-request-id': 'my-request' }) // prettier-ignore
  expect(answer.body).toEqual({
    success: false,
    error: {
      code: 'NOT_FOUND',
      message: 'There is no such journal entry',
      details: [],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      requestId: 'my-request',
      path: expect.stringMatching(new RegExp(`^${ENTRIES}/[0-9a-f-]{36}$`)) as string,
    },
  })
  expect(answer.headers.get('x-request-id')).toBe('my-request')
})

test.each([['with space'], ['x'.repeat(129)]])('the request id %j is not taken over', async (id) => {
  const answer = await tenant.admin.send('GET', ENTRIES, undefined, { 'x-request-id': id })
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('who is not signed in, or elsewhere, is told so', async () => {
  const { anonymous } = product
  const unsigned = await anonymous.with({ tenant: tenant.code }).send('GET', ENTRIES)
  expect([unsigned.status, unsigned.error.code]).toEqual([401, 'AUTH_REQUIRED'])
  expect(unsigned.headers.get('www-authenticate')).toBe('Bearer')
  const forged = await anonymous.with({ tenant: tenant.code, token: 'a.b.c' }).send('GET', ENTRIES)
  expect([forged.status, forged.error.code]).toEqual([401, 'TOKEN_INVALID'])
  const nowhere = await tenant.admin.with({ tenant: 'NOBODY' }).send('GET', ENTRIES)
  expect([nowhere.status, nowhere.error.code]).toEqual([404, 'NOT_FOUND'])
  const other = await product.createTenant()
  const elsewhere = await tenant.admin.with({ tenant: other.code }).send('GET', ENTRIES)
  expect([elsewhere.status, elsewhere.error.code]).toEqual([401, 'TOKEN_INVALID'])
  const operator = await product.operator.with({ tenant: tenant.code }).send('GET', ENTRIES)
  expect(operator.status).toBe(401)
})

test('an address or method that is not there', async () => {
  for (const [method, path] of [
    ['GET', '/api/v1/nothing'],
    ['PUT', ENTRIES],
    ['DELETE', '/api/v1/reports/trial-balance'],
  ]) {
    // prettier-ignore
    const answer = await tenant.admin.send(method ?? '', path ?? '', method === 'PUT' ? {} : undefined)
    expect([answer.status, answer.error.code]).toEqual([404, 'NOT_FOUND'])
  }
})

test('a failure of ours says nothing of what happened inside', async () => {
  await postEntry(tenant.admin, '1')
  await query(
    product,
    tenant,
    'ALTER TABLE finance.journal_entry ADD CONSTRAINT secret_rule CHECK (total <> 666)',
  )
  const answer = await tenant.admin.call(createJournalEntry, { body: entryBody('666') })
  expect([answer.status, answer.error.code, answer.error.details]).toEqual([500, 'SERVER_ERROR', []])
  const { path: _path, ...said } = answer.error
  expect(JSON.stringify(said)).not.toMatch(/secret_rule|constraint|finance|select|\.ts/i)
  const { number } = await postEntry(tenant.admin, '2')
  expect(number).toBe('JE/2026/000002') // the refused one took no number
})

test('what takes too long in the database is 503 with Retry-After', async () => {
  await query(product, tenant, `CREATE FUNCTION finance.refuse_lock() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.total = 777 THEN RAISE EXCEPTION 'busy' USING ERRCODE = '55P03'; END IF; RETURN NEW; END $$`) // prettier-ignore
  await query(product, tenant, 'CREATE TRIGGER slow BEFORE INSERT ON finance.journal_entry FOR EACH ROW EXECUTE FUNCTION finance.refuse_lock()') // prettier-ignore
  const answer = await tenant.admin.call(createJournalEntry, { body: entryBody('777') })
  expect([answer.status, answer.error.code, answer.headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '1']) // prettier-ignore
  expect((await tenant.admin.call(createJournalEntry, { body: entryBody('778') })).status).toBe(201)
})

test('a draft has a version, and is replaced only as it was read', async () => {
  const created = (await tenant.admin.call(createJournalEntry, { body: entryBody('1', { status: 'draft' }) })).ok() // prettier-ignore
  const path = `${ENTRIES}/${created.id}`
  const etag = (await tenant.admin.send('GET', path)).headers.get('etag') ?? ''
  expect(etag).toBe(`"${created.updatedAt}"`)
  const body = entryBody('2', { status: 'draft' })
  const replaced = await tenant.admin.send('PUT', path, body, { 'if-match': etag })
  expect(replaced.status).toBe(200)
  for (const [method, address] of [
    ['PUT', path],
    ['PATCH', path],
    ['DELETE', path],
    ['POST', `${path}/post`],
  ]) {
    // prettier-ignore
    const stale = await tenant.admin.send(method ?? '', address ?? '', method?.startsWith('P') && method !== 'POST' ? body : undefined, { 'if-match': etag }) // prettier-ignore
    expect([method, stale.status, stale.error.code]).toEqual([method, 412, 'PRECONDITION_FAILED'])
  }
  const { data } = (await tenant.admin.send<{ totalDebit: string }>('GET', path)).body
  expect(data?.totalDebit).toBe('2.00')
})
