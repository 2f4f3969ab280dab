-- Up Migration
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA platform;

CREATE FUNCTION platform.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  -- RFC 9562: 48 bits of Unix milliseconds over a random UUID, version bits set to 7.
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

CREATE TABLE platform.operator (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  full_name text NOT NULL,
  email text NOT NULL,
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'billing', 'support', 'read-only')),
  is_active boolean NOT NULL DEFAULT true,
  last_login_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX operator_email_key ON platform.operator (lower(email));

CREATE TABLE platform.operator_session (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  operator_id uuid NOT NULL REFERENCES platform.operator,
  refresh_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  address text,
  user_agent text,
  last_used_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX operator_session_operator ON platform.operator_session (operator_id) WHERE ended_at IS NULL;

CREATE TABLE platform.idempotency_key (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  scope text NOT NULL,
  key text NOT NULL,
  operation text NOT NULL,
  request_hash bytea NOT NULL,
  status integer NOT NULL,
  response text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (scope, key)
);

-- Down Migration
DROP TABLE platform.idempotency_key;
DROP TABLE platform.operator_session;
DROP TABLE platform.operator;
DROP FUNCTION platform.uuid_v7();
DROP SCHEMA platform;
