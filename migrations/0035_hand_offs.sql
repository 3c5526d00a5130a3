-- From the computer to the phone: a session may cover one request alone, and may have been opened from another.
ALTER TABLE portal_sessions
  ADD COLUMN opened_from_hash bytea REFERENCES portal_sessions ON DELETE CASCADE,  -- ends with it
  DROP CONSTRAINT portal_sessions_kind_check,
  ADD CONSTRAINT portal_sessions_kind_check CHECK (kind IN ('code', 'grant', 'phone')),
  ADD CONSTRAINT portal_sessions_opened_from CHECK ((kind = 'phone') = (opened_from_hash IS NOT NULL));
CREATE INDEX portal_sessions_by_opener ON portal_sessions (opened_from_hash) WHERE opened_from_hash IS NOT NULL;
ALTER TABLE portal_session_records ADD COLUMN request_id text;

-- One offer to go on with a phone: shown as a code, scanned by one browser, confirmed where it was shown. Opaque ids and keyed hashes
-- only. Not fenced, for it is read by the token's hash before any tenant is known; it goes with the session that offered it.
CREATE TABLE hand_offs (
  id text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  session_hash bytea NOT NULL,
  firm_id text NOT NULL,
  customer_id text NOT NULL,
  request_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  scanned_at timestamptz,
  phone_hash bytea,              -- the browser that scanned it
  phone_session_hash bytea,      -- the session that it gets, once confirmed
  number_hash bytea,             -- what it shows and the computer asks for
  tries int NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 3),
  confirmed_at timestamptz,
  ended_at timestamptz,          -- stopped at the computer
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (session_hash, firm_id, customer_id) REFERENCES portal_session_records (session_hash, firm_id, customer_id)
    ON DELETE CASCADE,
  CHECK (num_nulls(scanned_at, phone_hash, phone_session_hash, number_hash) IN (0, 4)),
  CHECK (confirmed_at IS NULL OR scanned_at IS NOT NULL)
);
CREATE INDEX hand_offs_by_id ON hand_offs (id);
CREATE INDEX hand_offs_by_session ON hand_offs (session_hash, firm_id, customer_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON hand_offs TO strongroom_app;
