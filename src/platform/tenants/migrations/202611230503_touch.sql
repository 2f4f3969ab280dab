-- Up Migration
-- Kept by the tables themselves: whoever changed a row by another way had left `updated_at` as it was.
CREATE FUNCTION platform.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Never the same twice: updated_at is the row's version (ETag).
  NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON platform.tenant FOR EACH ROW EXECUTE FUNCTION platform.touch();
CREATE TRIGGER touch BEFORE UPDATE ON platform.server FOR EACH ROW EXECUTE FUNCTION platform.touch();
CREATE TRIGGER touch BEFORE UPDATE ON platform.plan FOR EACH ROW EXECUTE FUNCTION platform.touch();
CREATE TRIGGER touch BEFORE UPDATE ON platform.operator FOR EACH ROW EXECUTE FUNCTION platform.touch();

-- Down Migration
DROP TRIGGER touch ON platform.operator;
DROP TRIGGER touch ON platform.plan;
DROP TRIGGER touch ON platform.server;
DROP TRIGGER touch ON platform.tenant;
DROP FUNCTION platform.touch();
