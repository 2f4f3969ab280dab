-- Up Migration
-- Everything of a tenant in one file for its administrator.
CREATE TABLE platform.tenant_export (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  state text NOT NULL CHECK (state IN ('running', 'done', 'failed', 'expired')),
  -- Where the file lies, and its own key.
  storage_url text,
  file_name text,
  sealed_key text,
  size_bytes bigint,
  checksum text,
  error text,
  requested_by_kind text NOT NULL,
  requested_by uuid,
  expires_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER touch BEFORE UPDATE ON platform.tenant_export
  FOR EACH ROW EXECUTE FUNCTION platform.touch();
CREATE INDEX tenant_export_tenant ON platform.tenant_export (tenant_id, id);
-- One at a time: a second request is given the first one's.
CREATE UNIQUE INDEX tenant_export_running_key ON platform.tenant_export (tenant_id) WHERE state = 'running';

-- Down Migration
DROP TABLE platform.tenant_export;
