/**
 * Holding a tenant's writes for a moment, e.g. while the last rows of a move are copied. What holds is the
 * database itself, for every process and pooler whatever it has cached:
 *
 * - each writing transaction takes a lock shared when it opens; whoever holds writes takes it alone. So no
 *   transaction that writes is under way then, and none was broken off
 * - the database is told to open transactions read-only, which stays so when the process that said it dies;
 *   it is true of sessions that begin from then on, so those that began before are ended
 * - a writing transaction asks when it opens whether it may write, and the gate lets it wait where it may not
 *
 * Reading goes on all the while.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { withClient, type DatabaseServer } from './databases.ts'
import { identifier } from './sql-text.ts'

const HOLD_LOCK = 7_241_860_010
/** Less than the time an opening may take (gate.ts): those who queue behind us must not be taken for dead. */
const LOCK_WAIT_MS = 3_000
const LOOK_EVERY_MS = 20
/** By then processes have let go of idle connections by themselves, and short answers were given. */
const GENTLE_MS = 1_000
const FORCE_MS = 5_000
const END_MS = 15_000

/** Expressions of the statement that opens a writing transaction; the second fails where writes are held. */
export const UNLESS_HELD = `pg_advisory_xact_lock_shared(${HOLD_LOCK}), set_config('transaction_read_only', 'off', true)`

/** PostgreSQL's word for a transaction that was opened read-only and can no longer be changed. */
export function isHeld(error: unknown): boolean {
  return (error as { code?: string }).code === '25001'
}

/** The database is not (or no longer) where it was looked for, or is shut for a moment. */
export function isElsewhere(error: unknown): boolean {
  const { code } = error as { code?: string }
  // No such database; it takes no connections; no such role or no way in for it.
  return code === '3D000' || code === '55000' || code === '28000' || code === '42501'
}

/** A transaction that writes would not end: holding was given up and nothing is changed. */
export class WritesGoOn extends Error {}

export interface HeldDatabase {
  readonly server: DatabaseServer
  readonly database: string
  readonly role: string
}

/**
 * `announce`: tells processes to open the tenant's connections anew. May be repeated; when it fails, `letWrite`
 * is called for.
 */
export async function holdWrites(held: HeldDatabase, announce: () => Promise<void>): Promise<void> {
  const { server, database } = held
  await withClient(server.migratorAddress(database), async (client) => {
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS}`)
    try {
      await client.query('SELECT pg_advisory_lock($1)', [HOLD_LOCK])
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error
      throw new WritesGoOn('A transaction that writes did not end in time', { cause: error })
    }
    await server.withAdmin((admin) =>
      admin.query(`ALTER DATABASE ${identifier(database)} SET default_transaction_read_only = on`),
    )
    await endEarlierSessions(held, announce)
  })
}

/** May be repeated. Sessions that began meanwhile may only read; the gate closes them when one is to write. */
export async function letWrite({ server, database }: HeldDatabase): Promise<void> {
  await server.withAdmin((admin) =>
    admin.query(`ALTER DATABASE ${identifier(database)} RESET default_transaction_read_only`),
  )
}

/** Nobody may connect any more but to drop or rename it; whoever tries waits at the gate. May be repeated. */
export async function shutDatabase(held: HeldDatabase, announce: () => Promise<void>): Promise<void> {
  const { server, database } = held
  await server.withAdmin((admin) =>
    admin.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS false`),
  )
  await endEarlierSessions(held, announce)
}

export async function openDatabase({ server, database }: HeldDatabase): Promise<void> {
  await server.withAdmin((admin) =>
    admin.query(`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`),
  )
}

/**
 * Ends the tenant's sessions that began before now: those that wait for our lock have not begun their work;
 * the others by asking the processes that have them, then those that do nothing, then all. A session that is just beginning shows in no list, but has read the database's
 * settings: it is known by the lock on the database's name that it holds until it has begun.
 */
async function endEarlierSessions(held: HeldDatabase, announce: () => Promise<void>): Promise<void> {
  const { server, database, role } = held
  await server.withAdmin(async (admin) => {
    await admin.query(`GRANT ${identifier(role)} TO CURRENT_USER`) // who may end a role's sessions
    const { rows } = await admin.query<{ now: string; beginning: number[] }>(
      `SELECT clock_timestamp()::text AS now, coalesce(array_agg(l.pid), '{}') AS beginning ${BEGINNING}`,
      [database],
    )
    const { now = '', beginning = [] } = rows[0] ?? {}
    await announce()
    const startedAtMs = Date.now()
    for (;;) {
      const waitedMs = Date.now() - startedAtMs
      const which =
        waitedMs < GENTLE_MS ? WAITING : waitedMs < FORCE_MS ? `${WAITING} OR state = 'idle'` : 'true'
      const left = await sessionsLeft(admin, database, role, now, beginning, which)
      if (left === 0) return
      if (waitedMs > END_MS) throw new Error(`${left} session(s) of ${database} do not end`)
      await sleep(LOOK_EVERY_MS)
    }
  })
}

const WAITING = `(wait_event_type, wait_event) = ('Lock', 'advisory')`
const BEGINNING = `FROM pg_locks l JOIN pg_database d ON d.oid = l.objid AND d.datname = $1
  WHERE l.locktype = 'object' AND l.classid = 'pg_database'::regclass`

/** How many there are; those that are to be ended are told so. */
async function sessionsLeft(
  admin: pg.Client,
  database: string,
  role: string,
  before: string,
  beginning: readonly number[],
  whichToEnd: string,
): Promise<number> {
  const { rows } = await admin.query<{ pid: number; isToEnd: boolean }>(
    `SELECT pid, coalesce(${whichToEnd}, false) AS "isToEnd" FROM pg_stat_activity
       WHERE datname = $1 AND usename = $2 AND backend_start < $3::timestamptz
     UNION ALL SELECT l.pid, false ${BEGINNING} AND l.pid = ANY ($4)`,
    [database, role, before, beginning],
  )
  // Not in one statement: the planner may ask this of every session before it looks whose they are.
  const pids = rows.filter(({ isToEnd }) => isToEnd).map(({ pid }) => pid)
  if (pids.length > 0)
    await admin.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid', [pids])
  return rows.length
}
