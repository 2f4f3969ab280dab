-- Up Migration
ALTER TABLE platform.tenant
  -- When it came into the state it is in: grace and retention are counted from here.
  ADD status_changed_at timestamptz NOT NULL DEFAULT now(),
  -- A copy of another tenant: nothing may leave it for the outside world (mail, webhooks).
  ADD is_neutralised boolean NOT NULL DEFAULT false,
  -- The restore that makes this tenant, where it was not signed up.
  ADD made_by_restore_id uuid,
  -- When a backup of it was last restored, compared and its books proven.
  ADD last_proven_restore_at timestamptz;
UPDATE platform.tenant SET status_changed_at = updated_at;

CREATE FUNCTION platform.note_status_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status_changed_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER tenant_status_changed BEFORE UPDATE OF status ON platform.tenant
  FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION platform.note_status_change();

-- A backup brought back into a database beside the tenant's own ("side"), and what became of it.
CREATE TABLE platform.restore (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  backup_id uuid NOT NULL,
  mode text NOT NULL CHECK (mode IN ('side', 'swap', 'clone', 'drill')),
  state text NOT NULL CHECK (state IN
    ('restoring', 'ready', 'swapping', 'swapped', 'undone', 'cloned', 'proven', 'discarded', 'failed')),
  -- The durable workflow that works on it, or did so last.
  operation_id text NOT NULL,
  new_tenant_id uuid REFERENCES platform.tenant,
  server_id uuid NOT NULL REFERENCES platform.server,
  side_database text,
  side_role text,
  sealed_side_password text,
  verification jsonb,
  difference jsonb,
  -- The live database's backup before it was exchanged, and the database itself under its other name.
  safety_backup_id uuid,
  kept_database text,
  kept_until timestamptz,
  error text,
  requested_by uuid,
  finished_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER touch BEFORE UPDATE ON platform.restore FOR EACH ROW EXECUTE FUNCTION platform.touch();
CREATE INDEX restore_tenant ON platform.restore (tenant_id, id);
CREATE INDEX restore_unfinished ON platform.restore (state)
  WHERE state IN ('restoring', 'swapping') OR side_database IS NOT NULL OR kept_database IS NOT NULL;
CREATE UNIQUE INDEX restore_drill_key ON platform.restore (tenant_id) WHERE mode = 'drill' AND state = 'restoring';

-- Down Migration
DROP TABLE platform.restore;
DROP TRIGGER tenant_status_changed ON platform.tenant;
DROP FUNCTION platform.note_status_change();
ALTER TABLE platform.tenant DROP last_proven_restore_at, DROP made_by_restore_id, DROP is_neutralised,
  DROP status_changed_at;
