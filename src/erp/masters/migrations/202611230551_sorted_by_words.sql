-- Up Migration
-- Lists sorted by name go by the Unicode order of words (é beside e, small beside capital), found in the index.
CREATE INDEX gl_account_name ON masters.gl_account (company_id, name COLLATE "und-x-icu", id)
  WHERE deleted_at IS NULL;
CREATE INDEX unit_of_measure_name ON masters.unit_of_measure (company_id, name COLLATE "und-x-icu", id)
  WHERE deleted_at IS NULL;

-- Down Migration
DROP INDEX masters.unit_of_measure_name;
DROP INDEX masters.gl_account_name;
