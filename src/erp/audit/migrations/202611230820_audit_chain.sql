-- Up Migration
-- Numbers in the order of writing, so that batches of rows can be sealed one behind the other (docs/adr/0022).
-- Rows from before keep none: how many they are is part of the first seal.
CREATE SEQUENCE audit.change_number;
GRANT USAGE, SELECT ON SEQUENCE audit.change_number TO erp_tenant_runtime;
ALTER TABLE audit.change ADD COLUMN user_agent text, ADD COLUMN number bigint;
ALTER TABLE audit.change ALTER COLUMN number SET DEFAULT nextval('audit.change_number');

-- Whoever writes a row need not say who acts: the transaction knows (see tenancy/gate.ts).
ALTER TABLE audit.change
  ALTER COLUMN actor_kind SET DEFAULT coalesce(nullif(current_setting('erp.actor_kind', true), ''), 'system'),
  ALTER COLUMN actor_id SET DEFAULT nullif(current_setting('erp.actor_id', true), '')::uuid,
  ALTER COLUMN request_id SET DEFAULT coalesce(current_setting('erp.request_id', true), ''),
  ALTER COLUMN address SET DEFAULT nullif(current_setting('erp.address', true), ''),
  ALTER COLUMN user_agent SET DEFAULT nullif(current_setting('erp.user_agent', true), '');

CREATE TABLE audit.seal (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  number bigint NOT NULL UNIQUE,
  -- The rows numbered after_row + 1 to last_row; numbers of transactions that were undone are not there.
  after_row bigint NOT NULL,
  last_row bigint NOT NULL,
  unnumbered bigint NOT NULL,
  row_numbers bigint[] NOT NULL,
  -- The first eight bytes of each row's hash: they only help to name the row that was changed.
  row_hashes bytea NOT NULL,
  previous_digest bytea NOT NULL,
  digest bytea NOT NULL,
  -- Of the platform's audit_key.
  key_id uuid NOT NULL,
  signature bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON audit.seal TO erp_tenant_runtime;
CREATE TRIGGER seal_is_append_only BEFORE UPDATE OR DELETE ON audit.seal
  FOR EACH ROW EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER seal_is_not_truncated BEFORE TRUNCATE ON audit.seal
  FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();
-- Seals are over the rows of all companies; who makes and proves them says so in the transaction.
CREATE POLICY sealing ON audit.change FOR SELECT
  USING ((SELECT current_setting('erp.seals_audit', true) = 'on'));

-- Row changes of a table with old and new values. Arguments: columns whose values are secret; of them it is
-- only told that they were changed.
CREATE OR REPLACE FUNCTION audit.record_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- NULL for a trigger without arguments, and whatever NULL is taken from becomes NULL.
  secret text[] := coalesce(TG_ARGV, '{}');
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - secret END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - secret END;
BEGIN
  IF TG_OP = 'UPDATE' AND cardinality(secret) > 0 THEN
    new_row := new_row || coalesce((SELECT jsonb_object_agg(name, '(changed)') FROM unnest(secret) AS name
      WHERE to_jsonb(NEW) -> name IS DISTINCT FROM to_jsonb(OLD) -> name), '{}');
  END IF;
  INSERT INTO audit.change (company_id, action, entity, entity_id, old_values, new_values)
  VALUES (
    nullif(coalesce(new_row, old_row) ->> 'company_id', '')::uuid,
    lower(TG_OP), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME,
    (coalesce(new_row, old_row) ->> 'id')::uuid, old_row, new_row);
  RETURN NULL;
END $$;

-- Lines of a document, of which a statement writes many: one row for all lines of one document, as the
-- document's. Argument: the column that names it.
CREATE FUNCTION audit.record_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
  known text[] := ARRAY[TG_ARGV[0], 'company_id', 'created_at', 'updated_at'];
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO audit.change (company_id, action, entity, entity_id, old_values)
    SELECT (line ->> 'company_id')::uuid, 'delete', entity, (line ->> TG_ARGV[0])::uuid,
      jsonb_build_object('lines', jsonb_agg(line - known ORDER BY line -> 'line_number'))
    FROM (SELECT to_jsonb(o) AS line FROM old_rows o) old_lines
    GROUP BY line ->> 'company_id', line ->> TG_ARGV[0];
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO audit.change (company_id, action, entity, entity_id, new_values)
    SELECT (line ->> 'company_id')::uuid, 'insert', entity, (line ->> TG_ARGV[0])::uuid,
      jsonb_build_object('lines', jsonb_agg(line - known ORDER BY line -> 'line_number'))
    FROM (SELECT to_jsonb(n) AS line FROM new_rows n) new_lines
    GROUP BY line ->> 'company_id', line ->> TG_ARGV[0];
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER journal_draft_line_audit_insert AFTER INSERT ON finance.journal_draft_line
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.record_lines('draft_id');
CREATE TRIGGER journal_draft_line_audit_update AFTER UPDATE ON finance.journal_draft_line
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION audit.record_lines('draft_id');
CREATE TRIGGER journal_draft_line_audit_delete AFTER DELETE ON finance.journal_draft_line
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audit.record_lines('draft_id');

CREATE TRIGGER journal_audit AFTER INSERT OR UPDATE OR DELETE ON finance.journal
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();
CREATE TRIGGER period_audit_insert AFTER INSERT ON finance.period
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- Signing in and out, for whatever reason it ends. Of the tenant, not of the company worked in.
CREATE FUNCTION audit.record_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN -- whoever signs in is nobody yet when the transaction begins
    INSERT INTO audit.change (actor_kind, actor_id, address, user_agent, action, entity, entity_id, new_values)
    VALUES ('user', NEW.user_id, NEW.address, NEW.user_agent, 'sign-in', 'core.session', NEW.id,
      jsonb_build_object('user_id', NEW.user_id, 'company_id', NEW.company_id));
  ELSE
    INSERT INTO audit.change (action, entity, entity_id, new_values)
    VALUES ('sign-out', 'core.session', NEW.id,
      jsonb_build_object('user_id', NEW.user_id, 'company_id', NEW.company_id, 'reason', NEW.end_reason));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER session_begin_audit AFTER INSERT ON core.session
  FOR EACH ROW EXECUTE FUNCTION audit.record_session();
CREATE TRIGGER session_end_audit AFTER UPDATE ON core.session
  FOR EACH ROW WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL) EXECUTE FUNCTION audit.record_session();

