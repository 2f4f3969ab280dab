-- Up Migration
-- As in each tenant: numbers, seals, old and new values, sign-ins and sign-outs (docs/adr/0022).
CREATE SEQUENCE platform.audit_event_number;
ALTER TABLE platform.audit_event
  ADD COLUMN user_agent text,
  ADD COLUMN old_values jsonb,
  ADD COLUMN new_values jsonb,
  ADD COLUMN number bigint;
ALTER TABLE platform.audit_event
  ALTER COLUMN number SET DEFAULT nextval('platform.audit_event_number'),
  ALTER COLUMN actor_kind SET DEFAULT coalesce(nullif(current_setting('erp.actor_kind', true), ''), 'system'),
  ALTER COLUMN actor_id SET DEFAULT nullif(current_setting('erp.actor_id', true), '')::uuid,
  ALTER COLUMN request_id SET DEFAULT coalesce(current_setting('erp.request_id', true), ''),
  ALTER COLUMN address SET DEFAULT nullif(current_setting('erp.address', true), ''),
  ALTER COLUMN user_agent SET DEFAULT nullif(current_setting('erp.user_agent', true), '');
CREATE INDEX audit_event_by_number ON platform.audit_event (number);

CREATE TABLE platform.audit_seal (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  number bigint NOT NULL UNIQUE,
  after_row bigint NOT NULL,
  last_row bigint NOT NULL,
  unnumbered bigint NOT NULL,
  row_numbers bigint[] NOT NULL,
  row_hashes bytea NOT NULL,
  previous_digest bytea NOT NULL,
  digest bytea NOT NULL,
  key_id uuid NOT NULL,
  signature bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER audit_seal_is_append_only BEFORE UPDATE OR DELETE ON platform.audit_seal
  FOR EACH ROW EXECUTE FUNCTION platform.refuse_change();
CREATE TRIGGER audit_seal_is_not_truncated BEFORE TRUNCATE ON platform.audit_seal
  FOR EACH STATEMENT EXECUTE FUNCTION platform.refuse_change();

-- What seals are signed with, sealed under SECRET_KEY. Kept for ever: an old seal is proven with its own.
CREATE TABLE platform.audit_key (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  sealed_key text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- The newest seal of each tenant, out of the reach of whoever can write in its database.
CREATE TABLE platform.tenant_seal (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL UNIQUE REFERENCES platform.tenant ON DELETE CASCADE,
  number bigint NOT NULL,
  digest bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Whatever is named like a secret is left out, also columns of later migrations; it is only told that it was changed.
CREATE FUNCTION platform.record_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
  secret text[] := ARRAY(SELECT key FROM jsonb_each(coalesce(new_row, old_row))
    WHERE key ~ '(password|secret|token|hash|sealed)' AND key !~ '_at$' AND jsonb_typeof(value) <> 'boolean');
  changed jsonb := '{}';
BEGIN
  IF TG_OP = 'UPDATE' THEN
    changed := coalesce((SELECT jsonb_object_agg(name, '(changed)') FROM unnest(secret) AS name
      WHERE new_row -> name IS DISTINCT FROM old_row -> name), '{}');
  END IF;
  INSERT INTO platform.audit_event (action, entity, entity_id, tenant_id, old_values, new_values)
  VALUES (lower(TG_OP), TG_TABLE_NAME, coalesce(NEW.id, OLD.id),
    CASE WHEN TG_TABLE_NAME = 'tenant' THEN coalesce(NEW.id, OLD.id) END,
    old_row - secret, (new_row - secret) || changed);
  RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON platform.plan
  FOR EACH ROW EXECUTE FUNCTION platform.record_change();
CREATE TRIGGER audit AFTER INSERT OR DELETE ON platform.operator
  FOR EACH ROW EXECUTE FUNCTION platform.record_change();
CREATE TRIGGER audit_update AFTER UPDATE ON platform.operator FOR EACH ROW
  WHEN (to_jsonb(OLD) - '{last_login_at,updated_at}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{last_login_at,updated_at}'::text[])
  EXECUTE FUNCTION platform.record_change();
-- How a server is and what a tenant is busy with is no change somebody made.
CREATE TRIGGER audit AFTER INSERT OR DELETE ON platform.server
  FOR EACH ROW EXECUTE FUNCTION platform.record_change();
CREATE TRIGGER audit_update AFTER UPDATE OF name, kind, state, region, database_limit, host, port, admin_database, ssl_mode,
  sealed_admin_user, sealed_admin_password, deleted_at ON platform.server
  FOR EACH ROW EXECUTE FUNCTION platform.record_change();
-- Its making is told by events, step by step.
CREATE TRIGGER audit_update AFTER UPDATE OF company_name, subdomain, plan_id, status, status_reason, suspension_cause,
  admin_name, admin_email, server_id, is_canary, is_neutralised ON platform.tenant
  FOR EACH ROW WHEN (OLD.status <> 'provisioning' AND OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION platform.record_change();

CREATE FUNCTION platform.record_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN -- whoever signs in is nobody yet when the transaction begins
    INSERT INTO platform.audit_event (actor_kind, actor_id, address, user_agent, action, entity, entity_id, details)
    VALUES ('operator', NEW.operator_id, NEW.address, NEW.user_agent, 'sign-in', 'operator', NEW.operator_id,
      jsonb_build_object('sessionId', NEW.id));
  ELSE
    INSERT INTO platform.audit_event (action, entity, entity_id, details)
    VALUES ('sign-out', 'operator', NEW.operator_id,
      jsonb_build_object('sessionId', NEW.id, 'reason', NEW.end_reason));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER operator_session_begin_audit AFTER INSERT ON platform.operator_session
  FOR EACH ROW EXECUTE FUNCTION platform.record_session();
CREATE TRIGGER operator_session_end_audit AFTER UPDATE ON platform.operator_session
  FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
  EXECUTE FUNCTION platform.record_session();

-- Down Migration
DROP TRIGGER operator_session_end_audit ON platform.operator_session;
DROP TRIGGER operator_session_begin_audit ON platform.operator_session;
DROP FUNCTION platform.record_session();
DROP TRIGGER audit_update ON platform.tenant;
DROP TRIGGER audit_update ON platform.server;
DROP TRIGGER audit ON platform.server;
DROP TRIGGER audit_update ON platform.operator;
DROP TRIGGER audit ON platform.operator;
DROP TRIGGER audit ON platform.plan;
DROP FUNCTION platform.record_change();
DROP TABLE platform.tenant_seal;
DROP TABLE platform.audit_key;
DROP TABLE platform.audit_seal;
ALTER TABLE platform.audit_event
  ALTER COLUMN actor_kind DROP DEFAULT,
  ALTER COLUMN actor_id DROP DEFAULT,
  ALTER COLUMN request_id DROP DEFAULT,
  ALTER COLUMN address DROP DEFAULT,
  DROP COLUMN number,
  DROP COLUMN new_values,
  DROP COLUMN old_values,
  DROP COLUMN user_agent;
DROP SEQUENCE platform.audit_event_number;
