-- Up Migration
-- Wrong codes since the last right one.
ALTER TABLE platform.operator_second_factor
  ADD COLUMN wrong_codes integer NOT NULL DEFAULT 0,
  ADD COLUMN wrong_code_at timestamptz;

-- Down Migration
ALTER TABLE platform.operator_second_factor DROP COLUMN wrong_codes, DROP COLUMN wrong_code_at;
