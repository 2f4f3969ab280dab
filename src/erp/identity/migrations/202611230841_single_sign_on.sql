-- Up Migration
-- One row at most: the identity provider of this tenant.
CREATE TABLE core.single_sign_on (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  is_only boolean NOT NULL DEFAULT true UNIQUE CHECK (is_only),
  label text NOT NULL,
  issuer text NOT NULL,
  client_id text NOT NULL,
  sealed_client_secret text,
  allowed_domains text[] NOT NULL,
  -- NULL: who has no account here is not given one.
  default_role_id uuid REFERENCES core.role,
  all_companies boolean NOT NULL DEFAULT false,
  company_ids uuid[] NOT NULL DEFAULT '{}',
  is_enabled boolean NOT NULL DEFAULT false,
  is_required boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.single_sign_on TO erp_tenant_runtime;
CREATE TRIGGER single_sign_on_touch BEFORE UPDATE ON core.single_sign_on
  FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER single_sign_on_audit AFTER INSERT OR UPDATE OR DELETE ON core.single_sign_on
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('sealed_client_secret');

-- Somebody on their way to the identity provider and back. Hashes: what is in here signs nobody in.
CREATE TABLE core.single_sign_on_attempt (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  state_hash bytea NOT NULL UNIQUE,
  browser_hash bytea NOT NULL,
  issuer text NOT NULL,
  redirect_uri text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, DELETE ON core.single_sign_on_attempt TO erp_tenant_runtime;

-- Whom an identity provider means by a subject.
CREATE TABLE core.user_identity (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL REFERENCES core.app_user,
  issuer text NOT NULL,
  subject text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (issuer, subject)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.user_identity TO erp_tenant_runtime;
CREATE TRIGGER user_identity_touch BEFORE UPDATE ON core.user_identity
  FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER user_identity_audit AFTER INSERT OR UPDATE OR DELETE ON core.user_identity
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- The age of a password is nothing to somebody who did not come by it.
ALTER TABLE core.session ADD COLUMN is_single_sign_on boolean NOT NULL DEFAULT false;

-- Down Migration
ALTER TABLE core.session DROP COLUMN is_single_sign_on;
DROP TABLE core.user_identity;
DROP TABLE core.single_sign_on_attempt;
DROP TABLE core.single_sign_on;
