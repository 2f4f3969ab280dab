-- Up Migration
-- A password on its way: the server may have it already. Whoever finds the present one refused tries this one.
ALTER TABLE platform.tenant
  ADD sealed_next_runtime_password text,
  ADD runtime_password_changed_at timestamptz;

-- Down Migration
ALTER TABLE platform.tenant
  DROP runtime_password_changed_at,
  DROP sealed_next_runtime_password;
