-- The model bank's tables. Run at every start; everything in it may already exist.

-- Time: the real clock plus what testers have added with the time machine.
CREATE TABLE IF NOT EXISTS clock (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    offset_seconds double precision NOT NULL DEFAULT 0
);
INSERT INTO clock DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    $$ SELECT clock_timestamp() + make_interval(secs => offset_seconds) FROM clock $$;

-- Levers for testers, one row a bank.
CREATE TABLE IF NOT EXISTS switches (
    bank          text PRIMARY KEY,
    down          boolean NOT NULL DEFAULT false,
    delay_seconds double precision NOT NULL DEFAULT 0 CHECK (delay_seconds BETWEEN 0 AND 60),
    drop_answers  integer NOT NULL DEFAULT 0 CHECK (drop_answers BETWEEN 0 AND 1000),
    headless      boolean,
    quirks        text[]  -- null: as configured
);

-- Customers and accounts.
CREATE TABLE IF NOT EXISTS customers (
    bank      text NOT NULL,
    username  text NOT NULL,
    names     text[] NOT NULL CHECK (cardinality(names) BETWEEN 1 AND 2),
    PRIMARY KEY (bank, username)
);

CREATE TABLE IF NOT EXISTS accounts (
    bank            text NOT NULL,
    id              text NOT NULL,
    role            text NOT NULL CHECK (role IN ('customer', 'own_funds', 'in_flight', 'other_banks')),
    username        text,
    type_code       text NOT NULL,
    nickname        text NOT NULL,
    holder          text NOT NULL,
    sort_code       text NOT NULL,
    number          text NOT NULL,
    balance_minor   bigint NOT NULL DEFAULT 0,
    reserved_minor  bigint NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
    position        integer NOT NULL DEFAULT 0,
    opened_at       timestamptz NOT NULL,
    PRIMARY KEY (bank, id),
    UNIQUE (sort_code, number),
    CHECK (role <> 'customer' OR balance_minor - reserved_minor >= 0)
);

CREATE TABLE IF NOT EXISTS journals (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bank       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('opening', 'history', 'debit', 'credit', 'arrival')),
    subject    text NOT NULL,  -- the payment, the account that is opened, or that and a number of its history
    text       text NOT NULL,
    booked_at  timestamptz NOT NULL,
    UNIQUE (bank, kind, subject)  -- a payment is debited at most once, and credited at most once
);

CREATE TABLE IF NOT EXISTS entries (
    journal_id   bigint NOT NULL REFERENCES journals,
    bank         text NOT NULL,
    account_id   text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (journal_id, account_id),
    FOREIGN KEY (bank, account_id) REFERENCES accounts
);
CREATE INDEX IF NOT EXISTS entries_by_account ON entries (bank, account_id, journal_id);

CREATE OR REPLACE FUNCTION check_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount_minor) FROM entries WHERE journal_id = NEW.journal_id) <> 0 THEN
        RAISE EXCEPTION 'journal % does not sum to zero', NEW.journal_id;
    END IF;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'journal_sums_to_zero' AND tgrelid = 'entries'::regclass) THEN
        CREATE CONSTRAINT TRIGGER journal_sums_to_zero AFTER INSERT OR UPDATE OR DELETE ON entries
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_journal();
    END IF;
END $$;

-- Consents, payments, and what must happen only once.
CREATE TABLE IF NOT EXISTS consents (
    id            text PRIMARY KEY,
    bank          text NOT NULL,
    client_id     text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('payments', 'accounts', 'fundsconfirmations')),
    status        text NOT NULL DEFAULT 'AWAU' CHECK (status IN ('AWAU', 'AUTH', 'RJCT', 'COND', 'CANC', 'EXPD')),
    reason_code   text,
    reason        text,
    request       json NOT NULL,
    amount_minor  bigint,
    permissions   text[] NOT NULL DEFAULT '{}',
    expires_at    timestamptz,
    username      text,
    account_ids   text[] NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL,
    status_at     timestamptz NOT NULL,
    authorised_at timestamptz,
    disturbed     integer NOT NULL DEFAULT 0,  -- answers about it that a quirk has spoilt
    welcome_at    timestamptz  -- when a client that was told to wait may come again
);

