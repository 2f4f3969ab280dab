/**
 * Who seals which audit log, and where the newest seal of each tenant is remembered: in the platform's database,
 * out of the reach of whoever can write in the tenant's. What is remembered must still be there.
 */
import { sql } from 'kysely'
import { AuditChain } from '../../audit/chain.ts'
import { sealNumbered, type ChainPlace, type Seal } from '../../audit/rows.ts'
import type { Verdict } from '../../audit/verdict.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import { platformSql, tenantSql, type Actor, type PlatformTx } from '../../tenancy/handles.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import { openAlert, resolveAlert } from '../alerts/alerts.ts'
import { recordEvent } from '../audit.ts'
import type { Visitor } from '../tenants/visits.ts'
import { AuditKeys } from './keys.ts'

interface ChainPorts {
  readonly gate: Gate
  readonly secrets: Secrets
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

interface Remembered {
  readonly number: number
  readonly digest: Buffer
}

const SEAL_PLATFORM_EVERY_MS = 30_000
/** Whoever was writing when a tenant was to be sealed has mostly ended by then. */
const AGAIN_AFTER_MS = 10_000
const CHAIN_BROKEN = 'audit-chain-broken'
const ACTOR: Actor = { kind: 'system', id: null, requestId: 'audit-chain', address: null }

export class AuditChains implements Visitor {
  readonly name = 'audit'
  readonly #ports: ChainPorts
  readonly #chain: AuditChain
  #timer: NodeJS.Timeout | undefined
  #sealing: Promise<unknown> | undefined
  #toldOf: number | undefined

  constructor(ports: ChainPorts) {
    this.#ports = ports
    this.#chain = new AuditChain(new AuditKeys(ports.gate, ports.secrets))
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#sealing ??= this.sealPlatform()
        .catch((error: unknown) =>
          this.#ports.log('warn', `Sealing the platform's audit log failed: ${String(error)}`),
        )
        .finally(() => (this.#sealing = undefined))
    }, SEAL_PLATFORM_EVERY_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sealing
  }

  async visit(tenant: TenantLocation): Promise<Date | undefined> {
    const isSettled = await this.sealTenant(tenant)
    return isSettled ? undefined : new Date(Date.now() + AGAIN_AFTER_MS)
  }

  /** Whether all that was written by now is sealed. */
  async sealTenant(tenant: TenantLocation): Promise<boolean> {
    const place = this.#placeOf(tenant)
    const remembered = await this.#remembered(tenant.tenantId)
    const cutOff = await whatIsCutOff(place, remembered)
    const { newest, isSettled } = await this.#chain.seal(place)
    // What was cut off stays remembered, whatever grows in its place: until an operator has looked at it.
    if (cutOff !== undefined) await this.#tell(tenant, cutOff)
    else if (newest && newest.number !== remembered?.number) await this.#remember(tenant.tenantId, newest, remembered) // prettier-ignore
    return isSettled
  }

  async sealPlatform(): Promise<void> {
    const { newest } = await this.#chain.seal(this.#platform())
    if (!newest || newest.number === this.#toldOf) return
    // Nothing is above the platform's database: what was shipped elsewhere with the logs is.
    this.#toldOf = newest.number
    this.#ports.log('info', `The platform's audit log is sealed up to batch ${nameOf(newest)}`)
  }

  verifyPlatform(): Promise<Verdict> {
    return this.#chain.verify(this.#platform())
  }

  async verifyTenant(tenant: TenantLocation): Promise<Verdict> {
    const place = this.#placeOf(tenant)
    const verdict = await this.#chain.verify(place)
    const cutOff = await whatIsCutOff(place, await this.#remembered(tenant.tenantId))
    return cutOff === undefined ? verdict : { ...verdict, findings: [...verdict.findings, cutOff] }
  }

  /** An operator knows why the chain ends before what is remembered, e.g. the server was set back to a backup. */
  async acknowledge(tenant: TenantLocation, reason: string, actor: Actor): Promise<void> {
    await this.#ports.gate.writePlatform(actor, async (tx) => {
      await forgetTenantSeal(tx, tenant.tenantId, reason)
      await resolveAlert(tx, { kind: CHAIN_BROKEN, tenantId: tenant.tenantId })
    })
    await this.sealTenant(tenant)
  }

  async #tell({ tenantId, tenantCode }: TenantLocation, cutOff: string): Promise<void> {
    this.#ports.log('error', `The audit log of tenant ${tenantCode}: ${cutOff}`)
    const message = `${cutOff} (erp audit verify, erp audit acknowledge)`
    await this.#ports.gate.writePlatform(ACTOR, (tx) =>
      openAlert(tx, { kind: CHAIN_BROKEN, tenantId, message }),
    )
  }

