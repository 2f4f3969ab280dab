/**
 * Whether somebody has an account here cannot be told: neither by what is said nor by how long it takes.
 *
 * Times are taken in turns, each round beginning with another kind, so that whatever else the machine does falls on
 * all alike; compared are low quantiles, since load only ever adds. What differs is measured again: noise goes, what
 * is really told stays. Differences of a few milliseconds are seen where no password is hashed, which alone takes a
 * third of a second; that it is hashed for all alike is measured by itself.
 */
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Passwords } from '../accounts/passwords.ts'
import { userAccounts } from '../erp/identity/accounts.ts'
import { login, requestPasswordReset, resetPassword } from '../erp/identity/contract.ts'
import { passwordMatches } from '../http/password-hashes.ts'
import { implement, type Route } from '../http/route.ts'
import { Problem, problems } from '../kernel/problem.ts'
import { operatorLogin, operatorRequestPasswordReset } from '../platform/operators/contract.ts'
import { SYSTEM } from '../server/product.ts'
import { platformSql } from '../tenancy/handles.ts'
import { query } from '../testing/books.ts'
import { Client, type Answer } from '../testing/client.ts'
import { OPERATOR, startTestProduct, type TestProduct, type TestTenant } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { startWeakServer } from '../testing/weak-server.ts'

const COST = 12 // what the product hashes with: nobody has a cheaper one
const WRONG = 'Wrong-pass-1!'

/** Where it is free, what a sign-in takes beside the hash can be seen. */
const hashing = vi.hoisted(() => ({ isFree: false }))
vi.mock('../http/password-hashes.ts', async (original) => {
  const hashes = await original<typeof import('../http/password-hashes.ts')>()
  return {
    ...hashes,
    passwordMatches: (...given: Parameters<typeof hashes.passwordMatches>) =>
      hashing.isFree ? Promise.resolve(false) : hashes.passwordMatches(...given),
  }
})

let product: TestProduct
let tenant: TestTenant
let at: Client
const users = { unknown: 'nobody@users.example' } as Record<Kind, string>
const operators = { unknown: 'nobody@operators.example' } as Record<string, string>

type Kind = 'known' | 'unknown' | 'inactive' | 'invited' | 'deleted' | 'of an inactive role'

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
  const changes: Record<Exclude<Kind, 'unknown'>, string> = {
    known: 'is_active = true',
    inactive: 'is_active = false',
    invited: 'password_hash = NULL',
    deleted: 'deleted_at = now()',
    'of an inactive role': "role_id = (SELECT id FROM core.role WHERE name = 'Asleep')",
  }
  await query(
    product,
    tenant,
    "INSERT INTO core.role (name, permissions, is_active) VALUES ('Asleep', '{}', false)",
  )
  for (const [kind, change] of Object.entries(changes) as [Kind, string][]) {
    const { id, email } = await addUser(product, tenant, 'Viewer', { cost: COST })
    await query(product, tenant, `UPDATE core.app_user SET ${change} WHERE id = $1`, [id])
    users[kind] = email
  }
  operators['known'] = OPERATOR.email
  operators['inactive'] = 'gone@operators.example'
  const passwordHash = await hash(OPERATOR.password, { cost: COST })
  await product.gate.writePlatform(SYSTEM, async (tx) => {
    await tx.run(sql`UPDATE platform.operator SET password_hash = ${passwordHash}`.compile(platformSql))
    await tx.run(
      sql`INSERT INTO platform.operator (full_name, email, password_hash, role, is_active)
        VALUES ('Gone', 'gone@operators.example', ${passwordHash}, 'support', false)`.compile(platformSql),
    )
  })
})
afterAll(() => product.stop())

/** What a caller can see of an answer, but for what differs from one request to the next anyway. */
function seen(answer: Answer<unknown>): unknown {
  const headers = Object.fromEntries(
    [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name)),
  )
  const { timestamp: _at, requestId: _id, ...error } = { timestamp: '', requestId: '', ...answer.body.error }
  return { status: answer.status, headers, body: { ...answer.body, error } }
}

