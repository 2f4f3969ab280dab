-- Up Migration
CREATE TABLE masters.unit_of_measure (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  code text NOT NULL,
  name text NOT NULL,
  category text NOT NULL,
  -- How many base units of the category one of this unit is; exact.
  factor numeric(30, 12) NOT NULL CHECK (factor > 0),
  is_base boolean NOT NULL DEFAULT false,
  is_active boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (NOT is_base OR factor = 1)
);
CREATE UNIQUE INDEX unit_of_measure_code_key ON masters.unit_of_measure (company_id, code) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX unit_of_measure_base_key ON masters.unit_of_measure (company_id, category)
  WHERE is_base AND deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON masters.unit_of_measure TO erp_tenant_runtime;
ALTER TABLE masters.unit_of_measure ENABLE ROW LEVEL SECURITY;
CREATE POLICY company ON masters.unit_of_measure USING (company_id = (SELECT core.current_company()));
SELECT masters.keep('masters.unit_of_measure');

-- Down Migration
DROP TABLE masters.unit_of_measure;
