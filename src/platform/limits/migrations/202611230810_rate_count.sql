-- Up Migration
-- Tries at passwords (src/http/rate-limits.ts). Keys are hashes: nobody's address is kept here.
CREATE TABLE platform.rate_count (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  key text NOT NULL UNIQUE,
  count integer NOT NULL,
  window_ends_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rate_count_end ON platform.rate_count (window_ends_at);

-- Down Migration
DROP TABLE platform.rate_count;
