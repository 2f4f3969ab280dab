-- Up Migration
-- A key is the tenant's, not its maker's: it goes on when they leave, and the audit says who made it.
CREATE TABLE core.api_key (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  name text NOT NULL,
  scopes text[] NOT NULL,
  all_companies boolean NOT NULL DEFAULT false,
  company_ids uuid[] NOT NULL DEFAULT '{}',
  allowed_addresses text[] NOT NULL DEFAULT '{}',
  -- SHA-256 of 256 random bits: nothing that could be guessed is behind it, so no slow hash is needed.
  secret_hash bytea NOT NULL,
  -- Counts the secrets there have been: a token made with one of them ends with it.
  secret_number integer NOT NULL DEFAULT 1,
  previous_secret_hash bytea,
  previous_secret_ends_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  last_used_address text,
  created_by uuid REFERENCES core.app_user,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX api_key_name_key ON core.api_key (lower(name)) WHERE revoked_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON core.api_key TO erp_tenant_runtime;

-- Being used is no change of the key, as signing in is none of a user.
CREATE TRIGGER api_key_touch BEFORE UPDATE ON core.api_key FOR EACH ROW
  WHEN (to_jsonb(OLD) - '{last_used_at,last_used_address}'::text[]
    IS DISTINCT FROM to_jsonb(NEW) - '{last_used_at,last_used_address}'::text[])
  EXECUTE FUNCTION core.touch();
CREATE TRIGGER api_key_audit AFTER INSERT OR DELETE ON core.api_key
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('secret_hash', 'previous_secret_hash');
CREATE TRIGGER api_key_audit_update AFTER UPDATE ON core.api_key FOR EACH ROW
  WHEN (to_jsonb(OLD) - '{last_used_at,last_used_address}'::text[]
    IS DISTINCT FROM to_jsonb(NEW) - '{last_used_at,last_used_address}'::text[])
  EXECUTE FUNCTION audit.record_change('secret_hash', 'previous_secret_hash');

-- Down Migration
DROP TABLE core.api_key;
