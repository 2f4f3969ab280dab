/**
 * Where two must agree, one stolen session of an owner is one. Each way in which it could be made two is tried, as far
 * as the thief comes; without DUAL_APPROVAL, where nothing waits, each leads there.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/product.ts'
import { platformSql } from '../../tenancy/handles.ts'
import { codeOf } from '../../testing/authenticator.ts'
import { Client } from '../../testing/client.ts'
import { platformMailedTo } from '../../testing/mailed.ts'
import { addOperator, OPERATOR_PASSWORD, type TestOperator } from '../../testing/operators.ts'
import { runErp, startProcess, type ServerProcess } from '../../testing/process.ts'
import { startTestProduct, testEnvironment, type TestProduct } from '../../testing/product.ts'
import { approve, listApprovals } from '../approvals/contract.ts'
import { getBackupRetention } from '../backups/contract.ts'
import { getMail, listMails } from '../mails/contract.ts'
import { listPlans } from '../plans/contract.ts'
import {
  createOperator,
  deleteOperator,
  inviteOperator,
  operatorBeginSecondFactor,
  operatorConfirmSecondFactor,
  operatorLogin,
  operatorMe,
  operatorRequestPasswordReset,
  operatorResetPassword,
  resetOperatorSecondFactor,
  updateOperator,
} from './contract.ts'
import { decidingRoles } from './rules/permissions.ts'

const PASSWORD = 'Harvest-Moon-47!'
const NOWHERE = '00000000-0000-7000-8000-000000000001'
let environment: Record<string, string>
let product: TestProduct
/** The same platform, with DUAL_APPROVAL off. */
let open: ServerProcess
let planId: string

beforeAll(async () => {
  environment = testEnvironment({ DUAL_APPROVAL: 'true' })
  product = await startTestProduct({}, { onlyAsked: true }, environment)
  open = await startProcess({ ...environment, DUAL_APPROVAL: 'false' })
  planId = (await product.operator.call(listPlans)).ok().plans[0]!.id
}, 120_000)
afterAll(async () => {
  await open?.stop()
  await product?.stop()
})

const change = (statement: ReturnType<typeof sql>): Promise<number> =>
  product.gate.writePlatform(SYSTEM, (tx) => tx.run(statement.compile(platformSql)))
const newEmail = (): string => `${randomBytes(4).toString('hex')}@operators.example`

/** With a stolen session, and an inbox of their own. */
interface Thief extends TestOperator {
  readonly anonymous: Client
}

async function withSecondFactor(operator: TestOperator): Promise<TestOperator> {
  const { secret } = (await operator.client.call(operatorBeginSecondFactor)).ok()
  ;(await operator.client.call(operatorConfirmSecondFactor, { body: { code: codeOf(secret) } })).ok()
  return operator
}

/** Of the newest mail to an address. */
const linkTo = async (email: string): Promise<string | undefined> =>
  (await platformMailedTo(product, email))[0]?.token

/** A session by a link, if it is one. */
async function enterBy(
  { anonymous }: Thief,
  email: string,
  token: string | undefined,
): Promise<Client | undefined> {
  const set = { token: token ?? 'x'.repeat(43), password: PASSWORD }
  await anonymous.call(operatorResetPassword, { body: set })
  return enter(anonymous, email, PASSWORD)
}

async function enter(anonymous: Client, email: string, password: string): Promise<Client | undefined> {
  const answer = await anonymous.call(operatorLogin, { body: { email, password } })
  return answer.status === 200 ? anonymous.with({ token: answer.ok().token }) : undefined
}

async function askForReset({ anonymous }: Thief, email: string): Promise<void> {
  ;(await anonymous.call(operatorRequestPasswordReset, { body: { email } })).ok()
}

/** Somebody of their own among the operators; its id is what the answer or the list tells. */
async function puppet(thief: Thief, role: 'owner' | 'billing' | 'support' | 'read-only') {
  const email = newEmail()
  const made = await thief.client.call(createOperator, { body: { fullName: 'A Puppet', email, role } })
  return { email, id: made.status === 201 ? made.ok().id : NOWHERE }
}

/** What a mail says that the operator portal shows. */
async function linkOnMailsPage({ client }: Thief, email: string): Promise<string | undefined> {
  const [mail] = (await client.call(listMails, { query: { search: email } })).ok().mails
  const shown = (await client.call(getMail, { params: { id: mail!.id } })).ok()
  return /token=(?<token>[\w-]+)/.exec(shown.content?.text ?? '')?.groups?.['token']
}

