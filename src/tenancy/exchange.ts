/**
 * Databases change their names in one transaction: whoever connects meets the one or the other under a name,
 * and waits for no longer than this takes. A process that dies in the middle has changed nothing.
 *
 * PostgreSQL locks each database while it is renamed: new connections wait for the end of the transaction,
 * and the renaming waits a few seconds for those that are there. They are ended meanwhile, over another
 * connection. What they had not committed is rolled back.
 */
import type pg from 'pg'
import type { DatabaseServer } from './databases.ts'
import { identifier } from './sql-text.ts'

export interface NewName {
  readonly from: string
  readonly to: string
}

const END_SESSIONS_EVERY_MS = 100
/** PostgreSQL itself waits five seconds for sessions to go before it gives up. */
const STATEMENT_TIMEOUT_MS = 15_000

/**
 * `beside` runs in the same transaction, e.g. to open and close doors. Renamed in the given order, so that
 * names may be handed on.
 */
export async function exchangeNames(
  server: DatabaseServer,
  names: readonly NewName[],
  beside: (client: pg.Client) => Promise<void>,
): Promise<void> {
  let isOver = false
  const databases = names.map(({ from }) => from)
  const ending = endSessions(server, databases, () => isOver)
  try {
    await server.withAdmin(async (client) => {
      await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
      await client.query('BEGIN')
      try {
        for (const { from, to } of names) {
          await client.query(`ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`)
        }
        await beside(client)
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    })
  } finally {
    isOver = true
    await ending
  }
}

/** Again and again: those who lost theirs open new ones until the renaming holds its lock. */
async function endSessions(
  server: DatabaseServer,
  databases: readonly string[],
  isOver: () => boolean,
): Promise<void> {
  await server.withAdmin(async (client) => {
    while (!isOver()) {
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY ($1)', [
        databases,
      ])
      await new Promise((resolve) => setTimeout(resolve, END_SESSIONS_EVERY_MS))
    }
  })
}
