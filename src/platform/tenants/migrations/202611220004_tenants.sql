-- Up Migration
CREATE TABLE platform.server (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  name text NOT NULL UNIQUE,
  kind text NOT NULL DEFAULT 'shared' CHECK (kind IN ('shared', 'dedicated')),
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'draining', 'full')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.tenant (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_code text NOT NULL CHECK (tenant_code ~ '^[A-Za-z][A-Za-z0-9_]{1,39}$'),
  company_name text NOT NULL,
  subdomain text NOT NULL CHECK (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  plan_id uuid NOT NULL REFERENCES platform.plan,
  status text NOT NULL CHECK (status IN
    ('provisioning', 'active', 'read_only', 'suspended', 'cancelled', 'archived', 'failed')),
  status_reason text,
  country text NOT NULL,
  currency text NOT NULL,
  chart_template text NOT NULL,
  admin_name text NOT NULL,
  admin_email text NOT NULL,
  -- What provisioning still needs and nobody may read: sealed, and erased when the tenant is ready.
  sealed_admin_password text,
  server_id uuid NOT NULL REFERENCES platform.server,
  database_name text,
  runtime_role text,
  sealed_runtime_password text,
  schema_version text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
-- A tenant that could not be made gives its names back.
CREATE UNIQUE INDEX tenant_code_key ON platform.tenant (lower(tenant_code)) WHERE status <> 'failed';
CREATE UNIQUE INDEX tenant_subdomain_key ON platform.tenant (subdomain) WHERE status <> 'failed';
CREATE INDEX tenant_created ON platform.tenant (created_at DESC, id);

-- Databases cloned ahead of need; claimed by renaming them.
CREATE TABLE platform.ready_database (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  server_id uuid NOT NULL REFERENCES platform.server,
  database_name text NOT NULL UNIQUE,
  runtime_role text NOT NULL UNIQUE,
  sealed_runtime_password text NOT NULL,
  template_fingerprint text NOT NULL,
  state text NOT NULL CHECK (state IN ('building', 'ready', 'claimed')),
  claimed_by uuid UNIQUE REFERENCES platform.tenant,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ready_database_state ON platform.ready_database (state, created_at);

INSERT INTO platform.server (name) VALUES ('main');

-- Down Migration
DROP TABLE platform.ready_database;
DROP TABLE platform.tenant;
DROP TABLE platform.server;
