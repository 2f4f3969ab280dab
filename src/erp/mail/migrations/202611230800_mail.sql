-- Up Migration
-- What is to be sent, written with the change that causes it. The content may hold a link that is as good as
-- a password: it is sealed, and erased as soon as it was delivered.
CREATE TABLE core.mail (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  template text NOT NULL,
  language text NOT NULL,
  recipient text NOT NULL,
  subject text NOT NULL,
  sender_user_id uuid REFERENCES core.app_user,
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
CREATE INDEX mail_due ON core.mail (next_attempt_at) WHERE state = 'queued';
GRANT SELECT, INSERT, UPDATE, DELETE ON core.mail TO erp_tenant_runtime;

-- Down Migration
DROP TABLE core.mail;
