/** What restoring needs from those around it; handed to every one of its steps. */
import type { StepWatch } from '../../jobs/steps.ts'
import type { DatabaseServer } from '../../tenancy/databases.ts'
import type { Gate, TenantLocation } from '../../tenancy/gate.ts'
import type { Secrets } from '../../tenancy/secrets.ts'
import type { DatabaseServers } from '../servers/registry.ts'
import type { RestoreRecords } from './records.ts'

export interface ArchivedFigures {
  readonly tables: number
  readonly rows: number
}

/** What restoring asks of the backups. */
export interface BackupSource {
  /** Writes down one that is to be taken; its id. */
  plan(tenantId: string, reason: 'restore' | 'archive'): Promise<string>
  /** Takes it and waits for it; called by workflows, outside of their steps. */
  finish(backupId: string): Promise<void>
  /** The schema version its rows are of. */
  schemaVersionOf(backupId: string): Promise<string>
  /** Into a database of that version; compared table by table with what was backed up. */
  load(backupId: string, server: DatabaseServer, database: string): Promise<ArchivedFigures>
  /** It was restored and compared, and its books hold. */
  proven(backupId: string): Promise<void>
}

export interface RestoringPorts {
  readonly gate: Gate
  readonly servers: DatabaseServers
  readonly secrets: Secrets
  readonly backups: BackupSource
  /** Where the tenant's live database is, whatever the tenant's state. */
  readonly locate: (tenantId: string) => Promise<TenantLocation | undefined>
  /** How long a side database, and one that was replaced, are kept. */
  readonly keptDays: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  readonly atStep?: StepWatch | undefined
}

export interface RestoreWork extends RestoringPorts {
  readonly records: RestoreRecords
}