type Ask = (email: string) => Promise<Answer<unknown>>

interface Comparison {
  readonly rounds: number
  /** What counts as a difference. */
  readonly ms: number
  readonly isWeak?: boolean
  /** Done before each round. */
  readonly prepare?: () => Promise<void>
}

const SERIES = 5
const LOW = 0.1

/**
 * The kinds that can be told from the known one, after as many series as it takes to be sure: that there is none, or,
 * of a door that is known to be weak (`isWeak`), that there is one.
 */
async function toldApart(
  kinds: Readonly<Record<string, string>>,
  ask: Ask,
  { rounds, ms, prepare, isWeak = false }: Comparison,
): Promise<string[]> {
  const times = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, [] as number[]]))
  const inTurn = Object.entries(kinds)
  for (const email of Object.values(kinds)) await ask(email) // plans and caches are warm
  let told: string[] = []
  for (let series = 0; series < SERIES; series++) {
    for (let round = 0; round < rounds; round++) {
      await prepare?.()
      for (const [kind, email] of inTurn) {
        const startedAt = performance.now()
        await ask(email)
        times[kind]!.push(performance.now() - startedAt)
      }
      inTurn.push(inTurn.shift()!)
    }
    told = differing(times, ms)
    if (told.length > 0 === isWeak) break
  }
  return told
}

function differing(times: Readonly<Record<string, readonly number[]>>, ms: number): string[] {
  const low = (kind: string): number => {
    const sorted = times[kind]!.toSorted((a, b) => a - b)
    return sorted[Math.floor((sorted.length - 1) * LOW)]!
  }
  return Object.keys(times)
    .filter((kind) => Math.abs(low(kind) - low('known')) > ms)
    .map((kind) => `${kind}: ${low(kind).toFixed(1)} ms, known: ${low('known').toFixed(1)} ms`)
}

const tryToSignIn: Ask = (email) => at.call(login, { body: { email, password: WRONG } })
const tryAsOperator: Ask = (email) =>
  product.anonymous.call(operatorLogin, { body: { email, password: WRONG } })
const askForReset: Ask = (email) => at.call(requestPasswordReset, { body: { email } })

const askForOperatorReset: Ask = (email) =>
  product.anonymous.call(operatorRequestPasswordReset, { body: { email } })

/** Whoever has enough links on their way is written no mail: each round there are none. */
async function forgetLinks(): Promise<void> {
  await query(product, tenant, 'DELETE FROM core.password_token')
  await product.gate.writePlatform(SYSTEM, (tx) =>
    tx.run(sql`DELETE FROM platform.operator_password_token`.compile(platformSql)),
  )
}

/** Far less than a hash, far more than what goes on beside it. */
const byHash: Comparison = { rounds: 5, ms: 50 }
/** Half of what is promised, so that what is promised cannot be missed. */
const byTheRest: Comparison = { rounds: 30, ms: 2.5 }
/** Writing a mail takes some milliseconds here; on another machine it may take fewer. */
const byWait: Comparison = { rounds: 10, ms: 1.2, prepare: forgetLinks }

async function withFreeHashes<Result>(work: () => Promise<Result>): Promise<Result> {
  hashing.isFree = true
  try {
    return await work()
  } finally {
    hashing.isFree = false
  }
}

describe.each<[string, () => Record<string, string>, Ask]>([
  ['signing in', () => users, tryToSignIn],
  ['signing in as an operator', () => operators, tryAsOperator],
  ['asking for a new password', () => users, askForReset],
  ['asking for a new password as an operator', () => operators, askForOperatorReset],
])('%s', (name, kinds, ask) => {
  test('is answered alike, whoever it is', async () => {
    const [known, ...others] = await Promise.all(
      Object.values(kinds()).map(async (email) => seen(await ask(email))),
    )
    for (const other of others) expect(other).toEqual(known)
  })

  test('takes the same time, whoever it is', { timeout: 240_000 }, async () => {
    if (name.startsWith('asking')) return expect(await toldApart(kinds(), ask, byWait)).toEqual([])
    expect(await toldApart(kinds(), ask, byHash)).toEqual([])
    expect(await withFreeHashes(() => toldApart(kinds(), ask, byTheRest))).toEqual([])
  })
})

