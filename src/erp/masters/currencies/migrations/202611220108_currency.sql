-- Up Migration
CREATE TABLE masters.currency (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  code text NOT NULL CHECK (code ~ '^[A-Z]{3}$'),
  name text NOT NULL,
  numeric_code text,
  minor_units smallint NOT NULL CHECK (minor_units BETWEEN 0 AND 4),
  symbol text,
  is_active boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX currency_code_key ON masters.currency (code) WHERE deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON masters.currency TO erp_tenant_runtime;
SELECT masters.keep('masters.currency');

-- Down Migration
DROP TABLE masters.currency;
