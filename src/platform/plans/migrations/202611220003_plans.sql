-- Up Migration
CREATE TABLE platform.plan (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  code text NOT NULL UNIQUE,
  name text NOT NULL,
  monthly_price numeric(19, 4) NOT NULL CHECK (monthly_price >= 0),
  currency text NOT NULL DEFAULT 'USD',
  companies_limit integer,
  users_per_company_limit integer,
  transactions_per_month_limit integer,
  storage_gigabytes_limit integer NOT NULL,
  requests_per_hour_limit integer NOT NULL,
  support text NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO platform.plan (code, name, monthly_price, companies_limit, users_per_company_limit,
  transactions_per_month_limit, storage_gigabytes_limit, requests_per_hour_limit, support) VALUES
  ('trial', 'Trial (14 days)', 0, 1, 3, 100, 10, 1000, 'e-mail'),
  ('starter', 'Starter', 49, 1, 5, 1000, 10, 1000, 'e-mail'),
  ('professional', 'Professional', 199, 3, 20, 10000, 50, 5000, 'priority'),
  ('enterprise', 'Enterprise', 599, 10, 100, 100000, 500, 20000, 'dedicated'),
  ('unlimited', 'Unlimited', 1999, NULL, NULL, NULL, 2000, 100000, 'dedicated');

-- Down Migration
DROP TABLE platform.plan;
