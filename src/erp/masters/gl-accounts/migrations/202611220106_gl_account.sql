-- Up Migration
CREATE TABLE masters.gl_account (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  code text NOT NULL,
  name text NOT NULL,
  name_arabic text,
  type text NOT NULL CHECK (type IN ('asset', 'liability', 'equity', 'revenue', 'expense')),
  parent_id uuid,
  control_account text NOT NULL DEFAULT 'none'
    CHECK (control_account IN ('none', 'receivable', 'payable', 'inventory', 'tax', 'bank')),
  posting_allowed boolean NOT NULL DEFAULT true,
  currency text,
  is_active boolean NOT NULL DEFAULT true,
  metadata jsonb NOT NULL DEFAULT '{}',
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (id, company_id),
  FOREIGN KEY (parent_id, company_id) REFERENCES masters.gl_account (id, company_id),
  CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX gl_account_code_key ON masters.gl_account (company_id, code) WHERE deleted_at IS NULL;
CREATE INDEX gl_account_parent ON masters.gl_account (parent_id);
GRANT SELECT, INSERT, UPDATE ON masters.gl_account TO erp_tenant_runtime;
ALTER TABLE masters.gl_account ENABLE ROW LEVEL SECURITY;
CREATE POLICY company ON masters.gl_account USING (company_id = (SELECT core.current_company()));
SELECT masters.keep('masters.gl_account');

-- Down Migration
DROP TABLE masters.gl_account;
