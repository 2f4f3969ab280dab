-- Up Migration
ALTER TABLE core.role ADD COLUMN requires_second_factor boolean NOT NULL DEFAULT false;

-- One row a user at most; not in force before it was confirmed. The newest time step that was used is kept,
-- so that a code that somebody saw being typed is of no use to them.
CREATE TABLE core.second_factor (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  user_id uuid NOT NULL UNIQUE REFERENCES core.app_user,
  sealed_secret text NOT NULL,
  confirmed_at timestamptz,
  last_used_step bigint NOT NULL DEFAULT 0,
  recovery_hashes bytea[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON core.second_factor TO erp_tenant_runtime;
CREATE TRIGGER second_factor_touch BEFORE UPDATE ON core.second_factor
  FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER second_factor_audit AFTER INSERT OR DELETE ON core.second_factor
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('sealed_secret', 'recovery_hashes');
-- A code of the app that was used is a sign-in, which the session shows; a recovery code is one fewer.
CREATE TRIGGER second_factor_audit_update AFTER UPDATE ON core.second_factor FOR EACH ROW
  WHEN (OLD.confirmed_at IS DISTINCT FROM NEW.confirmed_at OR OLD.recovery_hashes IS DISTINCT FROM NEW.recovery_hashes)
  EXECUTE FUNCTION audit.record_change('sealed_secret', 'recovery_hashes');

-- Down Migration
DROP TABLE core.second_factor;
ALTER TABLE core.role DROP COLUMN requires_second_factor;
