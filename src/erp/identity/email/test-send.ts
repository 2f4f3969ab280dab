/**
 * A test of a user's mail server, while they wait for it. The server is an address that a user chose, so the
 * answer must not tell what there is in our network: whatever cannot be reached is one and the same to them, in
 * words and in time (docs/adr/0029).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sendAs } from '../../../mail/sender.ts'
import { languageOfCountry, render } from '../../../mail/templates.ts'
import { MailRefused } from '../../../mail/transport.ts'
import { callerOf, implement, type Route, type TenantContext } from '../../../http/route.ts'
import type { DataOf } from '../../../http/contract.ts'
import { Problem, problems } from '../../../kernel/problem.ts'
import type { TenantTx } from '../../../tenancy/handles.ts'
import { readHouse } from '../house.ts'
import { type IdentityPorts } from '../ports.ts'
import type { UserData } from '../users/contract.ts'
import { assertOwnOrMayChange, readUser } from '../users/records.ts'
import { testEmailSettings } from './contract.ts'
import { openPassword, ownSender } from './sender.ts'
import { readSettings, type SettingsRow } from './settings.ts'

const TIMEOUT_MS = 10_000
/** What cannot be reached is answered no sooner: a name that is not found takes as long as one that is not allowed. */
const UNREACHABLE_ANSWER_MS = 2_000
const AT_ONCE_MAXIMUM = 20

interface Prepared {
  readonly author: UserData
  readonly settings: SettingsRow
  readonly caller: UserData
  readonly country: string
}

export function testRoutes(ports: IdentityPorts): Route[] {
  let underWay = 0
  return [
    implement(testEmailSettings, async (door, { params }, context) => {
      const test = await door.write((tx) => prepare(tx, params.id, context))
      // Who is refused takes no place, and no connection is held while a mail server takes its time.
      if (underWay >= AT_ONCE_MAXIMUM) throw new Problem(problems.unavailable)
      underWay++
      try {
        return await tried(ports, test, context)
      } finally {
        underWay--
      }
    }),
  ]
}

async function prepare(tx: TenantTx, userId: string, context: TenantContext): Promise<Prepared> {
  await assertOwnOrMayChange(tx, userId, context)
  const [author, settings, caller, { country }] = await Promise.all([
    readUser(tx, userId),
    readSettings(tx, userId),
    readUser(tx, callerOf(context).id),
    readHouse(tx, null),
  ])
  if (!settings)
    throw new Problem(problems.notFound, { message: 'This user has no mail server of their own' })
  return { author, settings, caller, country }
}

async function tried(
  { sending, secrets }: IdentityPorts,
  { author, settings, caller, country }: Prepared,
  context: TenantContext,
): Promise<DataOf<typeof testEmailSettings>> {
  const unreachableAnswer = sleep(UNREACHABLE_ANSWER_MS)
  const { email: recipient, fullName } = caller
  const mail = {
    messageId: `<${context.newId()}@${sending.domain}>`,
    to: recipient,
    content: render('test', languageOfCountry(country), { fullName }),
  }
  try {
    const sender = ownSender(author, settings, openPassword(secrets, author.id, settings))
    await sendAs(sender, mail, { ...sending.rules, timeoutMs: TIMEOUT_MS })
    const message = `The mail server took a test for ${recipient}`
    return { outcome: 'sent', message, recipient, serverAnswer: null }
  } catch (error) {
    if (!(error instanceof MailRefused)) throw error
    const { kind, message, serverAnswer } = error
    if (kind === 'unreachable') await unreachableAnswer
    return { outcome: kind, message, recipient, serverAnswer }
  }
}
