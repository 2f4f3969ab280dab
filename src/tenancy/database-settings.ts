/**
 * PostgreSQL's own switches, looked at before anything is entrusted to it: an answer we gave must survive a
 * power cut. Unsafe ones are refused in production and told loudly elsewhere.
 */
import type { DatabaseServer } from './databases.ts'

const VERSION_MINIMUM = 150_000

export async function checkDatabaseServer(
  server: DatabaseServer,
  isProduction: boolean,
  log: (level: 'warn', message: string) => void,
): Promise<void> {
  const rows = await server.withAdmin(async (client) => {
    const result = await client.query<{ name: string; setting: string }>(
      `SELECT name, setting FROM pg_settings WHERE name IN
         ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding', 'server_version_num')`,
    )
    // A role or a database may have been told otherwise than the server.
    const overridden = await client.query<{ name: string; setting: string }>(
      `SELECT split_part(item, '=', 1) AS name, split_part(item, '=', 2) AS setting
       FROM pg_db_role_setting, unnest(setconfig) AS item
       WHERE item ILIKE 'synchronous_commit=%' AND lower(split_part(item, '=', 2)) IN ('off', 'false', '0', 'no')`,
    )
    return [...result.rows, ...overridden.rows]
  })
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
  const problems = unsafeSettings(settings)
  if (problems.length === 0) return
  const message = `The PostgreSQL server is not safe for books: ${problems.join('; ')}`
  if (isProduction || Number(settings['server_version_num']) < VERSION_MINIMUM) throw new Error(message)
  log('warn', message)
}

export function unsafeSettings(settings: Readonly<Record<string, string | undefined>>): string[] {
  const problems: string[] = []
  if (settings['fsync'] !== 'on') problems.push('fsync is off')
  if (settings['full_page_writes'] !== 'on') problems.push('full_page_writes is off')
  if (settings['synchronous_commit'] === 'off') problems.push('synchronous_commit is off')
  if (settings['server_encoding'] !== 'UTF8')
    problems.push(`its encoding is ${settings['server_encoding']}, not UTF8`)
  if (Number(settings['server_version_num']) < VERSION_MINIMUM)
    problems.push('it is older than PostgreSQL 15')
  return problems
}
