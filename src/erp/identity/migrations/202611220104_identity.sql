-- Up Migration
CREATE TABLE core.role (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  name text NOT NULL,
  description text,
  permissions text[] NOT NULL DEFAULT '{}',
  is_built_in boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX role_name_key ON core.role (lower(name));
GRANT SELECT, INSERT, UPDATE ON core.role TO erp_tenant_runtime;

CREATE TABLE core.app_user (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  full_name text NOT NULL,
  email text NOT NULL,
  password_hash text,
  password_changed_at timestamptz,
  role_id uuid NOT NULL REFERENCES core.role,
  all_companies boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true,
  last_login_at timestamptz,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX app_user_email_key ON core.app_user (lower(email)) WHERE deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON core.app_user TO erp_tenant_runtime;

CREATE TABLE core.user_company (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL REFERENCES core.app_user,
  company_id uuid NOT NULL REFERENCES core.company,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, company_id)
);
GRANT SELECT, INSERT, DELETE ON core.user_company TO erp_tenant_runtime;

CREATE TABLE core.session (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL REFERENCES core.app_user,
  company_id uuid NOT NULL REFERENCES core.company,
  refresh_hash bytea NOT NULL,
  is_remembered boolean NOT NULL DEFAULT false,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  address text,
  user_agent text,
  last_used_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX session_by_user ON core.session (user_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON core.session TO erp_tenant_runtime;

CREATE TABLE core.password_token (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL REFERENCES core.app_user,
  token_hash bytea NOT NULL UNIQUE,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.password_token TO erp_tenant_runtime;

CREATE TRIGGER role_touch BEFORE UPDATE ON core.role FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER app_user_touch BEFORE UPDATE ON core.app_user FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER role_audit AFTER INSERT OR UPDATE OR DELETE ON core.role
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();
CREATE TRIGGER app_user_audit AFTER INSERT OR UPDATE OR DELETE ON core.app_user
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('password_hash');
CREATE TRIGGER user_company_audit AFTER INSERT OR UPDATE OR DELETE ON core.user_company
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- Down Migration
DROP TABLE core.password_token;
DROP TABLE core.session;
DROP TABLE core.user_company;
DROP TABLE core.app_user;
DROP TABLE core.role;
