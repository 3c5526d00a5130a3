-- Roles, time, tenancy, audit, history, idempotency and keys: what every context stands on.

-- The application owns nothing and is fenced by row-level security; the worker sees only what its own policies open to it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'strongroom_app') THEN CREATE ROLE strongroom_app LOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'strongroom_worker') THEN CREATE ROLE strongroom_worker LOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- two databases of one server may be migrated at once
END $$;

DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO strongroom_app, strongroom_worker', current_database()); END $$;
GRANT USAGE ON SCHEMA public TO strongroom_app, strongroom_worker;

DO $$ BEGIN
  IF to_regclass('schema_migrations') IS NOT NULL THEN GRANT SELECT ON schema_migrations TO strongroom_app, strongroom_worker; END IF;
END $$;

-- One row; moved only by tests and the development clock. Production refuses to start unless it is zero.
CREATE TABLE clock_offset (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  ahead interval NOT NULL DEFAULT '0'
);
INSERT INTO clock_offset DEFAULT VALUES;
GRANT SELECT ON clock_offset TO strongroom_app, strongroom_worker;

-- The only clock that SQL reads.
CREATE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  $$ SELECT clock_timestamp() + (SELECT ahead FROM clock_offset) $$;

-- The tenant of the running transaction; NULL matches no row.
CREATE FUNCTION app_tenant() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT nullif(current_setting('strongroom.tenant', true), '') $$;

-- Fences a table: row-level security forced, one policy for the tenant, and one for the worker where it scans all tenants.
CREATE FUNCTION fence(fenced regclass, tenant_column text, worker boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', fenced);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', fenced);
  EXECUTE format('CREATE POLICY tenant ON %s USING (%I = app_tenant()) WITH CHECK (%I = app_tenant())',
                 fenced, tenant_column, tenant_column);
  IF worker THEN
    EXECUTE format('CREATE POLICY worker ON %s TO strongroom_worker USING (true) WITH CHECK (true)', fenced);
  END IF;
END $$;

-- What is looked up before the tenant is known: a keyed hash leads to a tenant and an object, and to nothing else.
CREATE TABLE directory (
  kind text NOT NULL CHECK (kind IN ('client', 'identity', 'grant', 'payment_state', 'share_state', 'staff')),
  key_hash bytea NOT NULL,
  tenant_id text NOT NULL,
  object_id text NOT NULL,
  PRIMARY KEY (kind, key_hash, tenant_id, object_id)
);
CREATE INDEX directory_by_object ON directory (tenant_id, object_id);
GRANT SELECT, INSERT, DELETE ON directory TO strongroom_app, strongroom_worker;

-- Keys of tenants, wrapped by the root key whose version is in the value.
CREATE TABLE tenant_keys (
  tenant_id text NOT NULL,
  version int NOT NULL,
  key_sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  retired_at timestamptz,
  PRIMARY KEY (tenant_id, version)
);
SELECT fence('tenant_keys', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE ON tenant_keys TO strongroom_app, strongroom_worker;

-- Every move of every state machine.
CREATE TABLE history (
  tenant_id text NOT NULL,
  object_id text NOT NULL,
  position bigint GENERATED ALWAYS AS IDENTITY,
  machine text NOT NULL,
  before text NOT NULL,
  after text NOT NULL,
  event text NOT NULL,
  detail jsonb,
  at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, object_id, position)
);
SELECT fence('history', 'tenant_id', true);
GRANT SELECT, INSERT ON history TO strongroom_app, strongroom_worker;

-- Who did what, appended in the transaction that did it; the sealer chains rows afterwards, so that no request waits.
CREATE TABLE audit_entries (
  tenant_id text NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  at timestamptz NOT NULL DEFAULT app_now(),
  actor text NOT NULL,
  tag text NOT NULL,
  subject text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (tenant_id, id)
);
SELECT fence('audit_entries', 'tenant_id', true);
GRANT SELECT, INSERT ON audit_entries TO strongroom_app, strongroom_worker;
CREATE INDEX audit_entries_by_transaction ON audit_entries (transaction_id);

-- The chain over the entries of one tenant: SHA-512 of the previous link and the entry's canonical text.
CREATE TABLE audit_seals (
  tenant_id text NOT NULL,
  sequence bigint NOT NULL,
  entry_id bigint NOT NULL,
  chain_hash bytea NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, sequence)
);
CREATE UNIQUE INDEX audit_seals_by_entry ON audit_seals (tenant_id, entry_id);
SELECT fence('audit_seals', 'tenant_id', true);
GRANT SELECT ON audit_seals TO strongroom_app;
GRANT SELECT, INSERT ON audit_seals TO strongroom_worker;

-- How far the sealer has come: entries of transactions below this id are all sealed.
CREATE TABLE audit_progress (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  sealed_below xid8 NOT NULL DEFAULT '0'
);
INSERT INTO audit_progress DEFAULT VALUES;
GRANT SELECT, UPDATE ON audit_progress TO strongroom_worker;

-- One answer per key, caller and 24 hours; written in the transaction of the work that it answers for.
CREATE TABLE idempotency_keys (
  tenant_id text NOT NULL,
  caller_id text NOT NULL,
  key_hash bytea NOT NULL,
  fingerprint_hash bytea NOT NULL,
  answer_sealed bytea,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, caller_id, key_hash)
);
SELECT fence('idempotency_keys', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO strongroom_app, strongroom_worker;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Counters for limits: one row per thing limited and window, raised by a conditional update.
CREATE TABLE rate_windows (
  name text NOT NULL,
  key_hash bytea NOT NULL,
  window_start timestamptz NOT NULL,
  used int NOT NULL,
  PRIMARY KEY (name, key_hash, window_start)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_windows TO strongroom_app, strongroom_worker;
CREATE INDEX rate_windows_by_age ON rate_windows (window_start);

-- Which processes run and when they last said so; the ready probe and operators read it.
CREATE TABLE heartbeats (
  process_id text PRIMARY KEY,
  kind text NOT NULL,
  beat_at timestamptz NOT NULL DEFAULT app_now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeats TO strongroom_app, strongroom_worker;
