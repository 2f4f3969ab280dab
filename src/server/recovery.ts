/**
 * Bringing back, taking away and taking along: restores, drills, exports, archives and deletions, put together.
 * Made before the workflows start, which recover only what is registered.
 */
import type { Metrics } from '../http/metrics.ts'
import type { StepWatch } from '../jobs/steps.ts'
import type { Backups } from '../platform/backups/backups.ts'
import { Closing } from '../platform/closing/closing.ts'
import type { ClosingRoutesPorts } from '../platform/closing/operations.ts'
import { Exporting } from '../platform/exports/exporting.ts'
import type { ExportPorts } from '../platform/exports/operations.ts'
import { Drills } from '../platform/restores/drills.ts'
import type { RestorePorts } from '../platform/restores/operations.ts'
import { ArchivedBackups } from '../platform/restores/backup-source.ts'
import { Restoring } from '../platform/restores/restoring.ts'
import type { DatabaseServers } from '../platform/servers/registry.ts'
import type { Storages } from '../platform/storage/storages.ts'
import type { Gate, TenantLocation } from '../tenancy/gate.ts'
import type { Secrets } from '../tenancy/secrets.ts'
import type { Configuration } from './configuration.ts'

export interface RecoveryParts {
  readonly configuration: Configuration
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly backups: Backups
  readonly storages: Storages
  readonly locate: (tenantId: string) => Promise<TenantLocation | undefined>
  readonly endSessions: (tenantId: string, reason: string) => Promise<void>
  readonly metrics: Metrics
  readonly productVersion: string
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  readonly atStep: StepWatch | undefined
}

export interface Recovery {
  readonly restores: RestorePorts
  readonly exports: ExportPorts
  readonly closing: ClosingRoutesPorts
  /** What died halfway goes on, what is due begins, what has expired is dropped. May run in several processes. */
  lookAfter(): Promise<void>
}

export function assembleRecovery(parts: RecoveryParts): Recovery {
  const { configuration, gate, secrets, log, metrics } = parts
  const backups = new ArchivedBackups(gate, parts.servers, parts.backups)
  const restoring = new Restoring({ ...parts, backups, keptDays: configuration.restoreKeptDays })
  const drills = new Drills({ gate, secrets, restoring, everyDays: configuration.drillEveryDays })
  const exporting = new Exporting({ ...parts, keepDays: configuration.exportKeptDays })
  const { archiveRetentionDays, trialArchiveAfterDays } = configuration
  const closing = new Closing({
    ...parts,
    backups,
    restoring,
    removeExports: (tenantId) => exporting.removeAll(tenantId),
    archiveRetentionDays,
    trialArchiveAfterDays,
  })
  metrics.gauge('erp_restore_oldest_proof_seconds', 'Age of the oldest proof among tenants that a backup of theirs can be restored', () => drills.oldestProofSeconds()) // prettier-ignore
  const chores: readonly (readonly [string, () => Promise<void>])[] = [
    ['Restores that were not begun', () => restoring.startForgotten()],
    ['Exports', () => exporting.lookAfter()],
    ['Restores past their time', () => restoring.dropExpired()],
    ['Restore drills', () => drills.startDue()],
    ['Trials past their time', () => closing.archiveOldTrials()],
  ]
  return {
    restores: { restoring, drills, secrets },
    exports: { exporting, gate },
    closing: { closing, secrets, archiveRetentionDays },
    lookAfter: async () => {
      for (const [name, chore] of chores) {
        await chore().catch((error: unknown) => log('error', `${name}: ${String(error)}`))
      }
    },
  }
}