-- Down Migration
DROP TRIGGER session_end_audit ON core.session;
DROP TRIGGER session_begin_audit ON core.session;
DROP FUNCTION audit.record_session();
DROP TRIGGER period_audit_insert ON finance.period;
DROP TRIGGER journal_audit ON finance.journal;
DROP TRIGGER journal_draft_line_audit_delete ON finance.journal_draft_line;
DROP TRIGGER journal_draft_line_audit_update ON finance.journal_draft_line;
DROP TRIGGER journal_draft_line_audit_insert ON finance.journal_draft_line;
DROP FUNCTION audit.record_lines();
CREATE OR REPLACE FUNCTION audit.record_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- NULL for a trigger without arguments, and whatever NULL is taken from becomes NULL.
  secret text[] := coalesce(TG_ARGV, '{}');
  old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - secret END;
  new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - secret END;
BEGIN
  INSERT INTO audit.change
    (company_id, actor_kind, actor_id, request_id, address, action, entity, entity_id, old_values, new_values)
  VALUES (
    nullif(coalesce(new_row, old_row) ->> 'company_id', '')::uuid,
    coalesce(nullif(current_setting('erp.actor_kind', true), ''), 'system'),
    nullif(current_setting('erp.actor_id', true), '')::uuid,
    coalesce(current_setting('erp.request_id', true), ''),
    nullif(current_setting('erp.address', true), ''),
    lower(TG_OP), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME,
    (coalesce(new_row, old_row) ->> 'id')::uuid, old_row, new_row);
  RETURN NULL;
END $$;
DROP POLICY sealing ON audit.change;
DROP TABLE audit.seal;
ALTER TABLE audit.change
  ALTER COLUMN actor_kind DROP DEFAULT,
  ALTER COLUMN actor_id DROP DEFAULT,
  ALTER COLUMN request_id DROP DEFAULT,
  ALTER COLUMN address DROP DEFAULT,
  DROP COLUMN number,
  DROP COLUMN user_agent;
DROP SEQUENCE audit.change_number;
