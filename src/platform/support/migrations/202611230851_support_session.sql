-- Up Migration
-- An operator in a tenant for a while; the tenant's database has a row of the same id. 'requested' is written before
-- the tenant's row, 'active' after it; 'ending' before the tenant's row is ended, 'ended' after it.
CREATE TABLE platform.support_session (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  operator_id uuid NOT NULL REFERENCES platform.operator,
  -- The sign-in it was begun in: it does not outlive that one.
  operator_session_id uuid NOT NULL,
  reason text NOT NULL,
  access text NOT NULL CHECK (access IN ('read', 'write')),
  state text NOT NULL CHECK (state IN ('requested', 'active', 'refused', 'ending', 'ended')),
  code_hash bytea,
  code_expires_at timestamptz,
  address text,
  user_agent text,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  request_count bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX support_session_tenant ON platform.support_session (tenant_id, id);
CREATE INDEX support_session_open ON platform.support_session (state) WHERE state IN ('requested', 'active', 'ending');
CREATE TRIGGER touch BEFORE UPDATE ON platform.support_session FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TABLE platform.support_session;
