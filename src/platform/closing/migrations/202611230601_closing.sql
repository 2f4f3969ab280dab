-- Up Migration
ALTER TABLE platform.tenant
  DROP CONSTRAINT tenant_status_check,
  ADD CONSTRAINT tenant_status_check CHECK (status IN
    ('provisioning', 'active', 'read_only', 'suspended', 'cancelled', 'archived', 'deleted', 'failed')) NOT VALID;
ALTER TABLE platform.tenant VALIDATE CONSTRAINT tenant_status_check;
-- The backup that an archived tenant can be brought back from.
ALTER TABLE platform.tenant ADD archive_backup_id uuid;

-- What was done to a tenant's data for good, signed: the text is kept as it was signed.
CREATE TABLE platform.certificate (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  kind text NOT NULL CHECK (kind IN ('archive', 'deletion')),
  operation_id text NOT NULL UNIQUE,
  document text NOT NULL,
  signature text NOT NULL,
  public_key text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX certificate_tenant ON platform.certificate (tenant_id, id);
CREATE TRIGGER certificate_is_append_only BEFORE UPDATE OR DELETE ON platform.certificate
  FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER certificate_is_not_truncated BEFORE TRUNCATE ON platform.certificate
  FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- Down Migration
DROP TABLE platform.certificate;
UPDATE platform.tenant SET status = 'archived' WHERE status = 'deleted';
ALTER TABLE platform.tenant
  DROP archive_backup_id,
  DROP CONSTRAINT tenant_status_check,
  ADD CONSTRAINT tenant_status_check CHECK (status IN
    ('provisioning', 'active', 'read_only', 'suspended', 'cancelled', 'archived', 'failed'));
