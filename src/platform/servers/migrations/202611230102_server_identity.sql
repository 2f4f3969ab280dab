-- Up Migration
-- Which cluster it is, by whatever name it is reached: one that is registered twice would be given twice its room.
ALTER TABLE platform.server ADD system_identifier text;
CREATE UNIQUE INDEX server_system_identifier_key ON platform.server (system_identifier) WHERE deleted_at IS NULL;

-- Down Migration
DROP INDEX platform.server_system_identifier_key;
ALTER TABLE platform.server DROP system_identifier;
