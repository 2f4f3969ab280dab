/** What the metrics say of backups: over all tenants that work, no label for any one of them. */
import { sql, type RawBuilder } from 'kysely'

interface Figure {
  readonly name: string
  readonly help: string
  readonly query: RawBuilder<{ figure: number }>
}

export const backupFigures: readonly Figure[] = [
  {
    name: 'erp_backup_age_seconds_max',
    help: 'Age of the newest good backup, of the tenant for which it is oldest; one without any counts from its creation',
    query: sql`SELECT coalesce(max(extract(epoch FROM now() - coalesce(newest, created_at))), 0)::float8 AS figure
      FROM (SELECT t.created_at, (SELECT max(taken_at) FROM platform.backup b
          WHERE b.tenant_id = t.id AND b.state = 'good') AS newest
        FROM platform.tenant t WHERE t.status IN ('active', 'read_only')) tenants`,
  },
  {
    name: 'erp_backups_failed_last_day',
    help: 'Backups that failed within the last 24 hours',
    query: sql`SELECT count(*)::int AS figure FROM platform.backup
      WHERE state = 'failed' AND created_at > now() - interval '24 hours'`,
  },
  {
    name: 'erp_backups_running',
    help: 'Backups under way',
    query: sql`SELECT count(*)::int AS figure FROM platform.backup WHERE state = 'running'`,
  },
  {
    name: 'erp_alerts_open',
    help: 'Alerts that an operator should look at',
    query: sql`SELECT count(*)::int AS figure FROM platform.alert WHERE resolved_at IS NULL`,
  },
]
