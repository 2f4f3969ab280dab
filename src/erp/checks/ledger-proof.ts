/**
 * The ledger in one row: how many entries and lines, what they add up to, and one sum over the balances of
 * every account. Two databases whose books are the same give the same row. Asked by the role that owns the
 * tables, which sees all companies.
 */
export const ledgerProof = {
  name: 'ledger',
  text: `SELECT (SELECT count(*) FROM finance.journal_entry)::text AS entries, sum(lines)::text AS lines,
    sum(debit)::text AS debit, sum(credit)::text AS credit,
    md5(string_agg(concat_ws(' ', company_id, account_id, currency, lines, debit, credit, currency_debit,
      currency_credit), ',' ORDER BY company_id, account_id, currency)) AS balances
  FROM (SELECT company_id, account_id, currency, count(*) AS lines, sum(debit) AS debit, sum(credit) AS credit,
      sum(currency_debit) AS currency_debit, sum(currency_credit) AS currency_credit
    FROM finance.journal_line GROUP BY 1, 2, 3) balances`,
} as const
