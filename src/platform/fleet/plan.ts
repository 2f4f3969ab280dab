/** Who is where, and who goes when. */
import { sql } from 'kysely'
import type { Static } from 'typebox'
import { validationProblem } from '../../kernel/problem.ts'
import { platformSql, type PlatformRead } from '../../tenancy/handles.ts'
import { migrationsOf, newestVersion } from '../../tenancy/migrations.ts'
import type { FleetPlan } from './contract.ts'
import { planWaves, unknownCodes, type FleetTenant, type Wave, type WaveWish } from './rules/waves.ts'

/** Those that have a database; one that is being made is brought up to date by its provisioning. */
export const MIGRATED_STATUSES = ['active', 'read_only', 'suspended', 'cancelled'] as const
const CODES_SHOWN = 100

export interface PlannedTenant extends FleetTenant {
  readonly version: string | null
  readonly serverId: string
  readonly serverName: string
}

export interface Planned {
  readonly plan: Static<typeof FleetPlan>
  readonly waves: readonly Wave<PlannedTenant>[]
}

export async function planFleet(tx: PlatformRead, wishes: readonly WaveWish[] | undefined): Promise<Planned> {
  const [tenants, plans] = await Promise.all([fleet(tx), planCodes(tx)])
  if (wishes) refuseUnknown(wishes, tenants, plans)
  const target = newestVersion('tenant')
  const behind = tenants.filter(({ version }) => isBehind(version, target))
  const waves = planWaves(behind, wishes)
  const versions = Map.groupBy(tenants, ({ version }) => version)
  const counted = <Key>(key: (tenant: PlannedTenant) => Key) =>
    [...Map.groupBy(tenants, key)].map(([value, inside]) => ({
      value,
      tenants: inside.length,
      behind: inside.filter(({ version }) => isBehind(version, target)).length,
    }))
  const plan = {
    targetVersion: target,
    tenants: tenants.length,
    current: versions.get(target)?.length ?? 0,
    behind: behind.length,
    ahead: tenants.filter(({ version }) => version !== null && version > target).length,
    pendingMigrations: pendingFrom(oldest(behind)),
    versions: [...versions].map(([version, inside]) => ({
      version,
      tenants: inside.length,
      pendingMigrations: pendingFrom(version),
    })),
    servers: counted(({ serverId }) => serverId).map(({ value, ...counts }) => {
      const name = tenants.find(({ serverId }) => serverId === value)?.serverName ?? ''
      return { id: value, name, ...counts }
    }),
    plans: counted(({ planCode }) => planCode).map(({ value, ...counts }) => ({
      planCode: value,
      ...counts,
    })),
    waves: waves.map(({ number, name, tenants: members }) => ({
      number,
      name,
      tenants: members.length,
      tenantCodes: members.slice(0, CODES_SHOWN).map(({ code }) => code),
    })),
  }
  return { plan, waves }
}

/** For a metric: without reading the fleet. */
export async function countBehind(tx: PlatformRead): Promise<number> {
  const row = await tx.row(
    sql<{ behind: number }>`SELECT count(*)::int AS behind FROM platform.tenant
      WHERE status = ANY (${[...MIGRATED_STATUSES]}) AND database_name IS NOT NULL
        AND (schema_version IS NULL OR schema_version < ${newestVersion('tenant')})`.compile(platformSql),
  )
  return row?.behind ?? 0
}

export function isBehind(version: string | null, target: string): boolean {
  return version === null || version < target
}

function fleet(tx: PlatformRead): Promise<PlannedTenant[]> {
  return tx.rows(
    sql<PlannedTenant>`SELECT t.id, t.tenant_code AS code, p.code AS "planCode", t.is_canary AS "isCanary",
        dense_rank() OVER (ORDER BY p.monthly_price, p.code)::int AS "planRank", t.schema_version AS version,
        s.id AS "serverId", s.name AS "serverName"
      FROM platform.tenant t JOIN platform.plan p ON p.id = t.plan_id JOIN platform.server s ON s.id = t.server_id
      WHERE t.status = ANY (${[...MIGRATED_STATUSES]}) AND t.database_name IS NOT NULL
      ORDER BY t.created_at, t.id`.compile(platformSql),
  )
}

async function planCodes(tx: PlatformRead): Promise<string[]> {
  const plans = await tx.rows(platformSql.selectFrom('platform.plan').select('code'))
  return plans.map(({ code }) => code)
}

function refuseUnknown(
  wishes: readonly WaveWish[],
  tenants: readonly PlannedTenant[],
  plans: readonly string[],
): void {
  const unknown = unknownCodes(wishes, tenants.map(({ code }) => code), plans) // prettier-ignore
  if (unknown.length === 0) return
  throw validationProblem(
    unknown.map(({ field, code }) => ({ field, code: 'UNKNOWN_CODE', message: `There is no ${code}` })),
  )
}

function pendingFrom(version: string | null | undefined): string[] {
  if (version === undefined) return []
  return migrationsOf('tenant')
    .map(({ name }) => name)
    .filter((name) => version === null || name > version)
}

function oldest(tenants: readonly PlannedTenant[]): string | null | undefined {
  if (tenants.length === 0) return undefined
  return tenants.map(({ version }) => version).reduce((a, b) => (a === null || (b !== null && a < b) ? a : b))
}
