-- Up Migration
-- A mail that was given up may be sent again by hand. That is somebody's deed, unlike all else that is done to a
-- mail, so it alone is in the audit.
ALTER TABLE core.mail ADD COLUMN resent_at timestamptz;
CREATE TRIGGER mail_audit_resent AFTER UPDATE OF resent_at ON core.mail FOR EACH ROW
  WHEN (OLD.resent_at IS DISTINCT FROM NEW.resent_at)
  EXECUTE FUNCTION audit.record_change('sealed_content');

-- Down Migration
DROP TRIGGER mail_audit_resent ON core.mail;
ALTER TABLE core.mail DROP COLUMN resent_at;