/** The session of somebody else that it ends with, if it does. */
type Way = (thief: Thief) => Promise<Client | undefined>

const ways: [string, Way][] = [
  [
    "another owner's e-mail address, second factor and password, one after the other",
    async (thief) => {
      const { id, email: known } = await withSecondFactor(await addOperator(product, 'owner'))
      const email = newEmail()
      await thief.client.call(updateOperator, { params: { id }, body: { email } })
      await thief.client.call(resetOperatorSecondFactor, { params: { id } })
      await askForReset(thief, email)
      return (await enterBy(thief, email, await linkTo(email))) ?? enter(thief.anonymous, known, PASSWORD)
    },
  ],
  [
    'an address that only looks like a change of the name',
    async (thief) => {
      const { id } = await addOperator(product, 'owner')
      const email = newEmail()
      const body = { fullName: 'Harmless', email, status: 'active' as const }
      await thief.client.send('PATCH', `/api/v1/platform/operators/${id}`, body)
      await askForReset(thief, email)
      return enterBy(thief, email, await linkTo(email))
    },
  ],
  [
    'the second factor of somebody whose password is known',
    async (thief) => {
      const { id, email } = await withSecondFactor(await addOperator(product, 'support'))
      await thief.client.call(resetOperatorSecondFactor, { params: { id } })
      return enter(thief.anonymous, email, OPERATOR_PASSWORD)
    },
  ],
  ...decidingRoles.map((role): [string, Way] => [
    `a new operator of the role ${role}`,
    async (thief) => {
      const { email } = await puppet(thief, role)
      return enterBy(thief, email, await linkTo(email))
    },
  ]),
  ...decidingRoles.map((role): [string, Way] => [
    `a new operator who may only read, raised to ${role}`,
    async (thief) => {
      const { id, email } = await puppet(thief, 'read-only')
      await thief.client.call(updateOperator, { params: { id }, body: { role } })
      return enterBy(thief, email, await linkTo(email))
    },
  ]),
  [
    'the return of somebody who was deactivated',
    async (thief) => {
      const { id, email } = await addOperator(product, 'owner')
      await change(sql`UPDATE platform.operator SET is_active = false WHERE id = ${id}`)
      await thief.client.call(updateOperator, { params: { id }, body: { status: 'active' } })
      return enter(thief.anonymous, email, OPERATOR_PASSWORD)
    },
  ],
  [
    'somebody who was invited and has not come: another address, and the invitation again',
    async (thief) => {
      const { id } = await addOperator(product, 'owner')
      await change(sql`UPDATE platform.operator SET password_hash = NULL WHERE id = ${id}`)
      const email = newEmail()
      await thief.client.call(updateOperator, { params: { id }, body: { email } })
      await thief.client.call(inviteOperator, { params: { id } })
      return enterBy(thief, email, await linkTo(email))
    },
  ],
  [
    'an invitation sent again to an inbox that was found open',
    async (thief) => {
      const { id, email } = await addOperator(product, 'support')
      await change(sql`UPDATE platform.operator SET password_hash = NULL WHERE id = ${id}`)
      await thief.client.call(inviteOperator, { params: { id } })
      return enterBy(thief, email, await linkTo(email))
    },
  ],
  [
    "another owner's link to set a password, read where mails are shown",
    async (thief) => {
      const { email } = await addOperator(product, 'owner')
      await askForReset(thief, email)
      return enterBy(thief, email, await linkOnMailsPage(thief, email))
    },
  ],
  [
    'one who is deleted, and invited anew under the same address',
    async (thief) => {
      const { id, email } = await addOperator(product, 'support')
      await thief.client.call(deleteOperator, { params: { id } })
      await thief.client.call(createOperator, { body: { fullName: 'The Same', email, role: 'support' } })
      return enterBy(thief, email, await linkTo(email))
    },
  ],
]

/** A request of the thief's that waits. */
async function ask({ client }: Thief): Promise<string> {
  const before = (await client.call(getBackupRetention, { params: { id: planId } })).ok()
  const path = `/api/v1/platform/plans/${planId}/backup-retention`
  const days = 30 + (randomBytes(2).readUInt16BE() % 300)
  const asked = await client.send<{ approval: { id: string } }>('PUT', path, { ...before, days })
  expect(asked.status).toBe(202)
  return asked.ok().approval.id
}

