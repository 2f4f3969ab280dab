-- No code has ever written fiscal years that overlap: the rule was the program's from the first release on.
-- contract: 202611220110_ledger
-- Up Migration
-- The days of one company as numbers that no other company's days meet: so that one range tells company and
-- days, and GiST keeps fiscal years apart without btree_gist, which would add 0.4 MB to every tenant.
CREATE FUNCTION finance.company_days(company uuid, first_day date, last_day date) RETURNS numrange
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT numrange(start, start + (last_day - first_day), '[]')
  FROM (SELECT (('x' || left(digits, 16))::bit(64)::bigint::numeric * 18446744073709551616
      + ('x' || right(digits, 16))::bit(64)::bigint::numeric) * 10000000000 + (first_day - date '0001-01-01') AS start
    FROM (SELECT replace(company::text, '-', '') AS digits) AS hexadecimal) AS numbered
$$;
ALTER TABLE finance.fiscal_year ADD CONSTRAINT fiscal_year_overlap
  EXCLUDE USING gist (finance.company_days(company_id, start_date, end_date) WITH &&);

-- Down Migration
ALTER TABLE finance.fiscal_year DROP CONSTRAINT fiscal_year_overlap;
DROP FUNCTION finance.company_days(uuid, date, date);