CREATE TABLE IF NOT EXISTS payments (
    id             text PRIMARY KEY,
    bank           text NOT NULL,
    client_id      text NOT NULL,
    consent_id     text NOT NULL UNIQUE REFERENCES consents,
    instruction_id text NOT NULL,
    account_id     text NOT NULL,
    amount_minor   bigint NOT NULL CHECK (amount_minor > 0),
    status         text NOT NULL,
    reason_code    text,
    created_at     timestamptz NOT NULL,
    status_at      timestamptz NOT NULL,
    UNIQUE (bank, client_id, instruction_id),
    FOREIGN KEY (bank, account_id) REFERENCES accounts
);

-- The plan of a payment's statuses: written whole when it is received, done one by one.
CREATE TABLE IF NOT EXISTS steps (
    payment_id  text NOT NULL REFERENCES payments,
    place       integer NOT NULL,
    status      text NOT NULL,
    reason_code text,
    due_at      timestamptz NOT NULL,
    done        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (payment_id, place)
);
CREATE INDEX IF NOT EXISTS steps_due ON steps (due_at) WHERE NOT done;

-- Questions whether an amount could be spent, as they were answered. A reference serves one question.
CREATE TABLE IF NOT EXISTS funds_confirmations (
    id           text PRIMARY KEY,
    bank         text NOT NULL,
    client_id    text NOT NULL,
    consent_id   text NOT NULL REFERENCES consents,
    reference    text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    is_available boolean NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (bank, client_id, reference)
);

CREATE TABLE IF NOT EXISTS idempotency_keys (
    bank        text NOT NULL,
    client_id   text NOT NULL,
    endpoint    text NOT NULL,
    key         text NOT NULL,
    body_hash   bytea NOT NULL,
    resource_id text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (bank, client_id, endpoint, key)
);

-- The authorisation server.
CREATE TABLE IF NOT EXISTS authorisations (
    id             text PRIMARY KEY,
    bank           text NOT NULL,
    client_id      text NOT NULL,
    consent_id     text NOT NULL REFERENCES consents,
    browser_hash   bytea NOT NULL,
    redirect_uri   text NOT NULL,
    response_type  text NOT NULL,
    response_mode  text NOT NULL,
    state          text NOT NULL,
    nonce          text NOT NULL,
    acr            text NOT NULL,
    scope          text NOT NULL,
    code_challenge text,
    username       text,
    account_ids    text[] NOT NULL DEFAULT '{}',
    wrong_logins   integer NOT NULL DEFAULT 0,
    outcome        text CHECK (outcome IN ('granted', 'refused')),
    error          text,
    error_text     text,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    authenticated_at timestamptz,
    redeemed_at    timestamptz,
    asked_by       bytea  -- the decoupled request that it answers: then nobody is sent back
);

-- Requests from behind (CIBA), which a customer answers on their phone. A consent has one that waits, at most.
CREATE TABLE IF NOT EXISTS backchannel_requests (
    id_hash          bytea PRIMARY KEY,
    bank             text NOT NULL,
    client_id        text NOT NULL,
    consent_id       text NOT NULL REFERENCES consents,
    scope            text NOT NULL,
    acr              text NOT NULL,
    binding_message  text,
    username         text,
    interval_seconds integer NOT NULL CHECK (interval_seconds > 0),
    expires_at       timestamptz NOT NULL,
    polled_at        timestamptz,
    outcome          text CHECK (outcome IN ('granted', 'refused', 'expired')),
    authorisation_id text REFERENCES authorisations,
    redeemed_at      timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS backchannel_requests_waiting ON backchannel_requests (bank, consent_id) WHERE outcome IS NULL;

CREATE TABLE IF NOT EXISTS codes (
    code_hash        bytea PRIMARY KEY,
    authorisation_id text NOT NULL REFERENCES authorisations,
    expires_at       timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS access_tokens (
    token_hash  bytea PRIMARY KEY,
    bank        text NOT NULL,
    client_id   text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('client', 'customer')),
    scope       text NOT NULL,
    consent_id  text,
    authorisation_id text,
    thumbprint  text NOT NULL,  -- x5t#S256 of the certificate that it is bound to
    expires_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE INDEX IF NOT EXISTS access_tokens_by_consent ON access_tokens (consent_id);

CREATE TABLE IF NOT EXISTS pushed_requests (
    bank           text NOT NULL,
    client_id      text NOT NULL,
    reference_hash bytea PRIMARY KEY,
    request        text NOT NULL,
    expires_at     timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS used_assertions (
    bank       text NOT NULL,
    client_id  text NOT NULL,
    jti_hash   bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (bank, client_id, jti_hash)
);
