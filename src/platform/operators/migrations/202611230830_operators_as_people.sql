-- contract: 202611220001_operators (a deleted operator's address is free again; no statement of any release asks for the old index)
-- Up Migration
-- The same columns as a user's: both are kept by the same code. No password: invited.
ALTER TABLE platform.operator
  ALTER COLUMN password_hash DROP NOT NULL,
  ADD COLUMN password_changed_at timestamptz DEFAULT now(),
  ADD COLUMN previous_password_hashes text[] NOT NULL DEFAULT '{}',
  ADD COLUMN must_change_password boolean NOT NULL DEFAULT false,
  ADD COLUMN deleted_at timestamptz;
DROP INDEX platform.operator_email_key;
CREATE UNIQUE INDEX operator_email_key ON platform.operator (lower(email)) WHERE deleted_at IS NULL;

-- Signing in is no change of the operator: whoever edits them meanwhile would lose.
CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON platform.operator FOR EACH ROW
  WHEN (to_jsonb(OLD) - 'last_login_at' IS DISTINCT FROM to_jsonb(NEW) - 'last_login_at')
  EXECUTE FUNCTION platform.touch();

CREATE TABLE platform.operator_password_token (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  operator_id uuid NOT NULL REFERENCES platform.operator,
  token_hash bytea NOT NULL UNIQUE,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE platform.operator_second_factor (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  operator_id uuid NOT NULL UNIQUE REFERENCES platform.operator,
  sealed_secret text NOT NULL,
  confirmed_at timestamptz,
  last_used_step bigint NOT NULL DEFAULT 0,
  recovery_hashes bytea[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER touch BEFORE UPDATE ON platform.operator_second_factor
  FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TABLE platform.operator_second_factor;
DROP TABLE platform.operator_password_token;
CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON platform.operator FOR EACH ROW EXECUTE FUNCTION platform.touch();
DROP INDEX platform.operator_email_key;
-- Whoever is deleted, or has not set a password, keeps their place but cannot come in: the code of before knows neither.
UPDATE platform.operator SET email = email || ' (' || id || ')', is_active = false WHERE deleted_at IS NOT NULL;
UPDATE platform.operator SET password_hash = '' WHERE password_hash IS NULL;
CREATE UNIQUE INDEX operator_email_key ON platform.operator (lower(email));
ALTER TABLE platform.operator
  ALTER COLUMN password_hash SET NOT NULL,
  DROP COLUMN password_changed_at,
  DROP COLUMN previous_password_hashes,
  DROP COLUMN must_change_password,
  DROP COLUMN deleted_at;
