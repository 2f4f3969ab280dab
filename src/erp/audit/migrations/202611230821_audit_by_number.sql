-- outside a transaction
-- Up Migration
DROP INDEX CONCURRENTLY IF EXISTS audit.change_by_number;
CREATE INDEX CONCURRENTLY change_by_number ON audit.change (number);

-- Down Migration
DROP INDEX CONCURRENTLY IF EXISTS audit.change_by_number;
