/** The test of a mail server as it is in production: no way to find out what there is in our network. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MailServer, startOddServer } from '../../../testing/mail-server.ts'
import { signIn, startTestProduct, type TestProduct, type TestTenant } from '../../../testing/product.ts'
import { addUser } from '../../../testing/users.ts'
import { testEmailSettings, updateEmailSettings } from './contract.ts'

const inside = new MailServer()
let product: TestProduct
let tenant: TestTenant

beforeAll(async () => {
  await inside.start()
  product = await startTestProduct({ allowsPrivateMailHosts: false, limitsRates: true })
  tenant = await product.createTenant()
})
afterAll(async () => {
  await product.stop()
  await inside.stop()
})

test('what is there, what is not and what has no name are answered alike, in words and in time', async () => {
  let connections = 0
  const listener = await startOddServer(() => connections++)
  const places = [
    ['127.0.0.1', listener.port], // there
    ['localhost', listener.port], // there, by name
    ['10.255.255.1', 25], // not there
    ['nowhere.invalid', 25], // has no name
  ] as const
  const answers: { words: string; milliseconds: number }[] = []
  for (const [host, port] of places) {
    const { id, client } = await addUser(product, tenant, 'Sales')
    const params = { id }
    ;(await client.call(updateEmailSettings, { params, body: { host, port, security: 'none' } })).ok()
    const startedAt = performance.now()
    const answer = (await client.call(testEmailSettings, { params })).ok()
    answers.push({
      words: `${answer.outcome} ${answer.serverAnswer} ${answer.message.replace(`${host}:${port}`, '')}`,
      milliseconds: performance.now() - startedAt,
    })
  }
  expect(new Set(answers.map(({ words }) => words)).size).toBe(1)
  for (const { milliseconds } of answers) expect(milliseconds).toBeGreaterThan(1_900)
  expect(connections).toBe(0)
  await listener.stop()
})

test('is asked for a few times only', async () => {
  const { id, client } = await addUser(product, tenant, 'Sales')
  const again = await signIn(product.anonymous.with({ tenant: tenant.code }), (await client.send<{ email: string }>('GET', '/api/v1/auth/me')).ok().email) // prettier-ignore
  const params = { id }
  const statuses = []
  for (let tries = 0; tries < 6; tries++) {
    statuses.push((await (tries % 2 ? client : again.client).call(testEmailSettings, { params })).status)
  }
  expect(statuses).toEqual([404, 404, 404, 404, 404, 429])
})
