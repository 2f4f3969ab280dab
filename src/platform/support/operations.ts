import { implement, type Route } from '../../http/route.ts'
import {
  beginSupportSession,
  endSupportSession,
  enterAgain,
  listSupportSessions,
  listTenantSupportSessions,
} from './contract.ts'
import { listSessions, readSession } from './records.ts'
import type { SupportSessions } from './sessions.ts'

export function supportRoutes(support: SupportSessions): Route[] {
  return [
    implement(beginSupportSession, (door, { params, body }, context) =>
      support.begin(door, params.id, body, context),
    ),
    implement(enterAgain, (tx, { params }, context) => support.enterAgain(tx, params.id, context)),
    implement(listTenantSupportSessions, (tx, { params, query }) => listSessions(tx, params.id, query)),
    implement(listSupportSessions, (tx, { query }) => listSessions(tx, undefined, query)),
    implement(endSupportSession, async (door, { params }, { actor }) => {
      const { tenantId } = await door.read((tx) => readSession(tx, params.id))
      await support.end(params.id, tenantId, 'ended by an operator', actor)
      return door.read((tx) => readSession(tx, params.id))
    }),
  ]
}
