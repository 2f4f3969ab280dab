-- Up Migration
-- Wrong codes since the last right one. Not written to the audit, which keeps refused sign-ins as such.
ALTER TABLE core.second_factor
  ADD COLUMN wrong_codes integer NOT NULL DEFAULT 0,
  ADD COLUMN wrong_code_at timestamptz;

-- Down Migration
ALTER TABLE core.second_factor DROP COLUMN wrong_codes, DROP COLUMN wrong_code_at;
