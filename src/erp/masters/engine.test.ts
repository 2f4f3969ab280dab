/** What the engine does for every master alike, shown on the simplest one. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addUser, asRuntime, asSuperuser, findings, query, untypedOperations } from '../../testing/books.ts'
import type { Client } from '../../testing/client.ts'
import { startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { unitOfMeasure } from './units-of-measure/definition.ts'

const operations = untypedOperations(unitOfMeasure)
const PATH = '/api/v1/masters/units-of-measure'

interface Unit {
  id: string
  code: string
  name: string
  category: string
  factor: string
  updatedAt: string
}
interface Change {
  action: string
  name: string | null
  was: string | null
  request: string
  kind: string
}
interface Page {
  unitsOfMeasure: Unit[]
  pagination: { total: number; page: number; totalPages: number; hasNext: boolean; hasPrevious: boolean }
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

const body = (code: string, overrides: object = {}): object => ({ code, name: `Unit ${code}`, category: 'test', factor: '2', ...overrides }) // prettier-ignore
const create = async (code: string, overrides: object = {}): Promise<Unit> =>
  (await admin.call(operations.create, { body: body(code, overrides) })).ok() as Unit
const list = async (filters: object): Promise<Page> =>
  (await admin.call(operations.list, { query: filters })).ok() as unknown as Page
const codes = async (filters: object): Promise<string[]> =>
  (await list(filters)).unitsOfMeasure.map(({ code }) => code)

test('names are sorted as words, the same way each time, and found in the index', async () => {
  const many = await product.createTenant()
  await asSuperuser(product, many, async (client) => {
    const text = `INSERT INTO masters.unit_of_measure (company_id, code, name, category, factor)
      SELECT $1, 'W' || n, CASE n % 4 WHEN 0 THEN 'same' WHEN 1 THEN 'éa' || n WHEN 2 THEN 'Eb' || n ELSE 'ec' || n END,
        'words', 1 FROM generate_series(1, 4000) n`
    await client.query(text, [many.companyId])
    await client.query('VACUUM ANALYZE masters.unit_of_measure')
  })
  const names: string[] = []
  const ids = new Set<string>()
  for (let page = 1; page <= 20; page++) {
    const filters = { query: { category: 'words', sort: 'name', limit: 200, page } }
    const { unitsOfMeasure } = (await many.admin.call(operations.list, filters)).ok() as unknown as Page
    for (const { id, name } of unitsOfMeasure) {
      ids.add(id)
      names.push(name)
    }
  }
  expect(ids.size).toBe(4000) // nobody twice, nobody left out, though a thousand have one name
  expect(names).toEqual(names.toSorted(new Intl.Collator('und').compare))
  const plan = (collation: string): Promise<string> =>
    asRuntime(product, many, async (client) => {
      await client.query('BEGIN')
      await client.query("SELECT set_config('erp.company_id', $1, true)", [many.companyId])
      const { rows } = await client.query(`EXPLAIN SELECT id FROM masters.unit_of_measure
        WHERE company_id = '${many.companyId}' AND deleted_at IS NULL
        ORDER BY name ${collation}, id LIMIT 50 OFFSET 1000`)
      await client.query('ROLLBACK')
      return JSON.stringify(rows)
    })
  expect(await plan('COLLATE "und-x-icu"')).toMatch(/Index (Only )?Scan.*unit_of_measure_name/)
  expect(await plan('')).toContain('Sort') // control: in another order they are sorted each time
})

describe('the list', () => {
  beforeAll(async () => {
    await create('QA', { name: 'Alpha 50%', category: 'listed' })
    await create('QB', { name: 'beta_x', category: 'listed' })
    await create('QC', { name: 'Gamma', category: 'listed', isActive: false })
    await create('QD', { name: 'alpha again', category: 'listed' })
  })

  test.each<[object, string[]]>([
    [{}, ['QA', 'QB', 'QC', 'QD']],
    [{ order: 'desc' }, ['QD', 'QC', 'QB', 'QA']],
    [{ sort: 'createdAt', order: 'desc' }, ['QD', 'QC', 'QB', 'QA']],
    [{ sort: 'name', search: 'a', isActive: true }, ['QA', 'QD', 'QB']],
    [{ sort: 'name' }, ['QA', 'QD', 'QB', 'QC']], // by bytes: QA, QC, QD, QB
    [{ sort: 'name', order: 'desc', page: 2, limit: 3 }, ['QA']],
    [{ isActive: false }, ['QC']],
    [{ isActive: true, search: 'alpha' }, ['QA', 'QD']],
    [{ search: 'ALPHA' }, ['QA', 'QD']],
    [{ search: '%' }, ['QA']],
    [{ search: '_' }, ['QB']],
    [{ search: '\\' }, []],
    [{ search: "'; DROP TABLE masters.unit_of_measure --" }, []],
    [{ search: '' }, ['QA', 'QB', 'QC', 'QD']],
    [{ isBase: true }, []],
    [{ page: 2, limit: 3 }, ['QD']],
    [{ page: 3, limit: 3 }, []],
    [{ page: 1_000_000, limit: 200 }, []],
  ])('%j', async (filters, expected) => {
    expect(await codes({ category: 'listed', ...filters })).toEqual(expected)
  })

  test('the pages together hold every row once', async () => {
    const { pagination } = await list({ limit: 5 })
    const all = await Promise.all(
      Array.from({ length: pagination.totalPages }, (_, index) => codes({ limit: 5, page: index + 1 })),
    )
    const seen = all.flat()
    expect(seen).toHaveLength(pagination.total)
    expect(new Set(seen).size).toBe(pagination.total)
    expect((await list({ limit: 5, page: 2 })).pagination).toMatchObject({ hasNext: true, hasPrevious: true })
    const beyond = (await list({ limit: 5, page: pagination.totalPages + 1 })).pagination
    expect(beyond).toMatchObject({ total: pagination.total, hasNext: false, hasPrevious: true })
  })

  test.each([
    ['limit=201', ['limit MAXIMUM']],
    ['limit=0', ['limit MINIMUM']],
    ['limit=1.5', ['limit TYPE']],
    ['page=0', ['page MINIMUM']],
    ['sort=factor', ['sort NOT_ALLOWED']],
    ['sort=id;drop', ['sort NOT_ALLOWED']],
    ['order=up', ['order NOT_ALLOWED']],
    ['isActive=perhaps', ['isActive TYPE']],
    ['unknown=1', ['unknown UNKNOWN_FIELD']],
    ['search=%00', ['search NUL_CHARACTER']],
    [`search=${'x'.repeat(201)}`, ['search TOO_LONG']],
  ])('refuses ?%s', async (search, expected) => {
    const answer = await admin.send('GET', `${PATH}?${search}`)
    expect([answer.status, answer.refusals]).toEqual([400, expected])
  })
})

describe('versions', () => {
  test('an update of what was read goes through, a second one of the same reading does not', async () => {
    const created = await admin.call(operations.create, { body: body('V1') })
    const { id } = created.ok() as Unit
    const params = { id }
    const read = await admin.call(operations.get, { params })
    const etag = read.headers.get('etag') ?? ''
    expect(etag).toBe(created.headers.get('etag'))
    const match = { 'if-match': etag }
    const first = await admin.call(operations.update, { params, body: { name: 'First' } }, match)
    expect(first.status).toBe(200)
    expect(first.headers.get('etag')).not.toBe(etag)
    const second = await admin.call(operations.update, { params, body: { name: 'Second' } }, match)
    expect([second.status, second.error.code]).toEqual([412, 'PRECONDITION_FAILED'])
    const removal = await admin.call(operations.remove, { params }, match)
    expect(removal.status).toBe(412)
    expect((await admin.call(operations.get, { params })).ok()).toMatchObject({ name: 'First' })
    const several = { 'if-match': `"other", ${first.headers.get('etag')}` }
    expect((await admin.call(operations.update, { params, body: { name: 'Third' } }, several)).status).toBe(200) // prettier-ignore
    expect((await admin.call(operations.update, { params, body: { name: 'Any' } }, { 'if-match': '*' })).status).toBe(200) // prettier-ignore
    expect((await admin.call(operations.update, { params, body: { name: 'None' } })).status).toBe(200)
  })

  test('of ten updates of one reading at the same moment one goes through', async () => {
    const created = await admin.call(operations.create, { body: body('V2') })
    const params = { id: (created.ok() as Unit).id }
    const match = { 'if-match': created.headers.get('etag') ?? '' }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        admin.call(operations.update, { params, body: { name: `Name ${index}` } }, match),
      ),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 412)]) // prettier-ignore
  })

  test('PATCH is PUT', async () => {
    const unit = await create('V3')
    const patched = await admin.send<Unit>('PATCH', `${PATH}/${unit.id}`, { name: 'Patched' })
    expect(patched.ok()).toMatchObject({ id: unit.id, name: 'Patched', code: 'V3' })
    const stale = await admin.send('PATCH', `${PATH}/${unit.id}`, { name: 'x' }, { 'if-match': '"old"' })
    expect(stale.status).toBe(412)
    expect((await admin.send('PATCH', `${PATH}/${unit.id}`, { nam: 'x' })).refusals).toEqual(['nam UNKNOWN_FIELD']) // prettier-ignore
  })
})

describe('codes', () => {
  test('of two creations of one code at the same moment one goes through', async () => {
    for (let round = 0; round < 5; round++) {
      const wanted = { body: body(`D${round}`) }
      const answers = await Promise.all([
        admin.call(operations.create, wanted),
        admin.call(operations.create, wanted),
      ])
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409])
      const refused = answers.find(({ status }) => status === 409)
      expect(refused?.error.code).toBe('DUPLICATE_CODE')
      expect(refused?.refusals).toEqual(['code DUPLICATE'])
    }
  })

  test('are trimmed, taken again by an update refused, and free after deletion', async () => {
    const unit = await create('  K1 ')
    expect(unit.code).toBe('K1')
    const other = await create('K2')
    const params = { id: other.id }
    expect((await admin.call(operations.update, { params, body: { code: 'K1' } })).error.code).toBe('DUPLICATE_CODE') // prettier-ignore
    expect((await admin.call(operations.create, { body: body('   ') })).refusals).toEqual(['code TOO_SHORT'])
    ;(await admin.call(operations.remove, { params: { id: unit.id } })).ok()
    ;(await admin.call(operations.update, { params, body: { code: 'K1' } })).ok()
  })

  test('the same Idempotency-Key creates one', async () => {
    const key = { 'idempotency-key': randomUUID() }
    const first = await admin.call(operations.create, { body: body('I1') }, key)
    const again = await admin.call(operations.create, { body: body('I1') }, key)
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([201, first.body, first.headers.get('etag')]) // prettier-ignore
  })
})

test('the kept total is right after many creations and deletions at the same moment', async () => {
  const before = (await list({})).pagination.total
  const units = await Promise.all(Array.from({ length: 60 }, (_, index) => create(`T${index}`)))
  const answers = await Promise.all(
    units.flatMap(({ id }, index) =>
      index % 2 ? [] : [1, 2].map(() => admin.call(operations.remove, { params: { id } })),
    ),
  )
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(30)
  expect(answers.filter(({ status }) => status === 404)).toHaveLength(30)
  expect((await list({})).pagination.total).toBe(before + 30)
  expect((await list({ search: 'Unit T' })).pagination.total).toBe(30)
  expect(await findings(product, tenant)).toEqual([])
  // Control: a total that is not the number of rows is found.
  await query(product, tenant, "UPDATE masters.entity_total SET total = total + 1 WHERE entity = 'unit_of_measure'") // prettier-ignore
  expect(await findings(product, tenant)).toEqual([
    { check: 'list totals equal the rows', detail: `unit_of_measure: kept ${before + 31}, counted ${before + 30}` }, // prettier-ignore
  ])
  await query(product, tenant, "UPDATE masters.entity_total SET total = total - 1 WHERE entity = 'unit_of_measure'") // prettier-ignore
})

test('every change is in the audit, with old and new values, by whom and in which request', async () => {
  const unit = await create('AU')
  const params = { id: unit.id }
  await admin.call(operations.update, { params, body: { name: 'Renamed' } }, { 'x-request-id': 'the-request' }) // prettier-ignore
  await admin.call(operations.remove, { params })
  const changes = await query<Change>(
    product,
    tenant,
    `SELECT action, new_values ->> 'name' AS name, old_values ->> 'name' AS was, request_id AS request,
       actor_kind AS kind FROM audit.change WHERE entity_id = $1 AND company_id = $2 ORDER BY created_at, id`,
    [unit.id, tenant.companyId],
  )
  expect(changes.map(({ action, name, was, kind }) => [action, name, was, kind])).toEqual([
    ['insert', 'Unit AU', null, 'user'],
    ['update', 'Renamed', 'Unit AU', 'user'],
    ['update', 'Renamed', 'Renamed', 'user'],
  ])
  expect(changes[1]?.request).toBe('the-request')
})

test('who may not, does not', async () => {
  const { client: viewer } = await addUser(product, tenant, 'viewer@books.example', 'Viewer')
  const unit = await create('P1')
  const params = { id: unit.id }
  const answers = [
    await viewer.call(operations.create, { body: body('P2') }),
    await viewer.call(operations.update, { params, body: { name: 'x' } }),
    await viewer.call(operations.remove, { params }),
    await viewer.send('PATCH', `${PATH}/${unit.id}`, { name: 'x' }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403])
  expect((await viewer.call(operations.get, { params })).status).toBe(200)
  expect((await product.anonymous.with({ tenant: tenant.code }).call(operations.list)).status).toBe(401)
})

test.each([
  ['not-an-id', 400],
  [randomUUID(), 404],
])('get %s: %i', async (id, status) => {
  expect((await admin.call(operations.get, { params: { id } })).status).toBe(status)
})
