-- Up Migration
CREATE TABLE finance.fiscal_year (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  name text NOT NULL,
  start_date date NOT NULL,
  end_date date NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (start_date < end_date),
  UNIQUE (company_id, name)
);

CREATE TABLE finance.period (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  fiscal_year_id uuid NOT NULL REFERENCES finance.fiscal_year,
  name text NOT NULL,
  start_date date NOT NULL,
  end_date date NOT NULL,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
  status_reason text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (start_date <= end_date)
);
CREATE UNIQUE INDEX period_start_key ON finance.period (company_id, start_date);

CREATE TABLE finance.journal (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  code text NOT NULL,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (company_id, code)
);

CREATE TABLE finance.number_series (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  journal_id uuid NOT NULL REFERENCES finance.journal,
  fiscal_year_id uuid NOT NULL REFERENCES finance.fiscal_year,
  last_number bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (company_id, journal_id, fiscal_year_id)
) WITH (fillfactor = 50);

-- Posted entries only: append-only from the first moment. `sequence` has no gaps.
CREATE TABLE finance.journal_entry (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  -- Company and fiscal year are the period's: journal_entry_check compares them.
  company_id uuid NOT NULL,
  journal_id uuid NOT NULL REFERENCES finance.journal,
  fiscal_year_id uuid NOT NULL,
  period_id uuid NOT NULL REFERENCES finance.period,
  sequence bigint NOT NULL CHECK (sequence > 0),
  number text NOT NULL,
  transaction_date date NOT NULL,
  posting_date date NOT NULL,
  description text,
  reference text,
  -- What the entry was made from, e.g. an import's document: booked once only.
  source_type text,
  source_id text,
  reverses_id uuid UNIQUE REFERENCES finance.journal_entry,
  currency text NOT NULL,
  total numeric(19, 4) NOT NULL CHECK (total > 0),
  line_count integer NOT NULL CHECK (line_count >= 2),
  posted_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (company_id, journal_id, fiscal_year_id, sequence)
);
CREATE INDEX journal_entry_date ON finance.journal_entry (company_id, posting_date DESC, id DESC);
CREATE UNIQUE INDEX journal_entry_source_key ON finance.journal_entry (company_id, source_type, source_id)
  WHERE source_type IS NOT NULL;

CREATE TABLE finance.journal_line (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL,
  entry_id uuid NOT NULL REFERENCES finance.journal_entry,
  line_number integer NOT NULL,
  account_id uuid NOT NULL,
  posting_date date NOT NULL,
  -- In the company's base currency, in which every entry balances.
  debit numeric(19, 4) NOT NULL CHECK (debit >= 0),
  credit numeric(19, 4) NOT NULL CHECK (credit >= 0),
  currency text NOT NULL,
  currency_debit numeric(19, 4) NOT NULL CHECK (currency_debit >= 0),
  currency_credit numeric(19, 4) NOT NULL CHECK (currency_credit >= 0),
  exchange_rate numeric(28, 12) NOT NULL CHECK (exchange_rate > 0),
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (entry_id, line_number),
  FOREIGN KEY (account_id, company_id) REFERENCES masters.gl_account (id, company_id),
  CHECK ((debit = 0) <> (credit = 0))
);
CREATE INDEX journal_line_account ON finance.journal_line (company_id, account_id, posting_date, id);

