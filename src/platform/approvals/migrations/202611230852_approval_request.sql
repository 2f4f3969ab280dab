-- Up Migration
-- What waits for a second operator. 'approved' is written before it is carried out, 'executing' by the one process
-- that begins; whoever dies in the former is followed by another, in the latter nobody does it again.
CREATE TABLE platform.approval_request (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  operation text NOT NULL,
  input text NOT NULL,
  if_match text,
  tenant_id uuid REFERENCES platform.tenant,
  state text NOT NULL CHECK (state IN ('pending', 'approved', 'executing', 'executed', 'failed', 'rejected', 'expired')),
  -- NULL: the command line.
  requested_by uuid REFERENCES platform.operator,
  address text,
  user_agent text,
  decided_by uuid REFERENCES platform.operator,
  decision_reason text,
  decided_at timestamptz,
  expires_at timestamptz NOT NULL,
  execution_began_at timestamptz,
  finished_at timestamptz,
  operation_id text,
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (requested_by IS NULL OR decided_by IS NULL OR decided_by <> requested_by OR state = 'rejected')
);
CREATE INDEX approval_request_open ON platform.approval_request (state)
  WHERE state IN ('pending', 'approved', 'executing');
CREATE TRIGGER touch BEFORE UPDATE ON platform.approval_request FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TABLE platform.approval_request;
