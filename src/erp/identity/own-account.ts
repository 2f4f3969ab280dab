/** What a user does with their own account: password, sessions, second factor. */
import { callerOf, implement, type Route } from '../../http/route.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  endOtherSessions,
  endSession,
  listSessions,
  removeSecondFactor,
  renewRecoveryCodes,
  requestPasswordReset,
  resetPassword,
} from './contract.ts'
import { tellSessionEnd, type IdentityPorts } from './ports.ts'

const END_REASON = 'ended by hand'

export function ownAccountRoutes(ports: IdentityPorts): Route[] {
  const { passwords, secondFactors, sessions } = ports
  return [
    implement(changePassword, async (door, { body }, context) => {
      await passwords.change(door, callerOf(context).id, body)
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(requestPasswordReset, async (door, { body }, { now }) => {
      await passwords.requestReset(door, body.email, now)
      return {}
    }),
    implement(resetPassword, async (door, { body }, context) => {
      await passwords.reset(door, body.token, body.password)
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(listSessions, async (tx, _input, context) => {
      const { id, sessionId } = callerOf(context)
      return { sessions: await sessions.table.list(tx, id, sessionId) }
    }),
    implement(endOtherSessions, async (door, _input, context) => {
      const { id, sessionId } = callerOf(context)
      await door.write((tx) => sessions.table.endOthersOf(tx, id, sessionId, END_REASON))
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
    implement(endSession, async (door, { params }, context) => {
      const { id } = callerOf(context)
      const isEnded = await door.write((tx) => sessions.table.endOneOf(tx, id, params.id, END_REASON))
      if (!isEnded) throw new Problem(problems.notFound, { message: 'There is no such session' })
      await tellSessionEnd(ports, context.tenant.tenantId, params.id)
      return {}
    }),
    implement(beginSecondFactor, (door, _input, context) =>
      door.write((tx) => secondFactors.begin(tx, callerOf(context).id)),
    ),
    implement(confirmSecondFactor, async (door, { body }, context) => {
      const { id } = callerOf(context)
      const recoveryCodes = await door.write((tx) => secondFactors.confirm(tx, id, body.code, context.now))
      // What was closed for want of it opens at once.
      await tellSessionEnd(ports, context.tenant.tenantId)
      return { recoveryCodes }
    }),
    implement(renewRecoveryCodes, async (door, { body }, context) => {
      const { id } = callerOf(context)
      return {
        recoveryCodes: await secondFactors.renewCodes(door, id, body.code, context.now),
      }
    }),
    implement(removeSecondFactor, async (door, { body }, context) => {
      await secondFactors.remove(door, passwords, callerOf(context).id, body, context.now)
      await tellSessionEnd(ports, context.tenant.tenantId)
      return {}
    }),
  ]
}
