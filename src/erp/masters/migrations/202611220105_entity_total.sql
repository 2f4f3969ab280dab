-- Up Migration
-- How many rows a list without filters has, kept by the tables themselves: a page of ten thousand rows
-- need not count them. Tenant-wide entities use the zero UUID as their company.
CREATE TABLE masters.entity_total (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  company_id uuid NOT NULL,
  entity text NOT NULL,
  total bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (company_id, entity)
);
GRANT SELECT, INSERT, UPDATE ON masters.entity_total TO erp_tenant_runtime;

CREATE FUNCTION masters.add_to_total(company uuid, entity text, difference bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO masters.entity_total AS known (company_id, entity, total) VALUES (company, entity, difference)
  ON CONFLICT (company_id, entity) DO UPDATE SET total = known.total + excluded.total, updated_at = now()
$$;

CREATE FUNCTION masters.count_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM masters.add_to_total(company, TG_TABLE_NAME, difference) FROM (
    SELECT coalesce((to_jsonb(n) ->> 'company_id')::uuid, '00000000-0000-0000-0000-000000000000') AS company,
      count(*) FILTER (WHERE n.deleted_at IS NULL) AS difference
    FROM new_rows n GROUP BY 1) counted WHERE difference <> 0;
  RETURN NULL;
END $$;

CREATE FUNCTION masters.count_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM masters.add_to_total(company, TG_TABLE_NAME, -difference) FROM (
    SELECT coalesce((to_jsonb(o) ->> 'company_id')::uuid, '00000000-0000-0000-0000-000000000000') AS company,
      count(*) FILTER (WHERE o.deleted_at IS NULL) AS difference
    FROM old_rows o GROUP BY 1) counted WHERE difference <> 0;
  RETURN NULL;
END $$;

CREATE FUNCTION masters.count_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM masters.add_to_total(company, TG_TABLE_NAME, difference) FROM (
    SELECT coalesce((to_jsonb(n) ->> 'company_id')::uuid, '00000000-0000-0000-0000-000000000000') AS company,
      count(*) FILTER (WHERE n.deleted_at IS NULL) - count(*) FILTER (WHERE o.deleted_at IS NULL) AS difference
    FROM new_rows n JOIN old_rows o USING (id) GROUP BY 1) counted WHERE difference <> 0;
  RETURN NULL;
END $$;

-- One call makes a table a master: version, audit and total are kept for it.
CREATE FUNCTION masters.keep(entity regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION core.touch()', entity);
  EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION audit.record_change()', entity);
  EXECUTE format('CREATE TRIGGER count_inserted AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION masters.count_inserted()', entity);
  EXECUTE format('CREATE TRIGGER count_deleted AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION masters.count_deleted()', entity);
  EXECUTE format('CREATE TRIGGER count_updated AFTER UPDATE ON %s
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION masters.count_updated()', entity);
END $$;
REVOKE ALL ON FUNCTION masters.keep(regclass) FROM PUBLIC;

-- Down Migration
DROP FUNCTION masters.keep(regclass);
DROP FUNCTION masters.count_updated();
DROP FUNCTION masters.count_deleted();
DROP FUNCTION masters.count_inserted();
DROP FUNCTION masters.add_to_total(uuid, text, bigint);
DROP TABLE masters.entity_total;
