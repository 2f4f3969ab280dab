-- Up Migration
-- The same columns as a user's session: both are kept by the same code.
ALTER TABLE platform.operator_session ADD COLUMN is_remembered boolean NOT NULL DEFAULT false;

-- Down Migration
ALTER TABLE platform.operator_session DROP COLUMN is_remembered;
