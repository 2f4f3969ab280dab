/** What an operator does with their own account: signing in, password, sessions, second factor. */
import { callerOf, implement, type Route } from '../../http/route.ts'
import { Problem, problems } from '../../kernel/problem.ts'
import { tellOperatorSessionEnd, type OperatorPorts } from './accounts.ts'
import {
  operatorBeginSecondFactor,
  operatorChangePassword,
  operatorConfirmSecondFactor,
  operatorEndOtherSessions,
  operatorEndSession,
  operatorListSessions,
  operatorLogin,
  operatorLogout,
  operatorMe,
  operatorRefresh,
  operatorRemoveSecondFactor,
  operatorRenewRecoveryCodes,
  operatorRequestPasswordReset,
  operatorResetPassword,
} from './contract.ts'
import { peopleRoutes } from './people.ts'

const END_REASON = 'ended by hand'

export function operatorRoutes(ports: OperatorPorts): Route[] {
  const { passwords, secondFactors, sessions } = ports
  return [
    implement(operatorLogin, (door, { body }, context) =>
      sessions.signIn(door, body, secondFactors, context),
    ),
    implement(operatorRefresh, (door, { body }, context) =>
      sessions.goOn(door, body.refreshToken, context, (sessionId) =>
        tellOperatorSessionEnd(ports, sessionId),
      ),
    ),
    implement(operatorLogout, async (door, _input, context) => {
      const { sessionId } = callerOf(context)
      await door.write((tx) => sessions.table.end(tx, sessionId, 'signed out'))
      await tellOperatorSessionEnd(ports, sessionId)
      return {}
    }),
    implement(operatorMe, (tx, _input, context) => sessions.operatorData(tx, callerOf(context).id)),
    implement(operatorChangePassword, async (door, { body }, context) => {
      await passwords.change(door, callerOf(context).id, body)
      await tellOperatorSessionEnd(ports)
      return {}
    }),
    implement(operatorRequestPasswordReset, async (door, { body }, { now }) => {
      await passwords.requestReset(door, body.email, now)
      return {}
    }),
    implement(operatorResetPassword, async (door, { body }) => {
      await passwords.reset(door, body.token, body.password)
      await tellOperatorSessionEnd(ports)
      return {}
    }),
    implement(operatorListSessions, async (tx, _input, context) => {
      const { id, sessionId } = callerOf(context)
      return { sessions: await sessions.table.list(tx, id, sessionId) }
    }),
    implement(operatorEndOtherSessions, async (door, _input, context) => {
      const { id, sessionId } = callerOf(context)
      await door.write((tx) => sessions.table.endOthersOf(tx, id, sessionId, END_REASON))
      await tellOperatorSessionEnd(ports)
      return {}
    }),
    implement(operatorEndSession, async (door, { params }, context) => {
      const { id } = callerOf(context)
      const isEnded = await door.write((tx) => sessions.table.endOneOf(tx, id, params.id, END_REASON))
      if (!isEnded) throw new Problem(problems.notFound, { message: 'There is no such session' })
      await tellOperatorSessionEnd(ports, params.id)
      return {}
    }),
    implement(operatorBeginSecondFactor, (door, _input, context) =>
      door.write((tx) => secondFactors.begin(tx, callerOf(context).id)),
    ),
    implement(operatorConfirmSecondFactor, async (door, { body }, context) => {
      const { id } = callerOf(context)
      const recoveryCodes = await door.write((tx) => secondFactors.confirm(tx, id, body.code, context.now))
      // What was closed for want of it opens at once.
      await tellOperatorSessionEnd(ports)
      return { recoveryCodes }
    }),
    implement(operatorRenewRecoveryCodes, async (door, { body }, context) => {
      const { id } = callerOf(context)
      return {
        recoveryCodes: await secondFactors.renewCodes(door, id, body.code, context.now),
      }
    }),
    implement(operatorRemoveSecondFactor, async (door, { body }, context) => {
      await secondFactors.remove(door, passwords, callerOf(context).id, body, context.now)
      await tellOperatorSessionEnd(ports)
      return {}
    }),
    ...peopleRoutes(ports),
  ]
}
