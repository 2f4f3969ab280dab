-- Up Migration
CREATE TABLE audit.change (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid,
  actor_kind text NOT NULL,
  actor_id uuid,
  request_id text NOT NULL,
  address text,
  action text NOT NULL,
  entity text NOT NULL,
  entity_id uuid,
  old_values jsonb,
  new_values jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX change_entity ON audit.change (entity_id);
GRANT SELECT, INSERT ON audit.change TO erp_tenant_runtime;
ALTER TABLE audit.change ENABLE ROW LEVEL SECURITY;
CREATE POLICY company ON audit.change
  USING (company_id IS NULL OR company_id = (SELECT core.current_company()))
  -- A change may concern another company than the one worked in, e.g. giving a user access to it.
  WITH CHECK (true);
CREATE TRIGGER change_is_append_only BEFORE UPDATE OR DELETE ON audit.change
  FOR EACH ROW EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER change_is_not_truncated BEFORE TRUNCATE ON audit.change
  FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

-- Row changes of a table with old and new values. Arguments: columns whose values are secret.
CREATE FUNCTION audit.record_change() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- Down Migration
DROP FUNCTION audit.record_change();
DROP TABLE audit.change;
