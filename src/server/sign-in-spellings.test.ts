/** An address may be written in many ways; its account is tried as often as one, however it is written. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { login, requestPasswordReset } from '../erp/identity/contract.ts'
import { foldedEmail } from '../kernel/email.ts'
import { query } from '../testing/books.ts'
import type { Client } from '../testing/client.ts'
import { ADMIN_PASSWORD, startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'

/** What looks like it, or is made it by one lower case or another. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  i: ['i', 'I', 'İ', 'ı', 'i\u0307', 'ｉ'],
  k: ['k', 'K', '\u212A', 'ｋ'],
  s: ['s', 'S', 'ſ', 'ｓ'],
  e: ['e', 'E'],
  '@': ['@', '＠'],
}
const ROUND = ['', ' ', '\t', '\u00a0', '\0']

let product: TestProduct
let tenant: TestTenant
let at: Client

beforeAll(async () => {
  product = await startTestProduct({ limitsRates: true, anonymousRequestsPerMinute: 1_000_000 })
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

let accounts = 0
let addresses = 0
const newAddress = (): string => `198.18.${++addresses >> 8}.${addresses & 255}`

/** A user nobody has tried yet. */
async function account(): Promise<string> {
  const { id } = await addUser(product, tenant, 'Viewer')
  const email = `kisik.keeper-${++accounts}@bank.example`
  await query(product, tenant, 'UPDATE core.app_user SET email = $1 WHERE id = $2', [email, id])
  return email
}

/** One letter written otherwise, each in its turn: those that come closest. */
function closestTo(email: string): string[] {
  const letters = Array.from(email)
  return letters.flatMap((letter, index) =>
    (WAYS[letter] ?? []).filter((way) => way !== letter).map((way) => letters.with(index, way).join('')),
  )
}

function spellingsOf(email: string): string[] {
  const letters = Array.from(email, (letter) => fc.constantFrom(...(WAYS[letter] ?? [letter])))
  const any = fc.tuple(fc.constantFrom(...ROUND), ...letters, fc.constantFrom(...ROUND))
  return [
    ...closestTo(email),
    email.toUpperCase(),
    ...ROUND.flatMap((space) => [email + space, space + email]),
    ...fc.sample(any, { numRuns: 20, seed: 3 }).map((parts) => parts.join('')),
  ]
}

const doors: Record<string, (spelling: string, password: string) => Promise<number>> = {
  '/auth/login': async (email, password) =>
    (await at.call(login, { body: { email, password } }, { 'x-forwarded-for': newAddress() })).status,
  '/auth/token': async (email, password) => {
    const answer = await fetch(`${product.url}/api/v1/auth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', username: email, password }),
      headers: { 'x-tenant-id': tenant.code, 'x-forwarded-for': newAddress() },
    })
    return answer.status
  },
}

/** Over the limit; or, where the contract wants an address, none. */
const isRefused = (status: number, door = ''): boolean =>
  status === 429 || (status === 400 && door !== '/auth/token')

/** Also through the contract, which wants a domain in plain letters. */
const reaches = (email: string) => (spelling: string) =>
  foldedEmail(spelling) === email && /^[^@]+@[\x20-\x7e]+$/.test(spelling)

/** Whether one look-up or another finds the account by this text. */
async function finds(lookup: string, text: string): Promise<boolean> {
  if (text.includes('\0')) return false
  const [row] = await query<{ found: boolean }>(
    product,
    tenant,
    `SELECT EXISTS (SELECT FROM core.app_user WHERE lower(email) = ${lookup}) AS found`,
    [text],
  )
  return row?.found ?? false
}

describe.each(Object.keys(doors))('%s', (name) => {
  const ask = doors[name]!

  test('every spelling that reaches the account is refused once its tries are spent', async () => {
    const email = await account()
    // Control: before, what is only written otherwise lets its owner in.
    expect(await ask(email.toUpperCase(), ADMIN_PASSWORD)).toBe(200)
    for (let n = 0; n < 10; n++) expect(await ask(email, 'Wrong-pass-1!')).not.toBe(200)
    const letIn: string[] = []
    let refused = 0
    for (const spelling of spellingsOf(email)) {
      const status = await ask(spelling, ADMIN_PASSWORD)
      if (status === 200) letIn.push(spelling)
      if (status === 429) refused++
      if (await finds('$1', foldedEmail(spelling)))
        expect([spelling, isRefused(status, name)]).toEqual([spelling, true])
    }
    expect(letIn).toEqual([])
    expect(refused).toBeGreaterThan(10)
  }, 120_000)

  test('ten tries in as many spellings are ten tries', async () => {
    const email = await account()
    const reaching = closestTo(email).filter(reaches(email))
    expect(reaching.length).toBeGreaterThanOrEqual(10)
    expect(reaching.some((spelling) => spelling.includes('İ'))).toBe(true)
    for (const spelling of reaching.slice(0, 10)) expect(await ask(spelling, 'Wrong-pass-1!')).not.toBe(429)
    expect(await ask(email, ADMIN_PASSWORD)).toBe(429)
  })
})

test('a link is asked for three times an hour, in whichever spelling', async () => {
  const links = async () =>
    (await query<{ count: number }>(product, tenant, 'SELECT count(*)::int AS count FROM core.password_token'))[0]?.count // prettier-ignore
  const ask = async (spelling: string) =>
    (await at.call(requestPasswordReset, { body: { email: spelling } }, { 'x-forwarded-for': newAddress() }))
      .status
  const email = await account()
  const before = (await links()) ?? 0
  const reaching = closestTo(email).filter(reaches(email))
  for (const spelling of reaching.slice(0, 3)) expect(await ask(spelling)).toBe(200)
  expect(await links()).toBe(before + 3) // each of them reached the account
  for (const spelling of closestTo(email)) {
    const status = await ask(spelling)
    if (foldedEmail(spelling) === email) expect([spelling, isRefused(status)]).toEqual([spelling, true]) // prettier-ignore
  }
  expect(await ask(email)).toBe(429)
  expect(await links()).toBe(before + 3)
}, 60_000)

test('control: as it was, a spelling reached the account and had a count of its own', async () => {
  const email = await account()
  const oldKey = (typed: string): string => typed.trim().toLowerCase()
  const escaped: string[] = []
  for (const spelling of closestTo(email)) {
    if ((await finds('lower($1)', spelling)) && oldKey(spelling) !== email) escaped.push(spelling)
    // As it is: what is found is what is counted by.
    if (await finds('$1', foldedEmail(spelling))) expect(foldedEmail(spelling)).toBe(email)
  }
  expect(escaped).toContain(email.replace('i', 'İ'))
})
