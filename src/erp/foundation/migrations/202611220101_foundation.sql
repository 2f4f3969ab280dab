-- Up Migration
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA core;
CREATE SCHEMA masters;
CREATE SCHEMA finance;
CREATE SCHEMA inventory;
CREATE SCHEMA sales;
CREATE SCHEMA purchasing;
CREATE SCHEMA audit;
GRANT USAGE ON SCHEMA core, masters, finance, inventory, sales, purchasing, audit TO erp_tenant_runtime;

CREATE FUNCTION core.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  -- RFC 9562: 48 bits of Unix milliseconds over a random UUID, version bits set to 7.
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid
$$;

-- The company this transaction works in; row-level security compares with it. NULL: none, no rows.
CREATE FUNCTION core.current_company() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('erp.company_id', true), '')::uuid
$$;

CREATE FUNCTION core.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: nothing in it is changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION core.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Never the same twice: updated_at is the row's version (ETag).
  NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
  RETURN NEW;
END $$;

CREATE TABLE core.idempotency_key (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
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
GRANT SELECT, INSERT, DELETE ON core.idempotency_key TO erp_tenant_runtime;

-- Down Migration
DROP TABLE core.idempotency_key;
DROP FUNCTION core.touch();
DROP FUNCTION core.refuse_change();
DROP FUNCTION core.current_company();
DROP FUNCTION core.uuid_v7();
DROP SCHEMA audit;
DROP SCHEMA purchasing;
DROP SCHEMA sales;
DROP SCHEMA inventory;
DROP SCHEMA finance;
DROP SCHEMA masters;
DROP SCHEMA core;
