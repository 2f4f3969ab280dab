-- Up Migration
CREATE TABLE platform.audit_event (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  actor_kind text NOT NULL,
  actor_id uuid,
  request_id text NOT NULL,
  address text,
  action text NOT NULL,
  entity text NOT NULL,
  entity_id uuid,
  tenant_id uuid,
  details jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_event_tenant ON platform.audit_event (tenant_id, id);

CREATE FUNCTION platform.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_event_is_append_only BEFORE UPDATE OR DELETE ON platform.audit_event
  FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER audit_event_is_not_truncated BEFORE TRUNCATE ON platform.audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- Down Migration
DROP TABLE platform.audit_event;
DROP FUNCTION platform.refuse_change();
