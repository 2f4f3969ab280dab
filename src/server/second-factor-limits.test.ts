/** Guessing the codes of a second factor, by somebody who knows the password or has found an open session. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  login,
  removeSecondFactor,
} from '../erp/identity/contract.ts'
import { codeOf, wrongCodeOf } from '../testing/authenticator.ts'
import type { Client } from '../testing/client.ts'
import { ADMIN_PASSWORD, startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'

const TRIES = 300

let product: TestProduct
let tenant: TestTenant
let at: Client

beforeAll(async () => {
  product = await startTestProduct({ limitsRates: true, anonymousRequestsPerMinute: 100_000 })
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

let addresses = 0
const newAddress = (): string => `198.18.${++addresses >> 8}.${addresses & 255}`

async function enrolled() {
  const user = await addUser(product, tenant, 'Viewer')
  const { secret } = (await user.client.call(beginSecondFactor)).ok()
  ;(await user.client.call(confirmSecondFactor, { body: { code: codeOf(secret, -1) } })).ok()
  const signIn = async (totp: string | undefined, from: string, password = ADMIN_PASSWORD) => {
    const body = { email: user.email, password, ...(totp === undefined ? {} : { totp }) }
    const answer = await at.call(login, { body }, { 'x-forwarded-for': from })
    return answer.status === 200 ? 'in' : answer.error.code
  }
  return { ...user, secret, signIn }
}

test('wrong codes from one address count as wrong passwords do, and together with them', async () => {
  const { secret, signIn } = await enrolled()
  const address = newAddress()
  const outcomes = [await signIn(undefined, address, 'Wrong-pass-1!'), await signIn(undefined, address, 'Wrong-pass-2!')] // prettier-ignore
  for (let n = 0; n < 4; n++) outcomes.push(await signIn(wrongCodeOf(secret), address))
  expect(outcomes).toEqual([...Array.from({ length: 5 }, () => 'AUTH_FAILED'), 'RATE_LIMIT_EXCEEDED'])
  // The right one is of no use there either; its owner signs in from elsewhere.
  expect(await signIn(codeOf(secret), address)).toBe('RATE_LIMIT_EXCEEDED')
  expect(await signIn(codeOf(secret), newAddress())).toBe('in')
})

test('wrong codes and recovery codes from everywhere: at most ten are looked at', async () => {
  const { secret, signIn } = await enrolled()
  const wrong = wrongCodeOf(secret)
  const outcomes = new Map<string, number>()
  for (let n = 0; n < TRIES; n++) {
    const outcome = await signIn(n % 2 === 0 ? wrong : `abcd-efgh-ijkl-${1000 + n}`, newAddress())
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  expect(Object.fromEntries(outcomes)).toEqual({ AUTH_FAILED: 10, RATE_LIMIT_EXCEEDED: TRIES - 10 })
  expect(await signIn(codeOf(secret), newAddress())).toBe('RATE_LIMIT_EXCEEDED')
})

test('control: being asked for the code is no try, nor does it give tries back', async () => {
  const { secret, signIn } = await enrolled()
  const address = newAddress()
  for (let n = 0; n < 12; n++) expect(await signIn(undefined, address)).toBe('TOTP_REQUIRED')
  for (let n = 0; n < 5; n++) {
    expect(await signIn(wrongCodeOf(secret), address)).toBe('AUTH_FAILED')
    if (n < 4) expect(await signIn(undefined, address)).toBe('TOTP_REQUIRED')
  }
  expect(await signIn(undefined, address)).toBe('RATE_LIMIT_EXCEEDED')
})

test('nor by an open session: code and password are tried ten times at most', async () => {
  const { client, secret } = await enrolled()
  const wrong = wrongCodeOf(secret)
  const counts = new Map<number, number>()
  for (let n = 0; n < 40; n++) {
    const body = { password: ADMIN_PASSWORD, code: wrong }
    const headers = { 'x-forwarded-for': newAddress() }
    const { status } = await client.call(removeSecondFactor, { body }, headers)
    counts.set(status, (counts.get(status) ?? 0) + 1)
  }
  expect(Object.fromEntries(counts)).toEqual({ 400: 10, 429: 30 })
  const other = await addUser(product, tenant, 'Viewer')
  const statuses: number[] = []
  for (let n = 0; n < 11; n++) {
    const body = { currentPassword: 'Wrong-pass-1!', newPassword: 'Harvest-Moon-47!' }
    statuses.push((await other.client.call(changePassword, { body })).status)
  }
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 400), 429])
})
