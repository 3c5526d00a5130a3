-- Who is calling and what they may do: firms, API clients, access tokens, staff and portal sessions.

CREATE TABLE firms (
  firm_id text PRIMARY KEY,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 140),
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now()
);
SELECT fence('firms', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON firms TO strongroom_app;
GRANT SELECT ON firms TO strongroom_worker;

-- A client is usable while the directory leads to it; disabling removes that row, which also ends all its access tokens.
CREATE TABLE api_clients (
  firm_id text NOT NULL REFERENCES firms,
  id text NOT NULL,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 140),
  scopes text[] NOT NULL,
  keys jsonb,                    -- public keys for private_key_jwt (RFC 7523), a JWK set
  certificate_hash bytea CHECK (octet_length(certificate_hash) = 32),  -- SHA-256 of its certificate (RFC 8705)
  created_at timestamptz NOT NULL DEFAULT app_now(),
  disabled_at timestamptz,
  PRIMARY KEY (firm_id, id)
);
SELECT fence('api_clients', 'firm_id', false);
GRANT SELECT, INSERT, UPDATE ON api_clients TO strongroom_app;

-- Several secrets of one client may be valid at once while they rotate.
CREATE TABLE client_secrets (
  firm_id text NOT NULL,
  client_id text NOT NULL,
  id text NOT NULL,
  secret_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  expires_at timestamptz,
  PRIMARY KEY (firm_id, client_id, id),
  FOREIGN KEY (firm_id, client_id) REFERENCES api_clients
);
SELECT fence('client_secrets', 'firm_id', false);
GRANT SELECT, INSERT, UPDATE ON client_secrets TO strongroom_app;

-- The unique key is what lets a signed assertion be used once (RFC 7523 §3, jti).
CREATE TABLE client_assertions (
  firm_id text NOT NULL,
  client_id text NOT NULL,
  jti_hash bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (firm_id, client_id, jti_hash)
);
SELECT fence('client_assertions', 'firm_id', true);
GRANT SELECT, INSERT ON client_assertions TO strongroom_app;
GRANT SELECT, DELETE ON client_assertions TO strongroom_worker;
CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);

-- A look-up table without a fence, because it is what tells the tenant: a keyed hash of 256 random bits leads to a client and
-- its scopes. It holds nothing personal and no token.
CREATE TABLE access_tokens (
  token_hash bytea PRIMARY KEY,
  id text NOT NULL UNIQUE,
  firm_id text NOT NULL,
  client_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('issued', 'static')),
  name text,
  scopes text[] NOT NULL,
  certificate_hash bytea,        -- set: the token counts only together with this certificate (RFC 8705 §3)
  created_at timestamptz NOT NULL DEFAULT app_now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  CHECK (kind = 'static' OR expires_at IS NOT NULL)
);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);
CREATE INDEX access_tokens_static ON access_tokens (firm_id, created_at) WHERE kind = 'static';
GRANT SELECT, INSERT, UPDATE ON access_tokens TO strongroom_app;
GRANT SELECT, DELETE ON access_tokens TO strongroom_worker;

CREATE TABLE staff_members (
  firm_id text NOT NULL REFERENCES firms,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
  email_hash bytea NOT NULL,
  email_sealed bytea NOT NULL,
  name_sealed bytea NOT NULL,
  password_hash text NOT NULL,   -- argon2id
  totp_seed_sealed bytea NOT NULL,
  totp_last_step bigint NOT NULL DEFAULT 0,  -- RFC 6238 §5.2: a step is accepted once
  attempts int NOT NULL DEFAULT 0,           -- since the last success or lock
  charges bigint NOT NULL DEFAULT 0,         -- attempts ever: names one attempt
  lockouts int NOT NULL DEFAULT 0,           -- since the last success: each lock is longer
  locked_until timestamptz,
  locked_by_charge bigint,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id)
);
CREATE UNIQUE INDEX staff_members_by_email ON staff_members (firm_id, email_hash) WHERE state <> 'disabled';
SELECT fence('staff_members', 'firm_id', false);
GRANT SELECT, INSERT, UPDATE ON staff_members TO strongroom_app;

-- Sessions of customers. One session may cover records of several firms, so it has no tenant: it is found by the keyed hash of
-- 256 random bits, and by nothing else, and holds nothing personal.
CREATE TABLE portal_sessions (
  session_hash bytea PRIMARY KEY,
  id text NOT NULL UNIQUE,
  kind text NOT NULL CHECK (kind IN ('code', 'grant')),
  created_at timestamptz NOT NULL DEFAULT app_now(),
  active_at timestamptz NOT NULL DEFAULT app_now(),
  paused_until timestamptz,      -- while the customer is at the bank
  ended_at timestamptz
);
CREATE INDEX portal_sessions_by_age ON portal_sessions (created_at);
GRANT SELECT, INSERT, UPDATE ON portal_sessions TO strongroom_app;
GRANT SELECT, DELETE ON portal_sessions TO strongroom_worker;

-- What a session covers: opaque ids only. Not fenced, for it is read by the session's hash before any tenant is known; what the
-- ids stand for is behind the fences of each firm.
CREATE TABLE portal_session_records (
  session_hash bytea NOT NULL REFERENCES portal_sessions ON DELETE CASCADE,
  firm_id text NOT NULL,
  customer_id text NOT NULL,
  case_id text,
  PRIMARY KEY (session_hash, firm_id, customer_id)
);
CREATE INDEX portal_session_records_by_customer ON portal_session_records (firm_id, customer_id);
GRANT SELECT, INSERT ON portal_session_records TO strongroom_app;
GRANT SELECT, DELETE ON portal_session_records TO strongroom_worker;