  #remembered(tenantId: string): Promise<Remembered | undefined> {
    return this.#ports.gate.readPlatform(ACTOR, (tx) => tenantSeal(tx, tenantId))
  }

  /** Only in place of what was there before: another process, or a restore, may have been quicker. */
  async #remember(tenantId: string, { number, digest }: Seal, before: Remembered | undefined): Promise<void> {
    await this.#ports.gate.writePlatform(ACTOR, (tx) =>
      tx.run(
        before
          ? sql`UPDATE platform.tenant_seal SET number = ${number}, digest = ${digest}, updated_at = now()
              WHERE tenant_id = ${tenantId} AND digest = ${before.digest}`.compile(platformSql)
          : sql`INSERT INTO platform.tenant_seal (tenant_id, number, digest)
              SELECT id, ${number}, ${digest} FROM platform.tenant WHERE id = ${tenantId}
              ON CONFLICT (tenant_id) DO NOTHING`.compile(platformSql),
      ),
    )
  }

  #placeOf(tenant: TenantLocation): ChainPlace {
    const { gate } = this.#ports
    return {
      kind: 'tenant',
      read: (work) =>
        gate.readTenant(tenant, null, ACTOR, async (tx) => {
          await tx.rows(sql`SELECT set_config('erp.seals_audit', 'on', true)`.compile(tenantSql))
          return work(tx)
        }),
      write: (work) => gate.writeTenant(tenant, null, ACTOR, work),
    }
  }

  #platform(): ChainPlace {
    const { gate } = this.#ports
    return {
      kind: 'platform',
      read: (work) => gate.readPlatform(ACTOR, work),
      write: (work) => gate.writePlatform(ACTOR, work),
    }
  }
}

export function nameOf({ number, digest }: Remembered): string {
  return `${number} (${digest.toString('hex')})`
}

/** Another database takes the tenant's place, by our own doing; what was remembered of the one before is written down. */
export async function forgetTenantSeal(tx: PlatformTx, tenantId: string, reason: string): Promise<void> {
  const remembered = await tenantSeal(tx, tenantId)
  if (!remembered) return
  await tx.run(platformSql.deleteFrom('platform.tenant_seal').where('tenant_id', '=', tenantId))
  const details = { reason, endedWith: nameOf(remembered) }
  await recordEvent(tx, { action: 'audit chain set back', entity: 'tenant', entityId: tenantId, tenantId, details }) // prettier-ignore
}

async function tenantSeal(tx: Pick<PlatformTx, 'row'>, tenantId: string): Promise<Remembered | undefined> {
  return tx.row(
    sql<Remembered>`SELECT number::float8 AS number, digest FROM platform.tenant_seal
      WHERE tenant_id = ${tenantId}`.compile(platformSql),
  )
}

async function whatIsCutOff(
  place: ChainPlace,
  remembered: Remembered | undefined,
): Promise<string | undefined> {
  if (!remembered) return undefined
  const seal = await sealNumbered(place, remembered.number)
  if (seal?.digest.equals(remembered.digest)) return undefined
  return seal
    ? `batch ${seal.number} is another one than the platform remembers: replaced by another copy`
    : `batch ${remembered.number}, which the platform remembers, is gone: cut off, or replaced by an older copy`
}
