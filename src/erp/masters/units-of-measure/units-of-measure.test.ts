import { afterAll, beforeAll, expect, test } from 'vitest'
import { untypedOperations } from '../../../testing/books.ts'
import type { Client } from '../../../testing/client.ts'
import { startTestProduct, type TestProduct } from '../../../testing/product.ts'
import { unitOfMeasure } from './definition.ts'
import { checkUnit } from './rules/unit.ts'

const operations = untypedOperations(unitOfMeasure)

let product: TestProduct
let admin: Client

beforeAll(async () => {
  product = await startTestProduct()
  admin = (await product.createTenant()).admin
})
afterAll(() => product.stop())

let next = 0
const create = (overrides: object) =>
  admin.call(operations.create, { body: { code: `Q${++next}`, name: 'x', category: 'exact', ...overrides } }) // prettier-ignore
interface Unit {
  id: string
  code: string
  factor: string
  isBase: boolean
}

test.each<[string | number, string]>([
  ['0.45359237', '0.45359237'],
  ['0.000000000001', '0.000000000001'],
  ['9999999999999999.499999999999', '9999999999999999.499999999999'],
  ['1000.000', '1000'],
  ['0.333333333333', '0.333333333333'],
  [0.1, '0.1'],
  [12, '12'],
])('the factor %s is kept exactly', async (factor, expected) => {
  const { id } = (await create({ factor })).ok() as Unit
  expect((await admin.call(operations.get, { params: { id } })).ok()).toMatchObject({ factor: expected })
})

test.each<[unknown, string[]]>([
  ['0', ['factor NOT_POSITIVE']],
  ['-1', ['factor NOT_POSITIVE']],
  ['1e3', ['factor NOT_A_DECIMAL']],
  ['1/3', ['factor NOT_A_DECIMAL']],
  ['0.0000000000001', ['factor OVER_PRECISE']],
  ['12345678901234567', ['factor OVER_PRECISE']],
  [0.1 + 0.2, ['factor NOT_A_DECIMAL']],
  [123456789.12345678, ['factor NOT_A_DECIMAL']],
  [1e-7, ['factor NOT_A_DECIMAL']],
])('the factor %j is refused', async (factor, expected) => {
  expect((await create({ factor })).refusals).toEqual(expected)
})

test('a category has one base unit, which is 1 of itself', async () => {
  expect((await create({ category: 'one', isBase: true, factor: '2' })).refusals).toEqual(['factor BASE_FACTOR']) // prettier-ignore
  const base = (await create({ category: 'one', isBase: true })).ok() as Unit
  expect(base.factor).toBe('1')
  expect((await create({ category: 'one', isBase: true })).refusals).toEqual(['isBase SECOND_BASE'])
  const other = (await create({ category: 'one', factor: '12' })).ok() as Unit
  const update = (id: string, body: object) => admin.call(operations.update, { params: { id }, body })
  expect((await update(other.id, { isBase: true })).refusals).toEqual(['factor BASE_FACTOR', 'isBase SECOND_BASE']) // prettier-ignore
  expect((await update(base.id, { factor: '3' })).refusals).toEqual(['factor BASE_FACTOR'])
  ;(await admin.call(operations.remove, { params: { id: base.id } })).ok()
  ;(await update(other.id, { isBase: true, factor: '1' })).ok()
})

test('a category has one base unit, also when two are made at the same moment', async () => {
  for (let round = 0; round < 5; round++) {
    const category = `race ${round}`
    const answers = await Promise.all([1, 2, 3].map(() => create({ category, isBase: true })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status >= 500)).toHaveLength(0)
    const { unitsOfMeasure } = (await admin.call(operations.list, { query: { category } })).ok() as unknown as { unitsOfMeasure: Unit[] } // prettier-ignore
    expect(unitsOfMeasure).toHaveLength(1)
  }
})

test('every category the tenant starts with has its base unit', async () => {
  const { unitsOfMeasure } = (await admin.call(operations.list, { query: { limit: 200 } })).ok() as unknown as { unitsOfMeasure: (Unit & { category: string })[] } // prettier-ignore
  const categories = new Set(unitsOfMeasure.map(({ category }) => category))
  categories.delete('exact')
  for (const category of categories) {
    expect(unitsOfMeasure.filter((unit) => unit.category === category && unit.isBase)).toHaveLength(1)
  }
})

test.each([
  [{ category: 'x', factor: '1', isBase: true }, undefined, []],
  [{ category: 'x', factor: '1.0', isBase: true }, undefined, []],
  [{ category: 'x', factor: '5', isBase: true }, 'KG', ['factor BASE_FACTOR', 'isBase SECOND_BASE']],
  [{ category: 'x', factor: 'five', isBase: false }, 'KG', ['factor NOT_POSITIVE']],
])('rule: %j beside %s', (unit, other, expected) => {
  expect(checkUnit(unit, other).map(({ field, code }) => `${field} ${code}`)).toEqual(expected)
})
