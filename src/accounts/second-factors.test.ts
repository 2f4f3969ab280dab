/** Guessing codes for days, by somebody who knows the password: of users and of operators. Time is an argument. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { userAccounts } from '../erp/identity/accounts.ts'
import { Problem } from '../kernel/problem.ts'
import { SYSTEM } from '../server/product.ts'
import { platformSql, type PlatformTx, type TenantTx } from '../tenancy/handles.ts'
import { codeOf } from '../testing/authenticator.ts'
import { mailedTo, platformMailedTo } from '../testing/mailed.ts'
import { addOperator } from '../testing/operators.ts'
import { startTestProduct, type TestProduct } from '../testing/product.ts'
import { addUser } from '../testing/users.ts'
import { operatorTables, userTables, type AccountDoor, type AccountTables } from './account.ts'
import { SecondFactors, WRONG_CODES_MAXIMUM } from './second-factors.ts'

type Tx = TenantTx | PlatformTx

interface Side {
  readonly tables: AccountTables
  readonly factors: SecondFactors<Tx>
  readonly door: AccountDoor<Tx>
  add(): Promise<{ id: string; email: string }>
  subjectsTo(email: string): Promise<string[]>
}

const START = Date.parse('2026-11-02T08:00:00Z')
const MINUTE_MS = 60_000

let product: TestProduct
const sides = {} as Record<'users' | 'operators', Side>

beforeAll(async () => {
  product = await startTestProduct()
  const { gate, secrets, mails } = product
  const tenant = await product.createTenant()
  const { location } = (await product.directory.byId(tenant.id))!
  const accounts = userAccounts({ secrets, mails: mails.tenant, sessions: undefined as never, addressOf: async () => '' }) // prettier-ignore
  sides.users = {
    tables: userTables,
    factors: new SecondFactors(accounts) as never,
    door: {
      read: (work) => gate.readTenant(location, null, SYSTEM, work),
      write: (work) => gate.writeTenant(location, null, SYSTEM, work),
    },
    add: () => addUser(product, tenant, 'Viewer'),
    subjectsTo: async (email) => (await mailedTo(product, tenant.id, email)).map(({ subject }) => subject),
  }
  sides.operators = {
    tables: operatorTables,
    factors: product.operators.secondFactors as never,
    door: {
      read: (work) => gate.readPlatform(SYSTEM, work),
      write: (work) => gate.writePlatform(SYSTEM, work),
    },
    add: async () => {
      const { id } = await addOperator(product, 'support', `Op ${randomUUID()}`)
      const row = await gate.readPlatform(SYSTEM, (tx) =>
        tx.row(
          sql<{ email: string }>`SELECT email FROM platform.operator WHERE id = ${id}`.compile(platformSql),
        ),
      )
      return { id, email: row!.email }
    },
    subjectsTo: async (email) => (await platformMailedTo(product, email)).map(({ subject }) => subject),
  }
})
afterAll(() => product.stop())

const GUESSED = 'Somebody knows your password'

describe.each(['users', 'operators'] as const)('of %s', (name) => {
  async function enrolled() {
    const { tables, factors, door, add, subjectsTo } = sides[name]
    const { id, email } = await add()
    const { secret } = await door.write((tx) => factors.begin(tx, id))
    const recoveryCodes = await door.write((tx) =>
      factors.confirm(tx, id, codeOf(secret, 0, START), new Date(START)),
    )
    const at = (minutes: number): number => START + minutes * MINUTE_MS
    /** What becomes of a code given so many minutes later; without one of the right one, or of a wrong one. */
    const give = async (minutes: number, code: string): Promise<string> => {
      try {
        await factors.assertPassed(door, id, code, new Date(at(minutes)))
        return 'in'
      } catch (error) {
        return error instanceof Problem ? error.code : String(error)
      }
    }
    const right = (minutes: number) => give(minutes, codeOf(secret, 0, at(minutes)))
    const wrong = (minutes: number) => {
      const good = new Set([-1, 0, 1].map((steps) => codeOf(secret, steps, at(minutes))))
      return give(
        minutes,
        ['000000', '111111', '222222', '333333'].find((code) => !good.has(code))!,
      )
    }
    const wrongTimes = async (count: number, minutes: number) => {
      for (let n = 0; n < count; n++) expect(await wrong(minutes)).toBe('AUTH_FAILED')
    }
    const counted = async () => {
      const row = await door.read((tx) =>
        tx.row(
          sql<{ count: number }>`SELECT wrong_codes AS count FROM ${sql.table(tables.secondFactor)}
            WHERE ${sql.ref(tables.ownerColumn)} = ${id}`.compile(platformSql),
        ),
      )
      return row!.count
    }
    const told = async () => (await subjectsTo(email)).filter((subject) => subject === GUESSED).length
    return { id, recoveryCodes, give, right, wrong, wrongTimes, counted, told }
  }

  test('after ten wrong ones one an hour is looked at, and their owner is told once', async () => {
    const { recoveryCodes, give, right, wrongTimes, counted, told } = await enrolled()
    await wrongTimes(WRONG_CODES_MAXIMUM, 10)
    expect(await told()).toBe(1)
    // The right one is answered like a wrong one, and nothing is counted: an hour is an hour.
    expect([await right(11), await right(40), await right(69)]).toEqual(['AUTH_FAILED', 'AUTH_FAILED', 'AUTH_FAILED']) // prettier-ignore
    expect(await counted()).toBe(WRONG_CODES_MAXIMUM)
    // A recovery code is good all the time; it says nothing about who guesses.
    expect([await give(12, recoveryCodes[0]!), await give(12, recoveryCodes[0]!)]).toEqual(['in', 'AUTH_FAILED']) // prettier-ignore
    await wrongTimes(1, 71)
    expect(await right(72)).toBe('AUTH_FAILED')
    expect([await right(132), await counted(), await told()]).toEqual(['in', 0, 1])
    // From there on as at the beginning.
    await wrongTimes(WRONG_CODES_MAXIMUM - 1, 140)
    expect(await right(141)).toBe('in')
    await wrongTimes(WRONG_CODES_MAXIMUM, 150)
    expect([await right(151), await told()]).toEqual(['AUTH_FAILED', 2])
  })

  test('also of those given at the same moment no more are looked at', async () => {
    const { wrong, counted, told } = await enrolled()
    const outcomes = await Promise.all(Array.from({ length: 25 }, () => wrong(10)))
    expect(new Set(outcomes)).toEqual(new Set(['AUTH_FAILED']))
    expect([await counted(), await told()]).toEqual([WRONG_CODES_MAXIMUM, 1])
  })

  test('control: after nine the right one is in, and nobody is told; a code given twice is no guess', async () => {
    const { wrongTimes, right, counted, told } = await enrolled()
    await wrongTimes(WRONG_CODES_MAXIMUM - 1, 10)
    expect([await right(11), await counted()]).toEqual(['in', 0])
    for (let n = 0; n < WRONG_CODES_MAXIMUM; n++) expect(await right(11)).toBe('AUTH_FAILED')
    expect([await right(12), await counted(), await told()]).toEqual(['in', 0, 0])
  })
})
