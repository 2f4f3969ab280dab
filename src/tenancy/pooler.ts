/**
 * What a pooler (PgBouncer in transaction mode) needs to let tenants in: their passwords' verifiers, looked up
 * in the database that is asked for (its version 1.18 knows no other place) by a role that can do nothing else.
 */
import type pg from 'pg'
import type { DatabaseAddress } from './pools.ts'
import { scramVerifier } from './secrets.ts'
import { identifier, literal } from './sql-text.ts'

/** Run by the server's administrator, who must be allowed to read verifiers. */
export async function preparePooler(admin: pg.Client, { user, password }: DatabaseAddress): Promise<void> {
  const { rows } = await admin.query<{ may: boolean }>(
    `SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may`,
  )
  if (!rows[0]?.may) {
    throw new Error(
      'DB_POOLER_URL: the administrator of the server must be a superuser, to look passwords up',
    )
  }
  const { rowCount } = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [user])
  if (rowCount === 0) await admin.query(`CREATE ROLE ${identifier(user)} LOGIN`)
  await admin.query(`ALTER ROLE ${identifier(user)} PASSWORD ${literal(scramVerifier(password))}`)
}

/** Only of tenants' roles, and only in their own database. */
export function lookupForPooler(role: string, tenantsGroup: string): string {
  return `
    CREATE SCHEMA IF NOT EXISTS pooler;
    CREATE OR REPLACE FUNCTION pooler.login(name text) RETURNS TABLE (username text, verifier text)
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
        SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = name AND rolcanlogin AND NOT rolsuper
          AND pg_has_role(oid, '${tenantsGroup}', 'MEMBER') AND coalesce(rolvaliduntil > now(), true)
          AND has_database_privilege(oid, current_database(), 'CONNECT')
      $$;
    REVOKE ALL ON FUNCTION pooler.login(text) FROM PUBLIC;
    GRANT USAGE ON SCHEMA pooler TO ${identifier(role)};
    GRANT EXECUTE ON FUNCTION pooler.login(text) TO ${identifier(role)}`
}