CREATE TABLE finance.journal_draft (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL REFERENCES core.company,
  transaction_date date NOT NULL,
  posting_date date NOT NULL,
  description text,
  reference text,
  currency text NOT NULL,
  total numeric(19, 4) NOT NULL,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX journal_draft_date ON finance.journal_draft (company_id, posting_date DESC, id DESC);

CREATE TABLE finance.journal_draft_line (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL,
  draft_id uuid NOT NULL REFERENCES finance.journal_draft ON DELETE CASCADE,
  line_number integer NOT NULL,
  account_id uuid NOT NULL,
  debit numeric(19, 4) NOT NULL,
  credit numeric(19, 4) NOT NULL,
  currency text NOT NULL,
  currency_debit numeric(19, 4) NOT NULL,
  currency_credit numeric(19, 4) NOT NULL,
  exchange_rate numeric(28, 12) NOT NULL,
  description text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (draft_id, line_number),
  FOREIGN KEY (account_id, company_id) REFERENCES masters.gl_account (id, company_id)
);
CREATE INDEX journal_draft_line_account ON finance.journal_draft_line (account_id);

-- What the lines add up to, by month and by day, kept as entries are posted. Sharded by connection so that
-- two postings to one account do not wait for each other; readers add the shards up.
CREATE TABLE finance.account_balance (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL,
  grain text NOT NULL CHECK (grain IN ('month', 'day')),
  start_date date NOT NULL,
  account_id uuid NOT NULL,
  currency text NOT NULL,
  shard smallint NOT NULL,
  debit numeric(24, 4) NOT NULL,
  credit numeric(24, 4) NOT NULL,
  currency_debit numeric(24, 4) NOT NULL,
  currency_credit numeric(24, 4) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (company_id, grain, start_date, account_id, currency, shard),
  FOREIGN KEY (account_id, company_id) REFERENCES masters.gl_account (id, company_id)
) WITH (fillfactor = 70);

-- ---- the database's own word on what is posted ---------------------------------------------------------

-- An entry comes with its lines in one statement; then it must be whole, balanced, and in an open period.
--
-- These functions look rows up by their keys alone, with their owner's rights (row security would add the
-- company to every condition): in a young tenant, whose tables have no statistics yet, any other index looks
-- as good to the planner, and one posting came to read all lines of its day (4.5 of 7 ms).
CREATE FUNCTION finance.check_posted_entries() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  wrong text;
BEGIN
  -- Shared with other postings, exclusive for closing: whoever closes waits for us, or we see it closed.
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(period_id::text, 0))
    FROM (SELECT DISTINCT period_id FROM new_entries ORDER BY period_id) periods;

  SELECT e.number INTO wrong FROM new_entries e WHERE NOT EXISTS (
      SELECT FROM finance.period p WHERE p.id = e.period_id
        AND (p.company_id, p.fiscal_year_id, p.status) = (e.company_id, e.fiscal_year_id, 'open')
        AND e.posting_date BETWEEN p.start_date AND p.end_date)
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % is not in an open period of its company', wrong
      USING ERRCODE = 'check_violation', CONSTRAINT = 'journal_entry_period_open';
  END IF;

  SELECT e.number INTO wrong FROM new_entries e CROSS JOIN LATERAL (
      SELECT count(*) AS all_lines, sum(l.debit) AS debit, sum(l.credit) AS credit,
        count(*) FILTER (WHERE (l.company_id, l.posting_date) = (e.company_id, e.posting_date)) AS lines
      FROM finance.journal_line l WHERE l.entry_id = e.id) found
    WHERE found.lines <> e.line_count OR found.all_lines <> e.line_count
      OR found.debit IS DISTINCT FROM e.total OR found.credit IS DISTINCT FROM e.total
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'entry % does not balance or its lines are not whole', wrong
      USING ERRCODE = 'check_violation', CONSTRAINT = 'journal_entry_balanced';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER journal_entry_check AFTER INSERT ON finance.journal_entry
  REFERENCING NEW TABLE AS new_entries
  FOR EACH STATEMENT EXECUTE FUNCTION finance.check_posted_entries();

-- Nothing is added to an entry afterwards, not even lines that balance.
CREATE FUNCTION finance.check_posted_lines() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  PERFORM FROM (SELECT DISTINCT entry_id FROM new_lines) changed
    WHERE (SELECT count(*) FROM finance.journal_line l WHERE l.entry_id = changed.entry_id)
      <> (SELECT e.line_count FROM finance.journal_entry e WHERE e.id = changed.entry_id)
    LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'lines cannot be added to a posted entry'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'journal_line_complete';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER journal_line_check AFTER INSERT ON finance.journal_line
  REFERENCING NEW TABLE AS new_lines
  FOR EACH STATEMENT EXECUTE FUNCTION finance.check_posted_lines();

CREATE TRIGGER journal_entry_is_append_only BEFORE UPDATE OR DELETE ON finance.journal_entry
  FOR EACH ROW EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER journal_entry_is_not_truncated BEFORE TRUNCATE ON finance.journal_entry
  FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER journal_line_is_append_only BEFORE UPDATE OR DELETE ON finance.journal_line
  FOR EACH ROW EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER journal_line_is_not_truncated BEFORE TRUNCATE ON finance.journal_line
  FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

-- ---- rights --------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON finance.fiscal_year, finance.period, finance.journal, finance.number_series,
  finance.account_balance TO erp_tenant_runtime;
GRANT SELECT, INSERT ON finance.journal_entry, finance.journal_line TO erp_tenant_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON finance.journal_draft, finance.journal_draft_line TO erp_tenant_runtime;

DO $$
DECLARE
  entity text;
BEGIN
  FOREACH entity IN ARRAY ARRAY['fiscal_year', 'period', 'journal', 'number_series', 'journal_entry',
    'journal_line', 'journal_draft', 'journal_draft_line', 'account_balance'] LOOP
    EXECUTE format('ALTER TABLE finance.%I ENABLE ROW LEVEL SECURITY', entity);
    EXECUTE format('CREATE POLICY company ON finance.%I USING (company_id = (SELECT core.current_company()))', entity);
  END LOOP;
END $$;
CREATE TRIGGER fiscal_year_audit AFTER INSERT OR UPDATE OR DELETE ON finance.fiscal_year
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();
CREATE TRIGGER period_touch BEFORE UPDATE ON finance.period FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER period_audit AFTER UPDATE OR DELETE ON finance.period
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();
CREATE TRIGGER journal_draft_touch BEFORE UPDATE ON finance.journal_draft
  FOR EACH ROW EXECUTE FUNCTION core.touch();
CREATE TRIGGER journal_draft_audit AFTER INSERT OR UPDATE OR DELETE ON finance.journal_draft
  FOR EACH ROW EXECUTE FUNCTION audit.record_change();

-- Down Migration
DROP TABLE finance.account_balance;
DROP TABLE finance.journal_draft_line;
DROP TABLE finance.journal_draft;
DROP TABLE finance.journal_line;
DROP TABLE finance.journal_entry;
DROP TABLE finance.number_series;
DROP TABLE finance.journal;
DROP TABLE finance.period;
DROP TABLE finance.fiscal_year;
DROP FUNCTION finance.check_posted_lines();
DROP FUNCTION finance.check_posted_entries();
