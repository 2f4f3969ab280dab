-- Up Migration
-- One unit of from_currency is worth so many units of to_currency.
CREATE TABLE masters.exchange_rate (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  from_currency text NOT NULL,
  to_currency text NOT NULL,
  rate_date date NOT NULL,
  mid numeric(28, 12) NOT NULL CHECK (mid > 0),
  buy numeric(28, 12) CHECK (buy > 0),
  sell numeric(28, 12) CHECK (sell > 0),
  source text NOT NULL DEFAULT 'manual',
  is_active boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (from_currency <> to_currency)
);
CREATE UNIQUE INDEX exchange_rate_day_key ON masters.exchange_rate (from_currency, to_currency, rate_date)
  WHERE deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON masters.exchange_rate TO erp_tenant_runtime;
SELECT masters.keep('masters.exchange_rate');

-- Down Migration
DROP TABLE masters.exchange_rate;
