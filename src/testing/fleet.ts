/** Many tenants at once: rows and databases as provisioning leaves them, without company and administrator. */
import { databaseNameOf } from '../platform/tenants/databases.ts'
import { SYSTEM, type Product } from '../server/product.ts'
import { platformSql } from '../tenancy/handles.ts'
import { newId } from '../tenancy/new-id.ts'

export interface FleetMember {
  readonly id: string
  readonly code: string
  readonly database: string
}

const AT_ONCE = 2

export async function makeFleet(
  { gate, databases, server }: Pick<Product, 'gate' | 'databases' | 'server'>,
  codes: readonly string[],
  planCode = 'professional',
): Promise<FleetMember[]> {
  const members = codes.map((code) => ({ id: newId(), code, database: databaseNameOf(code) }))
  await gate.writePlatform(SYSTEM, async (tx) => {
    const plan = await tx.row(
      platformSql.selectFrom('platform.plan').select('id').where('code', '=', planCode),
    )
    const home = await tx.row(
      platformSql.selectFrom('platform.server').select('id').where('host', 'is', null),
    )
    for (const { id, code } of members) {
      await tx.run(
        platformSql.insertInto('platform.tenant').values({
          id,
          tenant_code: code,
          company_name: code,
          subdomain: code.toLowerCase().replaceAll('_', '-'),
          plan_id: plan?.id ?? '',
          status: 'provisioning',
          country: 'US',
          currency: 'USD',
          chart_template: 'generic',
          admin_name: 'Nobody',
          admin_email: 'nobody@example.com',
          server_id: home?.id ?? '',
        }),
      )
    }
  })
  const queue = members.values()
  const work = async (): Promise<void> => {
    for (const { id, code } of queue) {
      await databases.give(id, code)
      await gate.writePlatform(SYSTEM, async (tx) => {
        await databases.settle(tx, id)
        await tx.run(
          platformSql.updateTable('platform.tenant').set({ status: 'active' }).where('id', '=', id),
        )
      })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  for (const { database } of members) {
    if (!(await server.exists(database))) throw new Error(`${database} was not made`)
  }
  return members
}
