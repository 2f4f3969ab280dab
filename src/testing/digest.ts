/**
 * Every row of a tenant but sessions, and what the audit log says of attempts to get in, as one number: whether
 * anything was touched.
 */
import { createHash } from 'node:crypto'
import type { Product } from '../server/product.ts'
import { withClient } from '../tenancy/databases.ts'

export async function digestOf(product: Product, tenantId: string): Promise<string> {
  const entry = await product.directory.byId(tenantId)
  const { database } = await entry!.location.address()
  return withClient({ ...product.server.admin, database }, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'migrations') AND tablename NOT IN ('session', 'seal') ORDER BY 1`,
    )
    const hash = createHash('sha256')
    for (const { name } of tables) {
      const { rows } = await client.query<{ line: string }>(
        `SELECT t::text AS line FROM ${name} t ${name === 'audit.change' ? `WHERE action <> 'refused'` : ''} ORDER BY 1`,
      )
      hash.update(name).update(JSON.stringify(rows.map(({ line }) => line)))
    }
    return hash.digest('hex')
  })
}