const decide = (client: Client, id: string) =>
  client.call(approve, { params: { id }, body: { reason: 'as agreed by phone' } })

async function thiefAt(url: string): Promise<Thief> {
  const robbed = await addOperator(product, 'owner')
  const anonymous = new Client(url)
  return { ...robbed, anonymous, client: anonymous.with({ token: robbed.client.options.token ?? '' }) }
}

describe('one stolen session of an owner does not become two approvers by', () => {
  test.each(ways)('%s', async (_name, way) => {
    const thief = await thiefAt(product.url)
    const second = await way(thief)
    // Whoever may only read has been let in, and approves nothing.
    const permissions = second ? (await second.call(operatorMe)).ok().permissions : []
    expect(permissions).not.toContain('approvals:decide')
    const id = await ask(thief)
    for (const client of [thief.client, ...(second ? [second] : [])])
      expect((await decide(client, id)).error.code).toMatch(/^(OWN_REQUEST|PERMISSION_DENIED)$/)
  })

  test('another address of their own: they stay who they are', async () => {
    const thief = await thiefAt(product.url)
    const email = newEmail()
    const { status } = await thief.client.call(updateOperator, { params: { id: thief.id }, body: { email } })
    expect(status).toBe(202)
    await change(sql`UPDATE platform.operator SET email = ${email} WHERE id = ${thief.id}`)
    await askForReset(thief, email)
    const id = await ask(thief)
    const again = await enterBy(thief, email, await linkTo(email))
    expect((await again!.call(operatorMe)).ok().permissions).toContain('approvals:decide')
    expect((await decide(again!, id)).error.code).toBe('OWN_REQUEST')
    const other = await addOperator(product, 'owner') // control
    expect((await decide(other.client, id)).ok().state).toBe('executed')
  })
})

describe('control: with DUAL_APPROVAL off it becomes two by', () => {
  test.each(ways)('%s', async (_name, way) => {
    const thief = await thiefAt(open.url)
    const second = await way(thief)
    const { id, permissions } = (await second!.call(operatorMe)).ok()
    expect(permissions).toContain('approvals:decide')
    expect(id).not.toBe(thief.id)
  })
})

describe('what makes nobody an approver does not wait', () => {
  test('another name, an operator who may only read, and shutting somebody out', async () => {
    const { client } = await thiefAt(product.url)
    const { id } = await addOperator(product, 'owner')
    const params = { id }
    const renamed = await client.call(updateOperator, { params, body: { fullName: 'Another Name' } })
    expect(renamed.ok().fullName).toBe('Another Name')
    const body = { fullName: 'A Reader', email: newEmail(), role: 'read-only' as const }
    expect((await client.call(createOperator, { body })).status).toBe(201)
    expect((await client.call(updateOperator, { params, body: { status: 'inactive' } })).status).toBe(200)
    expect((await client.call(deleteOperator, { params })).status).toBe(200)
  })
})

describe('an owner who is alone', { timeout: 120_000 }, () => {
  test('gets a second one by the command line, and approves it themselves', async () => {
    const { client } = await thiefAt(product.url)
    const email = newEmail()
    const options = ['--name', 'Sam Second', '--email', email, '--role', 'owner']
    const told = await runErp(['operators', 'create', ...options], environment, 60_000)
    expect([told.code, told.stderr]).toEqual([3, expect.stringContaining('waits for an operator')])
    const { approvals } = (await client.call(listApprovals, { query: { status: 'pending' } })).ok()
    const { id } = approvals.find(({ input }) => input.includes(email))!
    expect((await decide(client, id)).ok()).toMatchObject({ state: 'executed', requestedBy: null })
    const invitation = await linkTo(email)
    const body = { token: invitation ?? '', password: PASSWORD }
    expect((await product.anonymous.call(operatorResetPassword, { body })).status).toBe(200)
  })

  test('who has lost everything gets back in at once', async () => {
    const { email } = await withSecondFactor(await addOperator(product, 'owner'))
    const factor = await runErp(['operators', 'reset-second-factor', email], environment, 60_000)
    expect([factor.code, factor.stderr]).toEqual([0, expect.any(String)])
    expect(await enter(product.anonymous, email, OPERATOR_PASSWORD)).toBeDefined()
  })
})
