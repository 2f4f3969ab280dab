-- contract: 202611220004_tenants (names of servers were never written by code, only by that migration)
-- Up Migration
-- The row without a host is the server that the configuration names; every other one carries its address.
ALTER TABLE platform.server
  ADD host text,
  ADD port integer CHECK (port BETWEEN 1 AND 65535),
  ADD ssl_mode text CHECK (ssl_mode IN ('disable', 'require', 'verify-full')),
  ADD admin_database text,
  ADD sealed_admin_user text,
  ADD sealed_admin_password text,
  ADD region text,
  -- Tenants' databases at most; NULL: no limit.
  ADD database_limit integer CHECK (database_limit > 0),
  ADD is_reachable boolean,
  ADD server_version text,
  ADD database_count integer,
  ADD connection_count integer,
  ADD last_error text,
  ADD checked_at timestamptz,
  ADD deleted_at timestamptz,
  ADD CONSTRAINT server_address_whole CHECK (num_nonnulls(host, port, ssl_mode, admin_database) IN (0, 4)),
  -- A server that was taken away keeps its row for what refers to it, and no key to it.
  ADD CONSTRAINT server_credentials_whole CHECK (num_nonnulls(sealed_admin_user, sealed_admin_password)
    = CASE WHEN host IS NULL OR deleted_at IS NOT NULL THEN 0 ELSE 2 END),
  DROP CONSTRAINT server_name_key;
CREATE UNIQUE INDEX server_name_key ON platform.server (lower(name)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX server_address_key ON platform.server (lower(host), port) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX server_configured_key ON platform.server ((host IS NULL)) WHERE host IS NULL;

-- Long work that has a tenant to itself, e.g. `move`: two kinds of it would undo each other.
ALTER TABLE platform.tenant ADD busy_with text;
CREATE INDEX tenant_server ON platform.tenant (server_id);

-- Down Migration
DROP INDEX platform.tenant_server;
ALTER TABLE platform.tenant DROP busy_with;
DELETE FROM platform.server WHERE deleted_at IS NOT NULL;
DROP INDEX platform.server_configured_key;
DROP INDEX platform.server_address_key;
DROP INDEX platform.server_name_key;
ALTER TABLE platform.server
  ADD CONSTRAINT server_name_key UNIQUE (name),
  DROP CONSTRAINT server_credentials_whole,
  DROP CONSTRAINT server_address_whole,
  DROP deleted_at, DROP checked_at, DROP last_error, DROP connection_count, DROP database_count,
  DROP server_version, DROP is_reachable, DROP database_limit, DROP region, DROP sealed_admin_password,
  DROP sealed_admin_user, DROP admin_database, DROP ssl_mode, DROP port, DROP host;
