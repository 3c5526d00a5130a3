-- Purchases that a cardholder confirms with a one-time password, begun by a merchant's software.

-- The tenant is the card's issuer; `hub` for cards of no issuer, which begin and fail like any other.
CREATE TABLE purchases (
  issuer_id text NOT NULL,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'asking'
    CHECK (state IN ('asking', 'pending', 'judging', 'rejected', 'authenticated', 'locked', 'failed', 'expired')),
  merchant_id text NOT NULL,
  client_id text NOT NULL,
  reference text NOT NULL CHECK (char_length(reference) BETWEEN 1 AND 64),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  payee text NOT NULL CHECK (char_length(payee) BETWEEN 1 AND 60),
  channel text NOT NULL CHECK (channel ~ '^[A-Z_]{1,20}$'),
  card_hash bytea NOT NULL,
  card_shown text NOT NULL,              -- first six and last four digits
  card_reference text NOT NULL,          -- one client's own name for the card; says nothing to anybody else
  judge text CHECK (judge IN ('card', 'code', 'issuer')),  -- who judges the code: the card's token here, a code of ours, or the issuer
  challenge_id text,
  cardholder_id text,
  user_id_sealed bytea,                  -- what a remote issuer calls the cardholder
  user_hash bytea,
  phone_sealed bytea,                    -- where our own code for a remote issuer's card goes
  phone_shown text,                      -- all but the last two digits masked
  token_type text CHECK (token_type IN ('1', '2')),
  linking text CHECK (linking IN ('code', 'server')),
  prompt text,
  question text,                         -- what a hardware token that signs is to be fed with
  attempts int NOT NULL DEFAULT 0,
  attempts_left int NOT NULL DEFAULT 5,
  resends int NOT NULL DEFAULT 0,
  code text,                             -- the contract's answer code, for the issuer's eyes
  proof_id text NOT NULL,
  proof_reference_hash bytea,            -- for what the proof was used
  proof_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  claimed_at timestamptz DEFAULT app_now(),  -- when a question to the issuer began
  expires_at timestamptz NOT NULL,
  authenticated_at timestamptz,
  PRIMARY KEY (issuer_id, id)
);
SELECT fence('purchases', 'issuer_id', true);
-- A purchase is its merchant's too: the merchant may read it, and only the issuer's transactions write it.
CREATE POLICY merchant ON purchases FOR SELECT USING (merchant_id = app_tenant());
GRANT SELECT, INSERT, UPDATE ON purchases TO strongroom_app, strongroom_worker;
CREATE INDEX purchases_of_merchant ON purchases (merchant_id, created_at DESC, id DESC);
CREATE INDEX purchases_of_issuer ON purchases (issuer_id, created_at DESC, id DESC);
CREATE INDEX purchases_open ON purchases (expires_at) WHERE state IN ('pending', 'rejected');
CREATE INDEX purchases_claimed ON purchases (claimed_at) WHERE state IN ('asking', 'judging');

-- A client's reference begins one purchase, whichever issuer the card turns out to have.
CREATE TABLE purchase_references (
  tenant_id text NOT NULL,               -- the merchant
  client_id text NOT NULL,
  reference_hash bytea NOT NULL,
  fingerprint_hash bytea NOT NULL,       -- of card, amount, currency, payee and channel
  purchase_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, client_id, reference_hash)
);
SELECT fence('purchase_references', 'tenant_id', false);
GRANT SELECT, INSERT ON purchase_references TO strongroom_app;

-- Codes that a remote issuer was asked about and did not refuse: never sent to it again for the same cardholder.
CREATE TABLE forwarded_codes (
  issuer_id text NOT NULL,
  code_hash bytea NOT NULL,              -- keyed, over the issuer's name for the cardholder and the code
  purchase_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, code_hash)
);
SELECT fence('forwarded_codes', 'issuer_id', true);
GRANT SELECT, INSERT, DELETE ON forwarded_codes TO strongroom_app;
GRANT SELECT, DELETE ON forwarded_codes TO strongroom_worker;
CREATE INDEX forwarded_codes_by_age ON forwarded_codes (created_at);

ALTER TABLE challenges DROP CONSTRAINT IF EXISTS challenges_purpose_check;
ALTER TABLE challenges ADD CONSTRAINT challenges_purpose_check CHECK (purpose IN ('login', 'share', 'purchase', 'issuer'));
