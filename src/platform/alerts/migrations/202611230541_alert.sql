-- Up Migration
-- What an operator should look at: opened once, resolved when it is over, kept.
CREATE TABLE platform.alert (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  kind text NOT NULL CHECK (kind ~ '^[a-z][a-z-]{2,60}$'),
  tenant_id uuid REFERENCES platform.tenant,
  message text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  resolved_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
-- One of a kind and tenant at a time, however many processes notice it.
CREATE UNIQUE INDEX alert_open_key ON platform.alert (kind, tenant_id) NULLS NOT DISTINCT WHERE resolved_at IS NULL;
CREATE INDEX alert_opened ON platform.alert (opened_at DESC, id);
CREATE INDEX alert_tenant ON platform.alert (tenant_id);
CREATE TRIGGER touch BEFORE UPDATE ON platform.alert FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TABLE platform.alert;
