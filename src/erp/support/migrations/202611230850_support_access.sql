-- Up Migration
-- What the tenant lets the operator's support do. At most one row; none: looking is allowed, changing is not.
CREATE TABLE core.support_access (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  is_only boolean NOT NULL DEFAULT true UNIQUE CHECK (is_only),
  allows_support boolean NOT NULL DEFAULT true,
  write_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON core.support_access TO erp_tenant_runtime;
CREATE TRIGGER support_access_touch BEFORE UPDATE ON core.support_access FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER support_access_audit AFTER INSERT OR UPDATE OR DELETE ON core.support_access
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- An operator in this tenant for a while. The platform's row has the same id; the name is kept here, because this
-- database knows no operators: it is what the audit log calls them by. No company_id: all companies may see it.
CREATE TABLE core.support_session (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  operator_id uuid NOT NULL,
  operator_name text NOT NULL,
  operator_email text NOT NULL,
  reason text NOT NULL,
  access text NOT NULL CHECK (access IN ('read', 'write')),
  entered_company_id uuid NOT NULL REFERENCES core.company,
  address text,
  user_agent text,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  -- What was asked for, by operation, and how often.
  request_count bigint NOT NULL DEFAULT 0,
  last_request_at timestamptz,
  operations jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX support_session_operator ON core.support_session (operator_id);
GRANT SELECT, INSERT, UPDATE ON core.support_session TO erp_tenant_runtime;
CREATE TRIGGER support_session_touch BEFORE UPDATE ON core.support_session FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER support_session_audit AFTER INSERT OR DELETE ON core.support_session
  FOR EACH ROW EXECUTE FUNCTION audit.record_change('operator_email');
-- Counting requests is no change of the session. The operator's address is told to nobody but themselves.
CREATE TRIGGER support_session_audit_end AFTER UPDATE ON core.support_session FOR EACH ROW
  WHEN (OLD.ended_at IS DISTINCT FROM NEW.ended_at OR OLD.access IS DISTINCT FROM NEW.access
    OR OLD.expires_at IS DISTINCT FROM NEW.expires_at)
  EXECUTE FUNCTION audit.record_change('operator_email');

-- Down Migration
DROP TABLE core.support_session;
DROP TABLE core.support_access;
