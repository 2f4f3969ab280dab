/** Making and renaming databases when another one is quicker. */
import { afterAll, expect, inject, test } from 'vitest'
import { SECRET_KEY } from '../testing/product.ts'
import { addressOf, DatabaseServer } from './databases.ts'
import { Secrets } from './secrets.ts'

const server = new DatabaseServer(addressOf(inject('adminUrl'), false), new Secrets(SECRET_KEY))
const name = (what: string): string => `databases_test_${process.pid}_${what}`

afterAll(async () => {
  for (const database of await server.databaseNames(name(''))) await server.drop(database)
  await server.close()
})

test('two that make one database at once both find it', async () => {
  await server.prepare()
  await Promise.all([server.create(name('once')), server.create(name('once'))])
  expect(await server.databaseNames(name('once'))).toEqual([name('once')])
})

test('renaming to a name that is taken fails, and both stay what they were', async () => {
  await server.create(name('from'))
  await server.create(name('taken'))
  await expect(server.rename(name('from'), name('taken'))).rejects.toMatchObject({ code: '42P04' })
  expect(await server.exists(name('from'))).toBe(true)
  // Control: to a free one it works.
  await server.rename(name('from'), name('free'))
  expect([await server.exists(name('from')), await server.exists(name('free'))]).toEqual([false, true])
})
