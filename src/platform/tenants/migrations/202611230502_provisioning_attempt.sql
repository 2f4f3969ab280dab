-- Up Migration
-- Each attempt is a workflow of its own: one that has ended does not run again.
ALTER TABLE platform.tenant ADD COLUMN provisioning_attempt integer NOT NULL DEFAULT 1;

-- Down Migration
ALTER TABLE platform.tenant DROP COLUMN provisioning_attempt;
