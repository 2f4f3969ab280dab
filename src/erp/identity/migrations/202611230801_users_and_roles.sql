-- contract: 202611220104_identity (a deleted role's name is free again; no statement of any release asks for the old index)
-- Up Migration
-- NULL: without a limit. Whoever has been given nothing grants no discount.
ALTER TABLE core.role
  ADD COLUMN discount_percent_maximum numeric(7, 4) DEFAULT 0 CHECK (discount_percent_maximum BETWEEN 0 AND 100),
  ADD COLUMN discount_amount_maximum numeric(20, 4) DEFAULT 0 CHECK (discount_amount_maximum >= 0),
  ADD COLUMN deleted_at timestamptz;
UPDATE core.role SET discount_percent_maximum = NULL, discount_amount_maximum = NULL
WHERE is_built_in AND name = 'Administrator';
DROP INDEX core.role_name_key;
CREATE UNIQUE INDEX role_name_key ON core.role (lower(name)) WHERE deleted_at IS NULL;

ALTER TABLE core.app_user
  ADD COLUMN phone text,
  ADD COLUMN join_date date,
  ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
  ADD COLUMN previous_password_hashes text[] NOT NULL DEFAULT '{}';

-- Signing in writes the time of it into the user's row. That is no change of the user: the row's version stays
-- (whoever edits the user meanwhile would lose), and the session is what is kept of it.
CREATE OR REPLACE TRIGGER app_user_touch BEFORE UPDATE ON core.app_user FOR EACH ROW
  WHEN (to_jsonb(OLD) - 'last_login_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_login_at')
  EXECUTE FUNCTION core.touch();
CREATE OR REPLACE TRIGGER app_user_audit AFTER INSERT OR DELETE ON core.app_user
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('password_hash', 'previous_password_hashes');
CREATE TRIGGER app_user_audit_update AFTER UPDATE ON core.app_user FOR EACH ROW
  WHEN (to_jsonb(OLD) - 'last_login_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_login_at')
  EXECUTE FUNCTION audit.record_change('password_hash', 'previous_password_hashes');

-- One row a user at most.
CREATE TABLE core.user_photo (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL UNIQUE REFERENCES core.app_user,
  content_type text NOT NULL,
  content bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.user_photo TO erp_tenant_runtime;
CREATE TRIGGER user_photo_touch BEFORE UPDATE ON core.user_photo FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER user_photo_audit AFTER INSERT OR UPDATE OR DELETE ON core.user_photo
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('content');

CREATE TABLE core.user_email_settings (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL UNIQUE REFERENCES core.app_user,
  host text NOT NULL,
  port integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
  username text,
  sealed_password text,
  security text NOT NULL CHECK (security IN ('tls', 'ssl', 'none')),
  always_use_sender boolean NOT NULL DEFAULT false,
  from_name text,
  reply_to text,
  signature_html text,
  footer_html text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.user_email_settings TO erp_tenant_runtime;
CREATE TRIGGER user_email_settings_touch BEFORE UPDATE ON core.user_email_settings
  FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER user_email_settings_audit AFTER INSERT OR UPDATE OR DELETE ON core.user_email_settings
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('sealed_password');

-- Down Migration
DROP TABLE core.user_email_settings;
DROP TABLE core.user_photo;
DROP TRIGGER app_user_audit_update ON core.app_user;
CREATE OR REPLACE TRIGGER app_user_audit AFTER INSERT OR UPDATE OR DELETE ON core.app_user
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('password_hash');
CREATE OR REPLACE TRIGGER app_user_touch BEFORE UPDATE ON core.app_user FOR EACH ROW EXECUTE FUNCTION core.touch();
ALTER TABLE core.app_user
  DROP COLUMN phone,
  DROP COLUMN join_date,
  DROP COLUMN metadata,
  DROP COLUMN must_change_password,
  DROP COLUMN previous_password_hashes;
DROP INDEX core.role_name_key;
-- What is deleted keeps its place under a name of its own: the index below knows no deleted rows.
UPDATE core.role SET name = name || ' (' || id || ')' WHERE deleted_at IS NOT NULL;
CREATE UNIQUE INDEX role_name_key ON core.role (lower(name));
ALTER TABLE core.role
  DROP COLUMN discount_percent_maximum,
  DROP COLUMN discount_amount_maximum,
  DROP COLUMN deleted_at;
