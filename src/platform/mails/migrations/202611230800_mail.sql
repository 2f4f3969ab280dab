-- Up Migration
-- As core.mail of a tenant; beside the platform's own, copies of tenants' mails that an operator must see:
-- those that could not be sent and, where nothing is sent at all (development), those that were kept.
CREATE TABLE platform.mail (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid REFERENCES platform.tenant ON DELETE CASCADE,
  template text NOT NULL,
  language text NOT NULL,
  recipient text NOT NULL,
  subject text NOT NULL,
  sealed_content text,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'kept', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  sent_at timestamptz,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_due ON platform.mail (next_attempt_at) WHERE state = 'queued';

-- Tenants that have left something to be fetched from their database (docs/adr/0021): marked before they
-- commit, visited until they have been quiet for a while.
CREATE TABLE platform.tenant_visit (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL UNIQUE REFERENCES platform.tenant ON DELETE CASCADE,
  marked_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_visit_due ON platform.tenant_visit (due_at);

-- Down Migration
DROP TABLE platform.tenant_visit;
DROP TABLE platform.mail;
