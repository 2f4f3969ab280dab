/** Signing in takes as long as its password waits to be compared: what changes meanwhile holds. */
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { passwordMatches } from '../../http/password-hashes.ts'
import { implement, type TenantDoor } from '../../http/route.ts'
import { tenantSql } from '../../tenancy/handles.ts'
import { query } from '../../testing/books.ts'
import { Client } from '../../testing/client.ts'
import { ADMIN_PASSWORD, startTestProduct, type TestProduct, type TestTenant } from '../../testing/product.ts'
import { addUser, type TestUser } from '../../testing/users.ts'
import { startWeakServer } from '../../testing/weak-server.ts'
import { changePassword, login, me } from './contract.ts'
import { UserSessions } from './sessions.ts'
import { deleteUser, restoreUser, updateUser } from './users/contract.ts'

/** The queue of passwords to be compared, as it is; but the next one waits until the test lets it go on. */
const held = vi.hoisted(() => ({ next: undefined as undefined | (() => Promise<void>) }))
vi.mock('../../http/password-hashes.ts', async (original) => {
  const hashes = await original<typeof import('../../http/password-hashes.ts')>()
  return {
    ...hashes,
    passwordMatches: async (...given: Parameters<typeof hashes.passwordMatches>) => {
      const hold = held.next
      held.next = undefined
      await hold?.()
      return hashes.passwordMatches(...given)
    },
  }
})

let product: TestProduct
let tenant: TestTenant
let at: Client

beforeAll(async () => {
  product = await startTestProduct()
  tenant = await product.createTenant()
  at = product.anonymous.with({ tenant: tenant.code })
})
afterAll(() => product.stop())

/** Signs in, and does something while the password waits. */
async function signInDuring({ email }: TestUser, work: () => Promise<unknown>, from = at) {
  const [waits, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  held.next = () => {
    waits.resolve()
    return goesOn.promise
  }
  const answer = from.call(login, { body: { email, password: ADMIN_PASSWORD } })
  await waits.promise
  await work()
  goesOn.resolve()
  return answer
}

async function liveSessionsOf({ id }: TestUser): Promise<number> {
  const rows = await query<{ count: number }>(
    product,
    tenant,
    'SELECT count(*)::int AS count FROM core.session WHERE user_id = $1 AND ended_at IS NULL',
    [id],
  )
  return rows[0]!.count
}

const set = async ({ id }: TestUser, status: 'active' | 'inactive') =>
  (await tenant.admin.call(updateUser, { params: { id }, body: { status } })).ok()

/** What an administrator, or its owner, does to an account; and how it may be brought back. */
const changes: Record<string, (user: TestUser) => Promise<unknown>> = {
  'its password is changed': async ({ client }) => {
    const body = { currentPassword: ADMIN_PASSWORD, newPassword: 'Harvest-Moon-47!' }
    ;(await client.call(changePassword, { body })).ok()
  },
  'it is deactivated': (user) => set(user, 'inactive'),
  'it is deleted': async ({ id }) => (await tenant.admin.call(deleteUser, { params: { id } })).ok(),
}

describe('somebody who is signing in while', () => {
  test.each(Object.keys(changes))('%s is not let in, and has no session that could revive', async (name) => {
    const user = await addUser(product, tenant, 'Viewer')
    const answer = await signInDuring(user, () => changes[name]!(user))
    expect([answer.status, answer.error.code]).toEqual([401, 'AUTH_FAILED'])
    if (name === 'it is deleted') (await tenant.admin.call(restoreUser, { params: { id: user.id } })).ok()
    await set(user, 'active')
    expect(await liveSessionsOf(user)).toBe(0)
  })

  test('control: while nothing changes is let in', async () => {
    const user = await addUser(product, tenant, 'Viewer')
    const { token } = (await signInDuring(user, async () => {})).ok()
    expect((await at.with({ token }).call(me)).status).toBe(200)
    expect(await liveSessionsOf(user)).toBe(2)
  })

  test('control: a door that does not ask again gives a session that revives', async () => {
    const sessions = new UserSessions(product.tokens, product.configuration, new Set())
    const careless = implement(login, async (door: TenantDoor, { body }, context) => {
      const user = await door.read((tx) =>
        tx.row(
          sql<{ id: string; hash: string }>`SELECT id, password_hash AS hash FROM core.app_user
            WHERE email = ${body.email} AND is_active`.compile(tenantSql),
        ),
      )
      expect(await passwordMatches(body.password, user?.hash)).toBe(true)
      return door.write(async (tx) => {
        const values = { id: user!.id, isRemembered: false }
        const { sessionId } = await sessions.table.begin(tx, values, context, {
          company_id: tenant.companyId,
          is_single_sign_on: false,
        })
        const data = await sessions.userData(tx, user!.id, sessionId)
        const claims = { userId: user!.id, email: body.email, roleId: '', tenantId: tenant.id, companyId: tenant.companyId, sessionId } // prettier-ignore
        const token = await product.tokens.sign('tenant', claims, context.now)
        return { token, refreshToken: '', expiresIn: 1, user: data }
      })
    })
    const weak = await startWeakServer(product, [careless], {})
    try {
      const user = await addUser(product, tenant, 'Viewer')
      const there = new Client(weak.url, { tenant: tenant.code })
      const { token } = (await signInDuring(user, () => set(user, 'inactive'), there)).ok()
      await set(user, 'active')
      expect((await at.with({ token }).call(me)).status).toBe(200)
    } finally {
      await weak.stop()
    }
  })
})
