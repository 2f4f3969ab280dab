-- Up Migration
-- Which tenants are visited, so that what is done for each of them from time to time leaves the idle ones alone.
CREATE TABLE platform.tenant_activity (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL UNIQUE REFERENCES platform.tenant,
  -- To the hour: each process says so once an hour.
  active_at timestamptz NOT NULL,
  purged_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Down Migration
DROP TABLE platform.tenant_activity;
