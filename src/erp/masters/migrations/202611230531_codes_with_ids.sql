-- contract: 202611220107_unit_of_measure (unique as before, by an index that also carries the id)
-- Up Migration
-- A page of a list is found in the index alone: the rows before it are passed over without being fetched.
CREATE UNIQUE INDEX gl_account_code_with_id ON masters.gl_account (company_id, code) INCLUDE (id)
  WHERE deleted_at IS NULL;
DROP INDEX masters.gl_account_code_key;
ALTER INDEX masters.gl_account_code_with_id RENAME TO gl_account_code_key;

CREATE UNIQUE INDEX unit_of_measure_code_with_id ON masters.unit_of_measure (company_id, code) INCLUDE (id)
  WHERE deleted_at IS NULL;
DROP INDEX masters.unit_of_measure_code_key;
ALTER INDEX masters.unit_of_measure_code_with_id RENAME TO unit_of_measure_code_key;

-- Down Migration
DROP INDEX masters.unit_of_measure_code_key;
CREATE UNIQUE INDEX unit_of_measure_code_key ON masters.unit_of_measure (company_id, code)
  WHERE deleted_at IS NULL;
DROP INDEX masters.gl_account_code_key;
CREATE UNIQUE INDEX gl_account_code_key ON masters.gl_account (company_id, code) WHERE deleted_at IS NULL;