test('the right password says no more than a wrong one, where there is no way in', async () => {
  for (const kind of ['inactive', 'deleted', 'of an inactive role'] as const) {
    const email = users[kind]
    const right = await at.call(login, { body: { email, password: 'Str0ng-pass!' } })
    expect([kind, seen(right)]).toEqual([kind, seen(await tryToSignIn(users.unknown))])
  }
})

test('a link that never was, was used or has expired is told alike', async () => {
  const { id } = await addUser(product, tenant, 'Viewer')
  const hashes = ['a', 'b'].map((letter) => `encode(sha256('${letter.repeat(43)}'), 'hex')`)
  await query(
    product,
    tenant,
    `INSERT INTO core.password_token (user_id, token_hash, expires_at, used_at)
    VALUES ('${id}', decode(${hashes[0]}, 'hex'), now() + interval '1 hour', now()),
           ('${id}', decode(${hashes[1]}, 'hex'), now() - interval '1 hour', NULL)`,
  )
  const answers = await Promise.all(
    ['a', 'b', 'c'].map(async (letter) =>
      seen(await at.call(resetPassword, { body: { token: letter.repeat(43), password: 'Another-pass-7!' } })),
    ),
  )
  expect(answers[0]).toMatchObject({ status: 400 })
  for (const answer of answers) expect(answer).toEqual(answers[0])
})

/** Another door instead of the product's. */
async function atDoor(route: Route, work: (there: Client) => Promise<void>): Promise<void> {
  const weak = await startWeakServer(product, [route], {})
  try {
    await work(new Client(weak.url, { tenant: tenant.code }))
  } finally {
    await weak.stop()
  }
}

describe('control: is told apart, a door that', { timeout: 240_000 }, () => {
  const told = [expect.stringMatching(/^unknown: /)]
  const two = () => ({ known: users.known, unknown: users.unknown })

  test('hashes nothing for unknown addresses', async () => {
    const [user] = await query<{ hash: string }>(
      product,
      tenant,
      'SELECT password_hash AS hash FROM core.app_user WHERE email = $1',
      [users.known],
    )
    const hasty = implement(login, async (_door, { body }) => {
      if (body.email === users.known) await passwordMatches(body.password, user!.hash)
      throw new Problem(problems.authenticationFailed)
    })
    await atDoor(hasty, async (there) => {
      const ask: Ask = (email) => there.call(login, { body: { email, password: WRONG } })
      expect(await toldApart(two(), ask, { ...byHash, isWeak: true })).toEqual(told)
    })
  })

  test('does something of five milliseconds for a known address alone', async () => {
    const slow = implement(login, async (_door, { body }) => {
      if (body.email === users.known) await sleep(5)
      throw new Problem(problems.authenticationFailed)
    })
    await atDoor(slow, async (there) => {
      const ask: Ask = (email) => there.call(login, { body: { email, password: WRONG } })
      expect(await toldApart(two(), ask, { ...byTheRest, isWeak: true })).toEqual(told)
    })
  })

  test('answers a request for a new password as soon as it can', async () => {
    const { secrets, mails } = product
    const sessions = undefined as never // none is begun or ended
    const accounts = userAccounts({ secrets, mails: mails.tenant, sessions, addressOf: async () => 'https://a.example' }) // prettier-ignore
    const passwords = new Passwords(accounts, 0)
    const prompt = implement(requestPasswordReset, async (door, { body }, { now }) => {
      await passwords.requestReset(door, body.email, now)
      return {}
    })
    await atDoor(prompt, async (there) => {
      const ask: Ask = (email) => there.call(requestPasswordReset, { body: { email } })
      expect(await toldApart(two(), ask, { ...byWait, rounds: 30, isWeak: true })).toEqual(told)
    })
  })
})
