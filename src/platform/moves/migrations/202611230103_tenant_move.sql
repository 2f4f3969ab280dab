-- Up Migration
CREATE TABLE platform.tenant_move (
  id uuid PRIMARY KEY DEFAULT platform.uuid_v7(),
  tenant_id uuid NOT NULL REFERENCES platform.tenant,
  from_server_id uuid NOT NULL REFERENCES platform.server,
  to_server_id uuid NOT NULL REFERENCES platform.server,
  -- The move that this one takes back.
  undoes_id uuid UNIQUE REFERENCES platform.tenant_move,
  status text NOT NULL CHECK (status IN ('running', 'done', 'failed', 'undone')),
  error text,
  -- What both databases were like when they were compared, and how long writes were held for it.
  schema_version text,
  tables integer,
  rows bigint,
  ledger_checksum text,
  held_milliseconds integer,
  -- Of the new database, in its own counting: rows written by older transactions are those that came with the move.
  written_since text,
  switched_at timestamptz,
  -- The old database, kept under this name and shut to everybody.
  kept_database text,
  kept_until timestamptz,
  dropped_at timestamptz,
  -- Of a failed move: nothing of it is left, on either server.
  cleared_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (from_server_id <> to_server_id)
);
CREATE INDEX tenant_move_tenant ON platform.tenant_move (tenant_id, created_at DESC);
CREATE UNIQUE INDEX tenant_move_running ON platform.tenant_move (tenant_id) WHERE status = 'running';
CREATE INDEX tenant_move_kept ON platform.tenant_move (from_server_id)
  WHERE kept_database IS NOT NULL AND dropped_at IS NULL;
CREATE INDEX tenant_move_uncleared ON platform.tenant_move (updated_at) WHERE status = 'failed' AND cleared_at IS NULL;

-- Down Migration
DROP TABLE platform.tenant_move;
