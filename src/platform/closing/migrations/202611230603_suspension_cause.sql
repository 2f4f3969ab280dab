-- Up Migration
-- Who is suspended for not paying may still fetch an export; who is suspended for something else may not.
ALTER TABLE platform.tenant ADD suspension_cause text CHECK (suspension_cause IN ('payment', 'other'));

-- Down Migration
ALTER TABLE platform.tenant DROP suspension_cause;
