-- Tokens of cardholders: devices that show one-time passwords. The seed is sealed; the counter only ever moves forward.

CREATE TABLE otp_tokens (
  issuer_id text NOT NULL,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'imported' CHECK (state IN ('imported', 'assigned', 'active', 'locked', 'blocked', 'retired')),
  serial text NOT NULL CHECK (char_length(serial) BETWEEN 1 AND 64),
  kind text NOT NULL CHECK (kind IN ('hotp', 'totp')),
  algorithm text NOT NULL CHECK (algorithm IN ('sha1', 'sha256', 'sha512')),
  digits int NOT NULL CHECK (digits BETWEEN 6 AND 8),
  period_seconds int CHECK (period_seconds IN (30, 60)),
  seed_sealed bytea NOT NULL,
  counter bigint NOT NULL DEFAULT 0,     -- the next HOTP counter or TOTP time step that may be accepted
  drift_steps int NOT NULL DEFAULT 0,    -- how far the clock of a TOTP device was off when last seen
  cardholder_id text,
  charges bigint NOT NULL DEFAULT 0,     -- every try ever charged; names the try that set the lock
  failures int NOT NULL DEFAULT 0,       -- in a row
  lock_level int NOT NULL DEFAULT 0,     -- how many locks in a row; each lasts longer
  locked_until timestamptz,
  locked_by bigint,
  unblock_asked_by text,                 -- the first of the two people
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, id),
  CHECK ((kind = 'totp') = (period_seconds IS NOT NULL)),
  CHECK (state IN ('imported', 'retired') OR cardholder_id IS NOT NULL)
);
SELECT fence('otp_tokens', 'issuer_id', false);
GRANT SELECT, INSERT, UPDATE ON otp_tokens TO strongroom_app;
CREATE UNIQUE INDEX otp_tokens_by_serial ON otp_tokens (issuer_id, serial);
-- A cardholder has one token at a time; this decides between two assignments at once.
CREATE UNIQUE INDEX otp_tokens_held ON otp_tokens (issuer_id, cardholder_id)
  WHERE state IN ('assigned', 'active', 'locked', 'blocked');
CREATE INDEX otp_tokens_of_cardholder ON otp_tokens (issuer_id, cardholder_id);
