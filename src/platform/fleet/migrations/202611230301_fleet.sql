-- Up Migration
-- Goes first when the fleet is migrated.
ALTER TABLE platform.tenant ADD COLUMN is_canary boolean NOT NULL DEFAULT false;

-- What code of a version can serve: written by newer code when it starts, read by older code that still runs.
CREATE TABLE platform.schema_version (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  version text NOT NULL UNIQUE,
  -- Code whose newest migration is this one or a later one can serve a tenant of this version.
  oldest_code_version text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.fleet_migration (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  direction text NOT NULL CHECK (direction IN ('up', 'down')),
  -- Where it goes to; null: each tenant back to where it was.
  target_version text,
  rolls_back_id uuid REFERENCES platform.fleet_migration,
  status text NOT NULL CHECK (status IN ('running', 'paused', 'stopped', 'done', 'failed', 'cancelled')),
  status_reason text,
  parallel integer NOT NULL CHECK (parallel > 0),
  failure_percent integer NOT NULL CHECK (failure_percent BETWEEN 0 AND 100),
  -- Each start, resumption and handing over is a run of its own; a workflow belongs to one run.
  run integer NOT NULL DEFAULT 1,
  started_by text NOT NULL,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fleet_migration_created ON platform.fleet_migration (created_at DESC, id DESC);
-- One at a time: two of them would pull tenants to different versions.
CREATE UNIQUE INDEX fleet_migration_active_key ON platform.fleet_migration ((true))
  WHERE status IN ('running', 'paused', 'stopped');

CREATE TABLE platform.fleet_migration_wave (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  fleet_migration_id uuid NOT NULL REFERENCES platform.fleet_migration ON DELETE CASCADE,
  number integer NOT NULL,
  name text NOT NULL,
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'backing_up', 'running', 'done')),
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (fleet_migration_id, number)
);

CREATE TABLE platform.fleet_migration_tenant (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  fleet_migration_id uuid NOT NULL REFERENCES platform.fleet_migration ON DELETE CASCADE,
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  wave integer NOT NULL,
  status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'done', 'failed', 'skipped')),
  from_version text,
  to_version text,
  -- In which run it was tried last: the failure rate is that of one run.
  run integer,
  attempts integer NOT NULL DEFAULT 0,
  error text,
  duration_ms integer,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (fleet_migration_id, tenant_id)
);
CREATE INDEX fleet_migration_tenant_wave ON platform.fleet_migration_tenant (fleet_migration_id, wave, status);
CREATE INDEX fleet_migration_tenant_tenant ON platform.fleet_migration_tenant (tenant_id);

CREATE TABLE platform.fleet_rehearsal (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  status text NOT NULL CHECK (status IN ('running', 'done', 'failed')),
  database_name text NOT NULL UNIQUE,
  runtime_role text NOT NULL UNIQUE,
  from_version text,
  to_version text,
  copy_ms integer,
  migrate_ms integer,
  check_ms integer,
  -- [{name, milliseconds}]: each migration on its own.
  steps jsonb NOT NULL DEFAULT '[]',
  -- [text]: what the checks found on the migrated copy, and why it failed.
  findings jsonb NOT NULL DEFAULT '[]',
  error text,
  started_by text NOT NULL,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fleet_rehearsal_created ON platform.fleet_rehearsal (created_at DESC, id DESC);

-- Down Migration
DROP TABLE platform.fleet_rehearsal;
DROP TABLE platform.fleet_migration_tenant;
DROP TABLE platform.fleet_migration_wave;
DROP TABLE platform.fleet_migration;
DROP TABLE platform.schema_version;
ALTER TABLE platform.tenant DROP COLUMN is_canary;
