/** Signing in takes its time: what happens meanwhile, and who else signs in at the same moment. */
import { hash } from '@node-rs/bcrypt'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PlatformDoor, RequestContext } from '../../http/route.ts'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { newId } from '../../tenancy/new-id.ts'
import { meeting } from '../../testing/meeting.ts'
import { addOperator, OPERATOR_PASSWORD, type TestOperator } from '../../testing/operators.ts'
import { CHEAP_HASH_COST, startTestProduct, type TestProduct } from '../../testing/product.ts'
import { operatorLogin, operatorMe } from './contract.ts'

const NEW_PASSWORD = 'Autumn-Leaf-1!'
let product: TestProduct
beforeAll(async () => {
  product = await startTestProduct()
})
afterAll(() => product.stop())

const change = (statement: ReturnType<typeof sql>): Promise<number> =>
  product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql)))
const plainDoor = (): PlatformDoor => ({
  read: (work) => product.gate.readPlatform(SYSTEM, work),
  write: (work) => product.gate.writePlatform(SYSTEM, work),
})
const context = (): RequestContext => ({
  actor: SYSTEM,
  principal: undefined,
  now: new Date(),
  userAgent: null,
  ifMatch: undefined,
  newId,
  answer: {},
})

/** `meanwhile`: after the password was compared with what was read, before a session begins. */
function signIn({ email }: TestOperator, meanwhile: () => Promise<unknown>) {
  const { sessions, secondFactors } = product.operators
  const { read, write } = plainDoor()
  const held: PlatformDoor = { read, write: async (work) => (await meanwhile(), write(work)) }
  return sessions.signIn(held, { email, password: OPERATOR_PASSWORD }, secondFactors, context())
}

const liveSessions = async ({ id }: TestOperator): Promise<number> =>
  product.gate.readPlatform(SYSTEM, async (tx) => {
    const row = await tx.row(
      sql<{ count: number }>`SELECT count(*)::int AS count FROM platform.operator_session
        WHERE operator_id = ${id} AND ended_at IS NULL`.compile(platformSql),
    )
    return row?.count ?? 0
  })

describe('a sign-in that is under way', () => {
  const changePassword = ({ id }: TestOperator) =>
    product.operators.passwords.change(plainDoor(), id, {
      currentPassword: OPERATOR_PASSWORD,
      newPassword: NEW_PASSWORD,
    })

  test.each<[string, (operator: TestOperator) => Promise<unknown>]>([
    ['the password is changed', changePassword],
    ['the operator is deactivated', ({ id }) => change(sql`UPDATE platform.operator SET is_active = false WHERE id = ${id}`)], // prettier-ignore
    ['the operator is deleted', ({ id }) => change(sql`UPDATE platform.operator SET deleted_at = now() WHERE id = ${id}`)], // prettier-ignore
  ])('begins no session when meanwhile %s', async (_what, meanwhile) => {
    const operator = await addOperator(product, 'support')
    await expect(signIn(operator, () => meanwhile(operator))).rejects.toMatchObject({ code: 'AUTH_FAILED' })
    expect(await liveSessions(operator)).toBeLessThanOrEqual(1) // the one it was added with
  })

  test('control: begins one when meanwhile something else is changed', async () => {
    const operator = await addOperator(product, 'support')
    const { token } = await signIn(operator, () =>
      change(sql`UPDATE platform.operator SET full_name = 'Another Name' WHERE id = ${operator.id}`),
    )
    expect((await product.anonymous.with({ token }).call(operatorMe)).status).toBe(200)
  })

  test('control: with what was read before, nothing would stop it', async () => {
    const operator = await addOperator(product, 'support')
    await changePassword(operator)
    expect(await liveSessions(operator)).toBe(0)
    const { sessions } = product.operators
    await plainDoor().write((tx) =>
      sessions.table.begin(tx, { id: operator.id, isRemembered: false }, context()),
    )
    expect(await liveSessions(operator)).toBe(1)
  })

  test('a session that began a moment before the change ends with it', async () => {
    const operator = await addOperator(product, 'support')
    const newHash = await hash(NEW_PASSWORD, { cost: CHEAP_HASH_COST })
    await Promise.all([
      signIn(operator, async () => {}).catch(() => undefined),
      product.gate.writePlatform(SYSTEM, async (tx) => {
        await tx.run(
          sql`UPDATE platform.operator SET password_hash = ${newHash} WHERE id = ${operator.id}`.compile(
            platformSql,
          ),
        )
        await product.operators.sessions.table.endAllOf(tx, operator.id, 'password changed')
      }),
    ])
    expect(await liveSessions(operator)).toBe(0)
  })
})

describe('at most three sessions', () => {
  test('also when many sign in at the same moment', async () => {
    const { email } = await addOperator(product, 'billing')
    const body = { email, password: OPERATOR_PASSWORD }
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => product.anonymous.call(operatorLogin, { body })),
    )
    const states = await Promise.all(
      answers.map((answer) => product.anonymous.with({ token: answer.ok().token }).call(operatorMe)),
    )
    expect(states.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(3)
  })

  test('also when two have compared the password and begin together', async () => {
    for (let round = 0; round < 5; round++) {
      const operator = await addOperator(product, 'billing')
      await signIn(operator, async () => {})
      const compared = meeting(2)
      await Promise.all([signIn(operator, compared), signIn(operator, compared)])
      expect(await liveSessions(operator)).toBe(3)
    }
  })

  test('control: without taking turns there would be four', async () => {
    const operator = await addOperator(product, 'billing')
    await signIn(operator, async () => {})
    const begun = meeting(2)
    const begin = () =>
      plainDoor().write(async (tx) => {
        const owner = { id: operator.id, isRemembered: false }
        await product.operators.sessions.table.begin(tx, owner, context())
        await begun() // neither commits before the other has counted
      })
    await Promise.all([begin(), begin()])
    expect(await liveSessions(operator)).toBe(4)
  })
})
