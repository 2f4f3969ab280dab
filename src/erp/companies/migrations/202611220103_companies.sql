-- Up Migration
CREATE TABLE core.company (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  code text NOT NULL,
  name text NOT NULL,
  legal_name text,
  tax_id text,
  country text NOT NULL,
  base_currency text NOT NULL,
  fiscal_year_start_month smallint NOT NULL DEFAULT 1 CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
  chart_template text NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX company_code_key ON core.company (lower(code)) WHERE deleted_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON core.company TO erp_tenant_runtime;
CREATE TRIGGER company_touch BEFORE UPDATE ON core.company FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER company_audit AFTER INSERT OR UPDATE OR DELETE ON core.company
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- Down Migration
DROP TABLE core.company;
