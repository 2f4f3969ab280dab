-- Up Migration
-- A currency belongs to the whole tenant, but who uses it may be another company's, which row security hides
-- from the one that asks: so this looks with its owner's eyes, and tells no more than the kind of user.
CREATE FUNCTION masters.currency_used_by(code text) RETURNS SETOF text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
  SELECT 'companies' WHERE EXISTS (SELECT FROM core.company c WHERE c.base_currency = $1)
  UNION ALL SELECT 'exchange rates' WHERE EXISTS (
    SELECT FROM masters.exchange_rate r WHERE r.deleted_at IS NULL AND $1 IN (r.from_currency, r.to_currency))
  UNION ALL SELECT 'GL accounts' WHERE EXISTS (
    SELECT FROM masters.gl_account a WHERE a.currency = $1 AND a.deleted_at IS NULL)
  UNION ALL SELECT 'journal entries' WHERE EXISTS (SELECT FROM finance.account_balance b WHERE b.currency = $1)
$$;

-- Down Migration
DROP FUNCTION masters.currency_used_by(text);
