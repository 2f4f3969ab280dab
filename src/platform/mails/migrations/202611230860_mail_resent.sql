-- Up Migration
ALTER TABLE platform.mail ADD COLUMN resent_at timestamptz;

-- Down Migration
ALTER TABLE platform.mail DROP COLUMN resent_at;
