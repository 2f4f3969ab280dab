-- Up Migration
-- How long backups are kept: all of so many days, the newest of each of so many weeks and months.
ALTER TABLE platform.plan
  ADD COLUMN backup_keep_days integer NOT NULL DEFAULT 30 CHECK (backup_keep_days BETWEEN 1 AND 3660),
  ADD COLUMN backup_keep_weeks integer NOT NULL DEFAULT 0 CHECK (backup_keep_weeks BETWEEN 0 AND 520),
  ADD COLUMN backup_keep_months integer NOT NULL DEFAULT 0 CHECK (backup_keep_months BETWEEN 0 AND 240);

-- When the next one on schedule is due; NULL: not planned yet.
ALTER TABLE platform.tenant ADD COLUMN backup_due_at timestamptz;
CREATE INDEX tenant_backup_due ON platform.tenant (backup_due_at NULLS FIRST) WHERE status IN ('active', 'read_only');

CREATE TABLE platform.backup (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  reason text NOT NULL CHECK (reason IN
    ('scheduled', 'on-demand', 'suspension', 'cancellation', 'migration', 'restore', 'archive')),
  engine text NOT NULL CHECK (engine IN ('copy', 'pg_dump')),
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'good', 'failed', 'expiring', 'deleted')),
  storage_url text NOT NULL,
  file_name text NOT NULL UNIQUE,
  -- The archive's own key; also in the file, as it was sealed then.
  sealed_key text,
  size_bytes bigint,
  database_bytes bigint,
  row_count bigint,
  sha256 text,
  schema_version text,
  -- The moment whose data it holds.
  taken_at timestamptz,
  finished_at timestamptz,
  -- Read back whole after it was written; restored and compared.
  verified_at timestamptz,
  proven_at timestamptz,
  -- Retention leaves it alone.
  is_pinned boolean NOT NULL DEFAULT false,
  file_deleted_at timestamptz,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (state <> 'good' OR (verified_at IS NOT NULL AND taken_at IS NOT NULL AND sealed_key IS NOT NULL
    AND sha256 IS NOT NULL AND size_bytes IS NOT NULL AND schema_version IS NOT NULL))
);
CREATE INDEX backup_tenant ON platform.backup (tenant_id, created_at DESC, id);
CREATE INDEX backup_good ON platform.backup (tenant_id, taken_at DESC) WHERE state = 'good';
CREATE INDEX backup_created ON platform.backup (created_at DESC, id);
-- Work to be done: running ones, and files that must go.
CREATE INDEX backup_open ON platform.backup (created_at)
  WHERE state = 'running' OR (state IN ('failed', 'expiring') AND file_deleted_at IS NULL);
CREATE TRIGGER touch BEFORE UPDATE ON platform.backup FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TABLE platform.backup;
DROP INDEX platform.tenant_backup_due;
ALTER TABLE platform.tenant DROP COLUMN backup_due_at;
ALTER TABLE platform.plan DROP COLUMN backup_keep_days, DROP COLUMN backup_keep_weeks, DROP COLUMN backup_keep_months;
