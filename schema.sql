-- An empty database after all migrations. Written by `make schema`; a test compares it.
CREATE FUNCTION public.app_now() RETURNS timestamp with time zone
    LANGUAGE sql
    AS $$ SELECT clock_timestamp() + (SELECT ahead FROM clock_offset) $$;
CREATE FUNCTION public.app_tenant() RETURNS text
    LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('strongroom.tenant', true), '') $$;
CREATE FUNCTION public.fence(fenced regclass, tenant_column text, worker boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', fenced);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', fenced);
  EXECUTE format('CREATE POLICY tenant ON %s USING (%I = app_tenant()) WITH CHECK (%I = app_tenant())',
                 fenced, tenant_column, tenant_column);
  IF worker THEN
    EXECUTE format('CREATE POLICY worker ON %s TO strongroom_worker USING (true) WITH CHECK (true)', fenced);
  END IF;
END $$;
CREATE TABLE public.access_tokens (
    token_hash bytea NOT NULL,
    id text NOT NULL,
    firm_id text NOT NULL,
    client_id text NOT NULL,
    kind text NOT NULL,
    name text,
    scopes text[] NOT NULL,
    certificate_hash bytea,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT access_tokens_check CHECK (((kind = 'static'::text) OR (expires_at IS NOT NULL))),
    CONSTRAINT access_tokens_kind_check CHECK ((kind = ANY (ARRAY['issued'::text, 'static'::text])))
);
CREATE TABLE public.account_requests (
    firm_id text NOT NULL,
    id text NOT NULL,
    case_id text NOT NULL,
    customer_id text,
    state text DEFAULT 'requested'::text NOT NULL,
    asked text[] NOT NULL,
    expires_at timestamp with time zone,
    notify boolean NOT NULL,
    last_failure_code text,
    last_failure_message text,
    frozen_at timestamp with time zone,
    completed_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT account_requests_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'authorising'::text, 'completed'::text, 'cancelled'::text, 'expired'::text])))
);
ALTER TABLE ONLY public.account_requests FORCE ROW LEVEL SECURITY;
CREATE TABLE public.api_clients (
    firm_id text NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    keys jsonb,
    certificate_hash bytea,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    disabled_at timestamp with time zone,
    profile jsonb,
    CONSTRAINT api_clients_certificate_hash_check CHECK ((octet_length(certificate_hash) = 32)),
    CONSTRAINT api_clients_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 140)))
);
ALTER TABLE ONLY public.api_clients FORCE ROW LEVEL SECURITY;
CREATE TABLE public.attempt_budgets (
    tenant_id text NOT NULL,
    subject_hash bytea NOT NULL,
    charges bigint DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    level integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    locked_by bigint,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.attempt_budgets FORCE ROW LEVEL SECURITY;
CREATE TABLE public.audit_entries (
    tenant_id text NOT NULL,
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    actor text NOT NULL,
    tag text NOT NULL,
    subject text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    transaction_id xid8 DEFAULT pg_current_xact_id() NOT NULL
);
ALTER TABLE ONLY public.audit_entries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_entries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.audit_progress (
    one boolean DEFAULT true NOT NULL,
    sealed_below xid8 DEFAULT '0'::xid8 NOT NULL,
    CONSTRAINT audit_progress_one_check CHECK (one)
);
CREATE TABLE public.audit_seals (
    tenant_id text NOT NULL,
    sequence bigint NOT NULL,
    entry_id bigint NOT NULL,
    chain_hash bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.audit_seals FORCE ROW LEVEL SECURITY;
CREATE TABLE public.authentications (
    firm_id text NOT NULL,
    id text NOT NULL,
    case_id text NOT NULL,
    customer_id text NOT NULL,
    state text DEFAULT 'invited'::text NOT NULL,
    invited_at timestamp with time zone,
    verified_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT authentications_state_check CHECK ((state = ANY (ARRAY['invited'::text, 'verified'::text, 'locked'::text, 'revoked'::text])))
);
ALTER TABLE ONLY public.authentications FORCE ROW LEVEL SECURITY;
CREATE TABLE public.bank_refusals (
    firm_id text NOT NULL,
    bank_id text NOT NULL,
    refused_minor bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT bank_refusals_refused_minor_check CHECK ((refused_minor > 0))
);
ALTER TABLE ONLY public.bank_refusals FORCE ROW LEVEL SECURITY;
CREATE TABLE public.card_questions (
    issuer_id text NOT NULL,
    user_hash bytea NOT NULL,
    cardholder_id text NOT NULL,
    token_serial text,
    challenge_id text,
    asked_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.card_questions FORCE ROW LEVEL SECURITY;
CREATE TABLE public.cardholders (
    issuer_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    pan_hash bytea NOT NULL,
    pan_sealed bytea NOT NULL,
    pan_shown text NOT NULL,
    data_key_sealed bytea,
    details_sealed bytea NOT NULL,
    account_hash bytea,
    phone_hash bytea NOT NULL,
    phone_sealed bytea NOT NULL,
    old_phone_sealed bytea,
    phone_usable_from timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    approved boolean NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT cardholders_state_check CHECK ((state = ANY (ARRAY['active'::text, 'removed'::text])))
);
ALTER TABLE ONLY public.cardholders FORCE ROW LEVEL SECURITY;
CREATE TABLE public.cases (
    firm_id text NOT NULL,
    id text NOT NULL,
    case_ref text NOT NULL,
    unique_ref text,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    held_at timestamp with time zone,
    CONSTRAINT cases_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text])))
);
ALTER TABLE ONLY public.cases FORCE ROW LEVEL SECURITY;
CREATE TABLE public.challenges (
    tenant_id text NOT NULL,
    id text NOT NULL,
    purpose text NOT NULL,
    subject_hash bytea NOT NULL,
    code_hashes bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    superseded_at timestamp with time zone,
    used_at timestamp with time zone,
    CONSTRAINT challenges_check CHECK ((attempts <= max_attempts)),
    CONSTRAINT challenges_purpose_check CHECK ((purpose = ANY (ARRAY['login'::text, 'share'::text, 'purchase'::text, 'issuer'::text])))
);
ALTER TABLE ONLY public.challenges FORCE ROW LEVEL SECURITY;
CREATE TABLE public.client_assertions (
    firm_id text NOT NULL,
    client_id text NOT NULL,
    jti_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.client_assertions FORCE ROW LEVEL SECURITY;
CREATE TABLE public.client_secrets (
    firm_id text NOT NULL,
    client_id text NOT NULL,
    id text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    expires_at timestamp with time zone
);
ALTER TABLE ONLY public.client_secrets FORCE ROW LEVEL SECURITY;
CREATE TABLE public.clock_offset (
    one boolean DEFAULT true NOT NULL,
    ahead interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT clock_offset_one_check CHECK (one)
);
CREATE TABLE public.credit_requests (
    firm_id text NOT NULL,
    id text NOT NULL,
    case_id text NOT NULL,
    customer_id text,
    state text DEFAULT 'requested'::text NOT NULL,
    reference text NOT NULL,
    statement_reference text NOT NULL,
    description text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text DEFAULT 'GBP'::text NOT NULL,
    purpose text NOT NULL,
    allow_split boolean DEFAULT false NOT NULL,
    receiving_account_id text NOT NULL,
    expires_at timestamp with time zone,
    notify boolean NOT NULL,
    last_failure_code text,
    last_failure_message text,
    frozen_at timestamp with time zone,
    submitted_at timestamp with time zone,
    delayed_at timestamp with time zone,
    completed_at timestamp with time zone,
    received_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    committed_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT credit_requests_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT credit_requests_committed CHECK (((committed_minor >= 0) AND (committed_minor <= amount_minor))),
    CONSTRAINT credit_requests_currency_check CHECK ((currency = 'GBP'::text)),
    CONSTRAINT credit_requests_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'authorising'::text, 'processing'::text, 'partlyPaid'::text, 'completed'::text, 'received'::text, 'cancelled'::text, 'expired'::text, 'held'::text, 'returned'::text]))),
    CONSTRAINT credit_requests_statement_reference_check CHECK (((length(statement_reference) >= 1) AND (length(statement_reference) <= 18)))
);
ALTER TABLE ONLY public.credit_requests FORCE ROW LEVEL SECURITY;
CREATE TABLE public.customers (
    firm_id text NOT NULL,
    id text NOT NULL,
    case_id text NOT NULL,
    "position" integer NOT NULL,
    data_key_sealed bytea,
    personal_sealed bytea NOT NULL,
    phone_hash bytea NOT NULL,
    identity_hash bytea NOT NULL,
    phone_usable_from timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    opened_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    erased_at timestamp with time zone
);
ALTER TABLE ONLY public.customers FORCE ROW LEVEL SECURITY;
CREATE TABLE public.directory (
    kind text NOT NULL,
    key_hash bytea NOT NULL,
    tenant_id text NOT NULL,
    object_id text NOT NULL,
    CONSTRAINT directory_kind_check CHECK ((kind = ANY (ARRAY['client'::text, 'identity'::text, 'grant'::text, 'payment_state'::text, 'share_state'::text, 'staff'::text])))
);
CREATE TABLE public.firms (
    firm_id text NOT NULL,
    name text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT firms_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 140)))
);
ALTER TABLE ONLY public.firms FORCE ROW LEVEL SECURITY;
CREATE TABLE public.forwarded_codes (
    issuer_id text NOT NULL,
    code_hash bytea NOT NULL,
    purchase_id text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.forwarded_codes FORCE ROW LEVEL SECURITY;
CREATE TABLE public.grant_handles (
    firm_id text NOT NULL,
    handle_hash bytea NOT NULL,
    grant_hash bytea NOT NULL,
    opened_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.grant_handles FORCE ROW LEVEL SECURITY;
CREATE TABLE public.hand_offs (
    id text NOT NULL,
    token_hash bytea NOT NULL,
    session_hash bytea NOT NULL,
    firm_id text NOT NULL,
    customer_id text NOT NULL,
    request_id text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    scanned_at timestamp with time zone,
    phone_hash bytea,
    phone_session_hash bytea,
    number_hash bytea,
    tries integer DEFAULT 0 NOT NULL,
    confirmed_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT hand_offs_check CHECK ((num_nulls(scanned_at, phone_hash, phone_session_hash, number_hash) = ANY (ARRAY[0, 4]))),
    CONSTRAINT hand_offs_check1 CHECK (((confirmed_at IS NULL) OR (scanned_at IS NOT NULL))),
    CONSTRAINT hand_offs_tries_check CHECK (((tries >= 0) AND (tries <= 3)))
);
CREATE TABLE public.heartbeats (
    process_id text NOT NULL,
    kind text NOT NULL,
    beat_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
CREATE TABLE public.history (
    tenant_id text NOT NULL,
    object_id text NOT NULL,
    "position" bigint NOT NULL,
    machine text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    event text NOT NULL,
    detail jsonb,
    at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.history FORCE ROW LEVEL SECURITY;
ALTER TABLE public.history ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.history_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.hosted_logins (
    tenant_id text NOT NULL,
    browser_hash bytea NOT NULL,
    identity_hash bytea NOT NULL,
    challenge_id text NOT NULL,
    covers jsonb DEFAULT '[]'::jsonb NOT NULL,
    dispatch_due_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    sent_at timestamp with time zone,
    ended_at timestamp with time zone
);
ALTER TABLE ONLY public.hosted_logins FORCE ROW LEVEL SECURITY;
CREATE TABLE public.idempotency_keys (
    tenant_id text NOT NULL,
    caller_id text NOT NULL,
    key_hash bytea NOT NULL,
    fingerprint_hash bytea NOT NULL,
    answer_sealed bytea,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE public.issuer_bank_ids (
    bank_id integer NOT NULL,
    issuer_id text NOT NULL
);
CREATE TABLE public.issuer_card_ranges (
    prefix text NOT NULL,
    issuer_id text NOT NULL,
    CONSTRAINT issuer_card_ranges_prefix_check CHECK ((prefix ~ '^[0-9]{4,12}$'::text))
);
CREATE TABLE public.issuer_hubs (
    certificate_hash bytea NOT NULL,
    issuer_id text NOT NULL,
    CONSTRAINT issuer_hubs_certificate_hash_check CHECK ((octet_length(certificate_hash) = 32))
);
CREATE TABLE public.issuers (
    issuer_id text NOT NULL,
    bank_id integer NOT NULL,
    name text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT issuers_bank_id_check CHECK ((bank_id > 0)),
    CONSTRAINT issuers_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 140)))
);
ALTER TABLE ONLY public.issuers FORCE ROW LEVEL SECURITY;
CREATE TABLE public.login_grants (
    firm_id text NOT NULL,
    grant_hash bytea NOT NULL,
    case_id text NOT NULL,
    customer_id text NOT NULL,
    issued_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    used_at timestamp with time zone
);
ALTER TABLE ONLY public.login_grants FORCE ROW LEVEL SECURITY;
CREATE TABLE public.merchants (
    merchant_id text NOT NULL,
    name text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT merchants_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 140)))
);
ALTER TABLE ONLY public.merchants FORCE ROW LEVEL SECURITY;
CREATE TABLE public.message_numbers (
    number_hash bytea NOT NULL,
    used_at timestamp with time zone[] NOT NULL
);
CREATE TABLE public.message_pauses (
    id text NOT NULL,
    scope text NOT NULL,
    country text NOT NULL,
    prefix_hash bytea,
    stops boolean NOT NULL,
    numbers integer NOT NULL,
    users integer NOT NULL,
    began_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    lifted_at timestamp with time zone,
    lifted_by text,
    CONSTRAINT message_pauses_check CHECK (((prefix_hash IS NULL) = (scope = 'country'::text))),
    CONSTRAINT message_pauses_scope_check CHECK ((scope = ANY (ARRAY['prefix'::text, 'country'::text])))
);
CREATE TABLE public.message_receipts (
    gateway text NOT NULL,
    provider_id text NOT NULL,
    receipt text NOT NULL,
    received_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT message_receipts_receipt_check CHECK ((receipt = ANY (ARRAY['delivered'::text, 'failed'::text, 'expired'::text, 'not_taken'::text])))
);
CREATE TABLE public.message_refusals (
    hour timestamp with time zone NOT NULL,
    limited_by text NOT NULL,
    purpose text NOT NULL,
    country text NOT NULL,
    refused bigint NOT NULL
);
CREATE TABLE public.message_replays (
    issuer_id text NOT NULL,
    message_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.message_replays FORCE ROW LEVEL SECURITY;
CREATE TABLE public.message_sequences (
    issuer_id text NOT NULL,
    id text NOT NULL,
    caller_id text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    version text NOT NULL,
    opening_hash bytea,
    answers_id text,
    last_number bigint DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT message_sequences_last_number_check CHECK ((last_number >= 0)),
    CONSTRAINT message_sequences_state_check CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text, 'terminated'::text]))),
    CONSTRAINT message_sequences_version_check CHECK ((version = ANY (ARRAY['1.0'::text, '1.1'::text])))
);
ALTER TABLE ONLY public.message_sequences FORCE ROW LEVEL SECURITY;
CREATE TABLE public.message_texts (
    tenant_id text NOT NULL,
    template text NOT NULL,
    text text NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.message_texts FORCE ROW LEVEL SECURITY;
CREATE TABLE public.messages (
    tenant_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    purpose text NOT NULL,
    urgent boolean NOT NULL,
    key_hash bytea NOT NULL,
    recipient_hash bytea NOT NULL,
    recipient_sealed bytea,
    text_sealed bytea,
    sender text DEFAULT ''::text NOT NULL,
    no_log boolean NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    due_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    claim text,
    claimed_at timestamp with time zone,
    gateway text,
    provider_id text,
    segments integer,
    encoding text,
    cost_micros bigint,
    failure text,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    country text DEFAULT ''::text NOT NULL,
    prefix_hash bytea,
    sent_at timestamp with time zone,
    delivered_at timestamp with time zone,
    used_at timestamp with time zone,
    CONSTRAINT messages_purpose_check CHECK ((purpose = ANY (ARRAY['login_code'::text, 'login_link'::text, 'notice'::text, 'purchase_code'::text]))),
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sending'::text, 'unknown'::text, 'sent'::text, 'delivered'::text, 'failed'::text, 'expired'::text])))
);
ALTER TABLE ONLY public.messages FORCE ROW LEVEL SECURITY;
CREATE TABLE public.otp_tokens (
    issuer_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'imported'::text NOT NULL,
    serial text NOT NULL,
    kind text NOT NULL,
    algorithm text NOT NULL,
    digits integer NOT NULL,
    period_seconds integer,
    seed_sealed bytea NOT NULL,
    counter bigint DEFAULT 0 NOT NULL,
    drift_steps integer DEFAULT 0 NOT NULL,
    cardholder_id text,
    charges bigint DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    lock_level integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    locked_by bigint,
    unblock_asked_by text,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    unblock_asked_at timestamp with time zone,
    suite text,
    question text,
    question_asked_at timestamp with time zone,
    answered_hashes bytea[] DEFAULT '{}'::bytea[] NOT NULL,
    CONSTRAINT otp_tokens_algorithm_check CHECK ((algorithm = ANY (ARRAY['sha1'::text, 'sha256'::text, 'sha512'::text]))),
    CONSTRAINT otp_tokens_check CHECK (((kind = 'ocra'::text) OR ((kind = 'totp'::text) = (period_seconds IS NOT NULL)))),
    CONSTRAINT otp_tokens_check1 CHECK (((state = ANY (ARRAY['imported'::text, 'retired'::text])) OR (cardholder_id IS NOT NULL))),
    CONSTRAINT otp_tokens_digits_check CHECK (((digits >= 6) AND (digits <= 8))),
    CONSTRAINT otp_tokens_kind_check CHECK ((kind = ANY (ARRAY['hotp'::text, 'totp'::text, 'ocra'::text]))),
    CONSTRAINT otp_tokens_period_seconds_check CHECK (((period_seconds = ANY (ARRAY[30, 60])) OR ((kind = 'ocra'::text) AND ((period_seconds >= 30) AND (period_seconds <= 600))))),
    CONSTRAINT otp_tokens_question_check CHECK ((question ~ '^[0-9]{4,64}$'::text)),
    CONSTRAINT otp_tokens_serial_check CHECK (((char_length(serial) >= 1) AND (char_length(serial) <= 64))),
    CONSTRAINT otp_tokens_state_check CHECK ((state = ANY (ARRAY['imported'::text, 'assigned'::text, 'active'::text, 'locked'::text, 'blocked'::text, 'retired'::text]))),
    CONSTRAINT otp_tokens_suite_check CHECK ((char_length(suite) <= 64)),
    CONSTRAINT otp_tokens_suite_of_ocra CHECK (((kind = 'ocra'::text) = (suite IS NOT NULL)))
);
ALTER TABLE ONLY public.otp_tokens FORCE ROW LEVEL SECURITY;
CREATE TABLE public.payment_evidence (
    firm_id text NOT NULL,
    payment_id text NOT NULL,
    bank_status text NOT NULL,
    answer_sealed bytea NOT NULL,
    received_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.payment_evidence FORCE ROW LEVEL SECURITY;
CREATE TABLE public.payment_findings (
    firm_id text NOT NULL,
    id text NOT NULL,
    payment_id text NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'proposed'::text NOT NULL,
    note_sealed bytea NOT NULL,
    proposed_by text NOT NULL,
    decided_by text,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT payment_findings_check CHECK (((decided_by IS DISTINCT FROM proposed_by) OR (state <> 'approved'::text))),
    CONSTRAINT payment_findings_kind_check CHECK ((kind = ANY (ARRAY['debited'::text, 'not_debited'::text, 'received'::text]))),
    CONSTRAINT payment_findings_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'approved'::text, 'declined'::text])))
);
ALTER TABLE ONLY public.payment_findings FORCE ROW LEVEL SECURITY;
CREATE TABLE public.payments (
    firm_id text NOT NULL,
    id text NOT NULL,
    request_id text NOT NULL,
    customer_id text NOT NULL,
    bank_id text NOT NULL,
    state text DEFAULT 'requesting'::text NOT NULL,
    amount_minor bigint NOT NULL,
    instruction_id text NOT NULL,
    end_to_end_id text NOT NULL,
    consent_key text NOT NULL,
    submit_key text NOT NULL,
    memory_sealed bytea,
    url_sealed bytea,
    return_sealed bytea,
    grant_sealed bytea,
    consent_id text,
    bank_payment_id text,
    bank_status text,
    failure_code text,
    failure_message text,
    payer_sealed bytea,
    third_party_payer text DEFAULT 'unknown'::text NOT NULL,
    agreed jsonb NOT NULL,
    due_at timestamp with time zone,
    lease_until timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    first_submitted_at timestamp with time zone,
    returned_at timestamp with time zone,
    submitted_at timestamp with time zone,
    executed_at timestamp with time zone,
    credited_at timestamp with time zone,
    ended_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT payments_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT payments_state_check CHECK ((state = ANY (ARRAY['requesting'::text, 'awaiting'::text, 'returned'::text, 'exchanging'::text, 'authorised'::text, 'submitting'::text, 'processing'::text, 'executed'::text, 'credited'::text, 'held'::text, 'unconfirmed'::text, 'declined'::text, 'abandoned'::text, 'closed'::text, 'failed'::text, 'rejected'::text, 'sent_back'::text]))),
    CONSTRAINT payments_third_party_payer_check CHECK ((third_party_payer = ANY (ARRAY['yes'::text, 'no'::text, 'unknown'::text])))
);
ALTER TABLE ONLY public.payments FORCE ROW LEVEL SECURITY;
CREATE TABLE public.portal_session_records (
    session_hash bytea NOT NULL,
    firm_id text NOT NULL,
    customer_id text NOT NULL,
    case_id text,
    request_id text
);
CREATE TABLE public.portal_sessions (
    session_hash bytea NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    active_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    paused_until timestamp with time zone,
    ended_at timestamp with time zone,
    opened_from_hash bytea,
    CONSTRAINT portal_sessions_kind_check CHECK ((kind = ANY (ARRAY['code'::text, 'grant'::text, 'phone'::text]))),
    CONSTRAINT portal_sessions_opened_from CHECK (((kind = 'phone'::text) = (opened_from_hash IS NOT NULL)))
);
CREATE TABLE public.purchase_references (
    tenant_id text NOT NULL,
    client_id text NOT NULL,
    reference_hash bytea NOT NULL,
    fingerprint_hash bytea NOT NULL,
    purchase_id text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.purchase_references FORCE ROW LEVEL SECURITY;
CREATE TABLE public.purchases (
    issuer_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'asking'::text NOT NULL,
    merchant_id text NOT NULL,
    client_id text NOT NULL,
    reference text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    payee text NOT NULL,
    channel text NOT NULL,
    card_hash bytea NOT NULL,
    card_shown text NOT NULL,
    card_reference text NOT NULL,
    judge text,
    challenge_id text,
    cardholder_id text,
    user_id_sealed bytea,
    user_hash bytea,
    phone_sealed bytea,
    phone_shown text,
    token_type text,
    linking text,
    prompt text,
    question text,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_left integer DEFAULT 5 NOT NULL,
    resends integer DEFAULT 0 NOT NULL,
    code text,
    proof_id text NOT NULL,
    proof_reference_hash bytea,
    proof_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    claimed_at timestamp with time zone DEFAULT public.app_now(),
    expires_at timestamp with time zone NOT NULL,
    authenticated_at timestamp with time zone,
    CONSTRAINT purchases_amount_minor_check CHECK ((amount_minor > 0)),
    CONSTRAINT purchases_channel_check CHECK ((channel ~ '^[A-Z_]{1,20}$'::text)),
    CONSTRAINT purchases_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT purchases_judge_check CHECK ((judge = ANY (ARRAY['card'::text, 'code'::text, 'issuer'::text]))),
    CONSTRAINT purchases_linking_check CHECK ((linking = ANY (ARRAY['code'::text, 'server'::text]))),
    CONSTRAINT purchases_payee_check CHECK (((char_length(payee) >= 1) AND (char_length(payee) <= 60))),
    CONSTRAINT purchases_reference_check CHECK (((char_length(reference) >= 1) AND (char_length(reference) <= 64))),
    CONSTRAINT purchases_state_check CHECK ((state = ANY (ARRAY['asking'::text, 'pending'::text, 'judging'::text, 'rejected'::text, 'authenticated'::text, 'locked'::text, 'failed'::text, 'expired'::text]))),
    CONSTRAINT purchases_token_type_check CHECK ((token_type = ANY (ARRAY['1'::text, '2'::text])))
);
ALTER TABLE ONLY public.purchases FORCE ROW LEVEL SECURITY;
CREATE TABLE public.rate_windows (
    name text NOT NULL,
    key_hash bytea NOT NULL,
    window_start timestamp with time zone NOT NULL,
    used integer NOT NULL
);
CREATE TABLE public.receiving_accounts (
    firm_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'proposed'::text NOT NULL,
    kind text NOT NULL,
    account_name text NOT NULL,
    details_sealed bytea NOT NULL,
    account_number_last4 text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    proposed_by text NOT NULL,
    approved_by text,
    usable_from timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT receiving_accounts_check CHECK ((approved_by IS DISTINCT FROM proposed_by)),
    CONSTRAINT receiving_accounts_check1 CHECK (((state <> 'approved'::text) OR ((approved_by IS NOT NULL) AND (usable_from IS NOT NULL)))),
    CONSTRAINT receiving_accounts_kind_check CHECK ((kind = ANY (ARRAY['client'::text, 'office'::text]))),
    CONSTRAINT receiving_accounts_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'approved'::text, 'declined'::text, 'retired'::text])))
);
ALTER TABLE ONLY public.receiving_accounts FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reviews (
    firm_id text NOT NULL,
    id text NOT NULL,
    subject_id text NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    resolved_at timestamp with time zone,
    resolved_by text,
    note_sealed bytea,
    CONSTRAINT reviews_reason_check CHECK ((reason = ANY (ARRAY['third_party_payer'::text, 'unknown_payer'::text, 'name_mismatch'::text, 'unrecognised'::text, 'unconfirmed'::text, 'partly_paid'::text])))
);
ALTER TABLE ONLY public.reviews FORCE ROW LEVEL SECURITY;
CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.sequence_messages (
    issuer_id text NOT NULL,
    sequence_id text NOT NULL,
    number bigint NOT NULL,
    message_hash bytea NOT NULL,
    answer_sealed bytea,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT sequence_messages_number_check CHECK ((number > 0))
);
ALTER TABLE ONLY public.sequence_messages FORCE ROW LEVEL SECURITY;
CREATE TABLE public.shares (
    firm_id text NOT NULL,
    id text NOT NULL,
    request_id text NOT NULL,
    customer_id text NOT NULL,
    bank_id text NOT NULL,
    state text DEFAULT 'requesting'::text NOT NULL,
    browser_hash bytea NOT NULL,
    memory_sealed bytea,
    url_sealed bytea,
    return_sealed bytea,
    accounts_sealed bytea,
    consent_id text,
    consent_open boolean DEFAULT false NOT NULL,
    close_due_at timestamp with time zone,
    failure_code text,
    failure_message text,
    details_sealed bytea,
    name_match jsonb,
    review_required boolean,
    agreed jsonb NOT NULL,
    due_at timestamp with time zone,
    lease_until timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    returned_at timestamp with time zone,
    shared_at timestamp with time zone,
    ended_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    challenge_id text,
    grant_sealed bytea,
    CONSTRAINT shares_state_check CHECK ((state = ANY (ARRAY['requesting'::text, 'awaiting'::text, 'unproven'::text, 'returned'::text, 'reading'::text, 'choosing'::text, 'shared'::text, 'declined'::text, 'abandoned'::text, 'closed'::text, 'failed'::text])))
);
ALTER TABLE ONLY public.shares FORCE ROW LEVEL SECURITY;
CREATE TABLE public.signing_keys (
    tenant_id text NOT NULL,
    kid text NOT NULL,
    purpose text NOT NULL,
    key_sealed bytea NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    shown_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT signing_keys_purpose_check CHECK ((purpose = ANY (ARRAY['access_token'::text, 'proof'::text])))
);
ALTER TABLE ONLY public.signing_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE public.staff_members (
    firm_id text NOT NULL,
    id text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    email_hash bytea NOT NULL,
    email_sealed bytea NOT NULL,
    name_sealed bytea NOT NULL,
    password_hash text NOT NULL,
    totp_seed_sealed bytea NOT NULL,
    totp_last_step bigint DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    charges bigint DEFAULT 0 NOT NULL,
    lockouts integer DEFAULT 0 NOT NULL,
    locked_until timestamp with time zone,
    locked_by_charge bigint,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT staff_members_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text])))
);
ALTER TABLE ONLY public.staff_members FORCE ROW LEVEL SECURITY;
CREATE TABLE public.tenant_keys (
    tenant_id text NOT NULL,
    version integer NOT NULL,
    key_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    retired_at timestamp with time zone
);
ALTER TABLE ONLY public.tenant_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE public.webhook_deliveries (
    firm_id text NOT NULL,
    id text NOT NULL,
    endpoint_id text NOT NULL,
    event_id text NOT NULL,
    object_id text NOT NULL,
    place bigint NOT NULL,
    due_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    claim text,
    claimed_at timestamp with time zone,
    outcome text,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_outcome_check CHECK ((outcome = ANY (ARRAY['delivered'::text, 'exhausted'::text, 'dropped'::text])))
);
ALTER TABLE ONLY public.webhook_deliveries FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_deliveries_place_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.webhook_endpoints (
    firm_id text NOT NULL,
    id text NOT NULL,
    url_sealed bytea NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    event_types text[] DEFAULT '{}'::text[] NOT NULL,
    secret_sealed bytea NOT NULL,
    old_secret_sealed bytea,
    old_secret_until timestamp with time zone,
    signing_key_sealed bytea,
    include_account_details boolean DEFAULT false NOT NULL,
    proven boolean DEFAULT false NOT NULL,
    throttled_until timestamp with time zone,
    failing_since timestamp with time zone,
    disabled_at timestamp with time zone,
    disabled_reason text,
    deleted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    changed_at timestamp with time zone DEFAULT public.app_now() NOT NULL,
    CONSTRAINT webhook_endpoints_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['asked'::text, 'gone'::text])))
);
ALTER TABLE ONLY public.webhook_endpoints FORCE ROW LEVEL SECURITY;
CREATE TABLE public.webhook_events (
    firm_id text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    object_id text NOT NULL,
    sequence bigint NOT NULL,
    data_sealed bytea NOT NULL,
    full_sealed bytea,
    only_endpoint_id text,
    arrival bigint NOT NULL,
    feed_position bigint,
    created_at timestamp with time zone DEFAULT public.app_now() NOT NULL
);
ALTER TABLE ONLY public.webhook_events FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_events ALTER COLUMN arrival ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_events_arrival_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.webhook_feeds (
    firm_id text NOT NULL,
    last_position bigint NOT NULL
);
ALTER TABLE ONLY public.webhook_feeds FORCE ROW LEVEL SECURITY;
CREATE TABLE public.webhook_sequences (
    firm_id text NOT NULL,
    object_id text NOT NULL,
    last_sequence bigint NOT NULL
);
ALTER TABLE ONLY public.webhook_sequences FORCE ROW LEVEL SECURITY;
CREATE TABLE public.webhook_tries (
    firm_id text NOT NULL,
    delivery_id text NOT NULL,
    try integer NOT NULL,
    at timestamp with time zone NOT NULL,
    status integer,
    failure text,
    duration_ms integer NOT NULL
);
ALTER TABLE ONLY public.webhook_tries FORCE ROW LEVEL SECURITY;
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT access_tokens_id_key UNIQUE (id);
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT access_tokens_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.account_requests
    ADD CONSTRAINT account_requests_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.api_clients
    ADD CONSTRAINT api_clients_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.attempt_budgets
    ADD CONSTRAINT attempt_budgets_pkey PRIMARY KEY (tenant_id, subject_hash);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.audit_progress
    ADD CONSTRAINT audit_progress_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_pkey PRIMARY KEY (tenant_id, sequence);
ALTER TABLE ONLY public.authentications
    ADD CONSTRAINT authentications_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.bank_refusals
    ADD CONSTRAINT bank_refusals_pkey PRIMARY KEY (firm_id, bank_id);
ALTER TABLE ONLY public.card_questions
    ADD CONSTRAINT card_questions_pkey PRIMARY KEY (issuer_id, user_hash);
ALTER TABLE ONLY public.cardholders
    ADD CONSTRAINT cardholders_pkey PRIMARY KEY (issuer_id, id);
ALTER TABLE ONLY public.cases
    ADD CONSTRAINT cases_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.client_assertions
    ADD CONSTRAINT client_assertions_pkey PRIMARY KEY (firm_id, client_id, jti_hash);
ALTER TABLE ONLY public.client_secrets
    ADD CONSTRAINT client_secrets_pkey PRIMARY KEY (firm_id, client_id, id);
ALTER TABLE ONLY public.clock_offset
    ADD CONSTRAINT clock_offset_pkey PRIMARY KEY (one);
ALTER TABLE ONLY public.credit_requests
    ADD CONSTRAINT credit_requests_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.directory
    ADD CONSTRAINT directory_pkey PRIMARY KEY (kind, key_hash, tenant_id, object_id);
ALTER TABLE ONLY public.firms
    ADD CONSTRAINT firms_pkey PRIMARY KEY (firm_id);
ALTER TABLE ONLY public.forwarded_codes
    ADD CONSTRAINT forwarded_codes_pkey PRIMARY KEY (issuer_id, code_hash);
ALTER TABLE ONLY public.grant_handles
    ADD CONSTRAINT grant_handles_pkey PRIMARY KEY (firm_id, handle_hash);
ALTER TABLE ONLY public.hand_offs
    ADD CONSTRAINT hand_offs_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.hand_offs
    ADD CONSTRAINT hand_offs_token_hash_key UNIQUE (token_hash);
ALTER TABLE ONLY public.heartbeats
    ADD CONSTRAINT heartbeats_pkey PRIMARY KEY (process_id);
ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (tenant_id, object_id, "position");
ALTER TABLE ONLY public.hosted_logins
    ADD CONSTRAINT hosted_logins_pkey PRIMARY KEY (tenant_id, browser_hash, challenge_id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, caller_id, key_hash);
ALTER TABLE ONLY public.issuer_bank_ids
    ADD CONSTRAINT issuer_bank_ids_pkey PRIMARY KEY (bank_id);
ALTER TABLE ONLY public.issuer_card_ranges
    ADD CONSTRAINT issuer_card_ranges_pkey PRIMARY KEY (prefix);
ALTER TABLE ONLY public.issuer_hubs
    ADD CONSTRAINT issuer_hubs_pkey PRIMARY KEY (certificate_hash, issuer_id);
ALTER TABLE ONLY public.issuers
    ADD CONSTRAINT issuers_pkey PRIMARY KEY (issuer_id);
ALTER TABLE ONLY public.login_grants
    ADD CONSTRAINT login_grants_pkey PRIMARY KEY (firm_id, grant_hash);
ALTER TABLE ONLY public.merchants
    ADD CONSTRAINT merchants_pkey PRIMARY KEY (merchant_id);
ALTER TABLE ONLY public.message_numbers
    ADD CONSTRAINT message_numbers_pkey PRIMARY KEY (number_hash);
ALTER TABLE ONLY public.message_pauses
    ADD CONSTRAINT message_pauses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.message_receipts
    ADD CONSTRAINT message_receipts_pkey PRIMARY KEY (gateway, provider_id, receipt);
ALTER TABLE ONLY public.message_refusals
    ADD CONSTRAINT message_refusals_pkey PRIMARY KEY (hour, limited_by, purpose, country);
ALTER TABLE ONLY public.message_replays
    ADD CONSTRAINT message_replays_pkey PRIMARY KEY (issuer_id, message_hash);
ALTER TABLE ONLY public.message_sequences
    ADD CONSTRAINT message_sequences_pkey PRIMARY KEY (issuer_id, id);
ALTER TABLE ONLY public.message_texts
    ADD CONSTRAINT message_texts_pkey PRIMARY KEY (tenant_id, template);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.otp_tokens
    ADD CONSTRAINT otp_tokens_pkey PRIMARY KEY (issuer_id, id);
ALTER TABLE ONLY public.payment_evidence
    ADD CONSTRAINT payment_evidence_pkey PRIMARY KEY (firm_id, payment_id, bank_status);
ALTER TABLE ONLY public.payment_findings
    ADD CONSTRAINT payment_findings_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.portal_session_records
    ADD CONSTRAINT portal_session_records_pkey PRIMARY KEY (session_hash, firm_id, customer_id);
ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_id_key UNIQUE (id);
ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_pkey PRIMARY KEY (session_hash);
ALTER TABLE ONLY public.purchase_references
    ADD CONSTRAINT purchase_references_pkey PRIMARY KEY (tenant_id, client_id, reference_hash);
ALTER TABLE ONLY public.purchases
    ADD CONSTRAINT purchases_pkey PRIMARY KEY (issuer_id, id);
ALTER TABLE ONLY public.rate_windows
    ADD CONSTRAINT rate_windows_pkey PRIMARY KEY (name, key_hash, window_start);
ALTER TABLE ONLY public.receiving_accounts
    ADD CONSTRAINT receiving_accounts_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sequence_messages
    ADD CONSTRAINT sequence_messages_pkey PRIMARY KEY (issuer_id, sequence_id, number);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (tenant_id, kid);
ALTER TABLE ONLY public.staff_members
    ADD CONSTRAINT staff_members_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, version);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.webhook_events
    ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (firm_id, id);
ALTER TABLE ONLY public.webhook_feeds
    ADD CONSTRAINT webhook_feeds_pkey PRIMARY KEY (firm_id);
ALTER TABLE ONLY public.webhook_sequences
    ADD CONSTRAINT webhook_sequences_pkey PRIMARY KEY (firm_id, object_id);
ALTER TABLE ONLY public.webhook_tries
    ADD CONSTRAINT webhook_tries_pkey PRIMARY KEY (firm_id, delivery_id, try);
CREATE INDEX access_tokens_by_expiry ON public.access_tokens USING btree (expires_at);
CREATE INDEX access_tokens_static ON public.access_tokens USING btree (firm_id, created_at) WHERE (kind = 'static'::text);
CREATE INDEX account_requests_by_case ON public.account_requests USING btree (firm_id, case_id, created_at DESC, id DESC);
CREATE INDEX account_requests_expiring ON public.account_requests USING btree (expires_at) WHERE ((state = 'requested'::text) AND (expires_at IS NOT NULL));
CREATE INDEX account_requests_newest ON public.account_requests USING btree (firm_id, created_at DESC, id DESC);
CREATE INDEX audit_entries_by_transaction ON public.audit_entries USING btree (transaction_id);
CREATE UNIQUE INDEX audit_seals_by_entry ON public.audit_seals USING btree (tenant_id, entry_id);
CREATE INDEX authentications_by_case ON public.authentications USING btree (firm_id, case_id);
CREATE INDEX authentications_newest ON public.authentications USING btree (firm_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX authentications_one_each ON public.authentications USING btree (firm_id, customer_id) WHERE (state <> 'revoked'::text);
CREATE INDEX card_questions_by_age ON public.card_questions USING btree (asked_at);
CREATE UNIQUE INDEX cardholders_by_card ON public.cardholders USING btree (issuer_id, pan_hash) WHERE (state = 'active'::text);
CREATE INDEX cases_by_ref ON public.cases USING btree (firm_id, case_ref, created_at DESC, id DESC);
CREATE INDEX cases_newest ON public.cases USING btree (firm_id, created_at DESC, id DESC);
CREATE INDEX cases_over ON public.cases USING btree (changed_at) WHERE ((state = 'closed'::text) AND (held_at IS NULL));
CREATE UNIQUE INDEX cases_unique_ref ON public.cases USING btree (firm_id, unique_ref) WHERE (unique_ref IS NOT NULL);
CREATE INDEX challenges_by_age ON public.challenges USING btree (created_at);
CREATE INDEX client_assertions_by_expiry ON public.client_assertions USING btree (expires_at);
CREATE INDEX credit_requests_by_case ON public.credit_requests USING btree (firm_id, case_id, created_at DESC, id DESC);
CREATE INDEX credit_requests_expiring ON public.credit_requests USING btree (expires_at) WHERE ((state = 'requested'::text) AND (expires_at IS NOT NULL));
CREATE INDEX credit_requests_newest ON public.credit_requests USING btree (firm_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX credit_requests_open_reference ON public.credit_requests USING btree (firm_id, receiving_account_id, statement_reference) WHERE (state = ANY (ARRAY['requested'::text, 'authorising'::text, 'processing'::text, 'partlyPaid'::text, 'held'::text]));
CREATE INDEX credit_requests_partly_paid ON public.credit_requests USING btree (expires_at) WHERE (state = 'partlyPaid'::text);
CREATE INDEX credit_requests_slow ON public.credit_requests USING btree (submitted_at) WHERE ((state = 'processing'::text) AND (delayed_at IS NULL));
CREATE INDEX customers_by_case ON public.customers USING btree (firm_id, case_id, "position");
CREATE INDEX directory_by_object ON public.directory USING btree (tenant_id, object_id);
CREATE INDEX forwarded_codes_by_age ON public.forwarded_codes USING btree (created_at);
CREATE INDEX grant_handles_by_grant ON public.grant_handles USING btree (firm_id, grant_hash);
CREATE INDEX hand_offs_by_id ON public.hand_offs USING btree (id);
CREATE INDEX hand_offs_by_session ON public.hand_offs USING btree (session_hash, firm_id, customer_id);
CREATE INDEX hosted_logins_by_age ON public.hosted_logins USING btree (created_at);
CREATE INDEX hosted_logins_due ON public.hosted_logins USING btree (dispatch_due_at) WHERE (dispatch_due_at IS NOT NULL);
CREATE INDEX idempotency_keys_by_age ON public.idempotency_keys USING btree (created_at);
CREATE INDEX issuer_card_ranges_by_issuer ON public.issuer_card_ranges USING btree (issuer_id);
CREATE INDEX issuer_hubs_by_issuer ON public.issuer_hubs USING btree (issuer_id);
CREATE INDEX message_pauses_by_end ON public.message_pauses USING btree (ends_at);
CREATE INDEX message_replays_over ON public.message_replays USING btree (expires_at);
CREATE UNIQUE INDEX message_sequences_answers ON public.message_sequences USING btree (issuer_id, caller_id, answers_id) WHERE (state = 'open'::text);
CREATE INDEX message_sequences_open ON public.message_sequences USING btree (issuer_id, caller_id) WHERE (state = 'open'::text);
CREATE INDEX message_sequences_over ON public.message_sequences USING btree (expires_at);
CREATE INDEX message_sequences_terminated ON public.message_sequences USING btree (changed_at) WHERE (state = 'terminated'::text);
CREATE UNIQUE INDEX message_sequences_unused ON public.message_sequences USING btree (issuer_id, caller_id, opening_hash) WHERE ((state = 'open'::text) AND (last_number = 0));
CREATE INDEX messages_by_age ON public.messages USING btree (created_at);
CREATE UNIQUE INDEX messages_by_key ON public.messages USING btree (tenant_id, key_hash);
CREATE INDEX messages_by_provider ON public.messages USING btree (gateway, provider_id) WHERE (provider_id IS NOT NULL);
CREATE INDEX messages_codes_over ON public.messages USING btree (valid_until) WHERE (urgent AND (sent_at IS NOT NULL));
CREATE INDEX messages_due ON public.messages USING btree (urgent DESC, due_at) WHERE (state = 'queued'::text);
CREATE INDEX messages_open ON public.messages USING btree (due_at) WHERE (state = ANY (ARRAY['sending'::text, 'unknown'::text]));
CREATE UNIQUE INDEX otp_tokens_by_serial ON public.otp_tokens USING btree (issuer_id, serial);
CREATE UNIQUE INDEX otp_tokens_held ON public.otp_tokens USING btree (issuer_id, cardholder_id) WHERE (state = ANY (ARRAY['assigned'::text, 'active'::text, 'locked'::text, 'blocked'::text]));
CREATE INDEX otp_tokens_of_cardholder ON public.otp_tokens USING btree (issuer_id, cardholder_id);
CREATE UNIQUE INDEX payment_findings_one_open ON public.payment_findings USING btree (firm_id, payment_id) WHERE (state = 'proposed'::text);
CREATE INDEX payments_by_request ON public.payments USING btree (firm_id, request_id, created_at);
CREATE INDEX payments_due ON public.payments USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE UNIQUE INDEX payments_instruction ON public.payments USING btree (firm_id, instruction_id);
CREATE INDEX payments_of_customer ON public.payments USING btree (firm_id, customer_id);
CREATE UNIQUE INDEX payments_one_in_flight ON public.payments USING btree (firm_id, request_id) WHERE (state <> ALL (ARRAY['declined'::text, 'abandoned'::text, 'closed'::text, 'failed'::text, 'rejected'::text, 'sent_back'::text, 'executed'::text, 'credited'::text]));
CREATE INDEX payments_unconfirmed ON public.payments USING btree (firm_id, changed_at) WHERE (state = 'unconfirmed'::text);
CREATE INDEX portal_session_records_by_customer ON public.portal_session_records USING btree (firm_id, customer_id);
CREATE INDEX portal_sessions_by_age ON public.portal_sessions USING btree (created_at);
CREATE INDEX portal_sessions_by_opener ON public.portal_sessions USING btree (opened_from_hash) WHERE (opened_from_hash IS NOT NULL);
CREATE INDEX purchases_claimed ON public.purchases USING btree (claimed_at) WHERE (state = ANY (ARRAY['asking'::text, 'judging'::text]));
CREATE INDEX purchases_of_issuer ON public.purchases USING btree (issuer_id, created_at DESC, id DESC);
CREATE INDEX purchases_of_merchant ON public.purchases USING btree (merchant_id, created_at DESC, id DESC);
CREATE INDEX purchases_open ON public.purchases USING btree (expires_at) WHERE (state = ANY (ARRAY['pending'::text, 'rejected'::text]));
CREATE INDEX rate_windows_by_age ON public.rate_windows USING btree (window_start);
CREATE UNIQUE INDEX receiving_accounts_one_default ON public.receiving_accounts USING btree (firm_id) WHERE (is_default AND (state = 'approved'::text));
CREATE UNIQUE INDEX reviews_one_open ON public.reviews USING btree (firm_id, subject_id, reason) WHERE (resolved_at IS NULL);
CREATE INDEX reviews_open ON public.reviews USING btree (firm_id, created_at, id) WHERE (resolved_at IS NULL);
CREATE INDEX shares_by_customer ON public.shares USING btree (firm_id, customer_id, created_at);
CREATE INDEX shares_closing ON public.shares USING btree (close_due_at) WHERE (close_due_at IS NOT NULL);
CREATE INDEX shares_due ON public.shares USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX shares_erasable ON public.shares USING btree (shared_at) WHERE (details_sealed IS NOT NULL);
CREATE INDEX shares_of_customer ON public.shares USING btree (firm_id, customer_id);
CREATE UNIQUE INDEX shares_one_live ON public.shares USING btree (firm_id, request_id, customer_id) WHERE (state <> ALL (ARRAY['declined'::text, 'abandoned'::text, 'closed'::text, 'failed'::text]));
CREATE UNIQUE INDEX staff_members_by_email ON public.staff_members USING btree (firm_id, email_hash) WHERE (state <> 'disabled'::text);
CREATE INDEX webhook_deliveries_by_event ON public.webhook_deliveries USING btree (firm_id, event_id, place);
CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (firm_id, endpoint_id, due_at) WHERE ((outcome IS NULL) AND (due_at IS NOT NULL));
CREATE INDEX webhook_deliveries_flying ON public.webhook_deliveries USING btree (firm_id, endpoint_id) WHERE (claim IS NOT NULL);
CREATE INDEX webhook_deliveries_of_object ON public.webhook_deliveries USING btree (firm_id, object_id) WHERE (outcome IS NULL);
CREATE INDEX webhook_deliveries_open ON public.webhook_deliveries USING btree (firm_id, endpoint_id, object_id, place) WHERE (outcome IS NULL);
CREATE INDEX webhook_endpoints_listed ON public.webhook_endpoints USING btree (firm_id, created_at DESC, id) WHERE (deleted_at IS NULL);
CREATE INDEX webhook_events_by_age ON public.webhook_events USING btree (created_at);
CREATE UNIQUE INDEX webhook_events_by_object ON public.webhook_events USING btree (firm_id, object_id, sequence);
CREATE UNIQUE INDEX webhook_events_feed ON public.webhook_events USING btree (firm_id, feed_position) WHERE (feed_position IS NOT NULL);
CREATE INDEX webhook_events_new ON public.webhook_events USING btree (arrival) WHERE (feed_position IS NULL);
ALTER TABLE ONLY public.account_requests
    ADD CONSTRAINT account_requests_firm_id_case_id_fkey FOREIGN KEY (firm_id, case_id) REFERENCES public.cases(firm_id, id);
ALTER TABLE ONLY public.authentications
    ADD CONSTRAINT authentications_firm_id_customer_id_fkey FOREIGN KEY (firm_id, customer_id) REFERENCES public.customers(firm_id, id);
ALTER TABLE ONLY public.client_secrets
    ADD CONSTRAINT client_secrets_firm_id_client_id_fkey FOREIGN KEY (firm_id, client_id) REFERENCES public.api_clients(firm_id, id);
ALTER TABLE ONLY public.credit_requests
    ADD CONSTRAINT credit_requests_firm_id_case_id_fkey FOREIGN KEY (firm_id, case_id) REFERENCES public.cases(firm_id, id);
ALTER TABLE ONLY public.credit_requests
    ADD CONSTRAINT credit_requests_firm_id_receiving_account_id_fkey FOREIGN KEY (firm_id, receiving_account_id) REFERENCES public.receiving_accounts(firm_id, id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_firm_id_case_id_fkey FOREIGN KEY (firm_id, case_id) REFERENCES public.cases(firm_id, id);
ALTER TABLE ONLY public.grant_handles
    ADD CONSTRAINT grant_handles_firm_id_grant_hash_fkey FOREIGN KEY (firm_id, grant_hash) REFERENCES public.login_grants(firm_id, grant_hash) ON DELETE CASCADE;
ALTER TABLE ONLY public.hand_offs
    ADD CONSTRAINT hand_offs_session_hash_firm_id_customer_id_fkey FOREIGN KEY (session_hash, firm_id, customer_id) REFERENCES public.portal_session_records(session_hash, firm_id, customer_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.login_grants
    ADD CONSTRAINT login_grants_firm_id_customer_id_fkey FOREIGN KEY (firm_id, customer_id) REFERENCES public.customers(firm_id, id);
ALTER TABLE ONLY public.payment_evidence
    ADD CONSTRAINT payment_evidence_firm_id_payment_id_fkey FOREIGN KEY (firm_id, payment_id) REFERENCES public.payments(firm_id, id);
ALTER TABLE ONLY public.payment_findings
    ADD CONSTRAINT payment_findings_firm_id_payment_id_fkey FOREIGN KEY (firm_id, payment_id) REFERENCES public.payments(firm_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_firm_id_customer_id_fkey FOREIGN KEY (firm_id, customer_id) REFERENCES public.customers(firm_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_firm_id_request_id_fkey FOREIGN KEY (firm_id, request_id) REFERENCES public.credit_requests(firm_id, id);
ALTER TABLE ONLY public.portal_session_records
    ADD CONSTRAINT portal_session_records_session_hash_fkey FOREIGN KEY (session_hash) REFERENCES public.portal_sessions(session_hash) ON DELETE CASCADE;
ALTER TABLE ONLY public.portal_sessions
    ADD CONSTRAINT portal_sessions_opened_from_hash_fkey FOREIGN KEY (opened_from_hash) REFERENCES public.portal_sessions(session_hash) ON DELETE CASCADE;
ALTER TABLE ONLY public.sequence_messages
    ADD CONSTRAINT sequence_messages_issuer_id_sequence_id_fkey FOREIGN KEY (issuer_id, sequence_id) REFERENCES public.message_sequences(issuer_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_firm_id_customer_id_fkey FOREIGN KEY (firm_id, customer_id) REFERENCES public.customers(firm_id, id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_firm_id_request_id_fkey FOREIGN KEY (firm_id, request_id) REFERENCES public.account_requests(firm_id, id);
ALTER TABLE public.account_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.api_clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.attempt_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.authentications ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bank_refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.card_questions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.cardholders ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.cases ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.client_assertions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.client_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.credit_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.firms ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.forwarded_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.grant_handles ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.history ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.hosted_logins ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.issuers ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.login_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY merchant ON public.purchases FOR SELECT USING ((merchant_id = public.app_tenant()));
ALTER TABLE public.merchants ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.message_replays ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.message_sequences ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.message_texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.otp_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_evidence ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.purchase_references ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.purchases ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.receiving_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sequence_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.shares ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.staff_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.account_requests USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.api_clients USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.attempt_budgets USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.audit_entries USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.audit_seals USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.authentications USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.bank_refusals USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.card_questions USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.cardholders USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.cases USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.challenges USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.client_assertions USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.client_secrets USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.credit_requests USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.customers USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.firms USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.forwarded_codes USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.grant_handles USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.history USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.hosted_logins USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.idempotency_keys USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.issuers USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.login_grants USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.merchants USING ((merchant_id = public.app_tenant())) WITH CHECK ((merchant_id = public.app_tenant()));
CREATE POLICY tenant ON public.message_replays USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.message_sequences USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.message_texts USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.messages USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.otp_tokens USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.payment_evidence USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.payment_findings USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.payments USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.purchase_references USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.purchases USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.receiving_accounts USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.reviews USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.sequence_messages USING ((issuer_id = public.app_tenant())) WITH CHECK ((issuer_id = public.app_tenant()));
CREATE POLICY tenant ON public.shares USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.signing_keys USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.staff_members USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.tenant_keys USING ((tenant_id = public.app_tenant())) WITH CHECK ((tenant_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_deliveries USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_endpoints USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_events USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_feeds USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_sequences USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
CREATE POLICY tenant ON public.webhook_tries USING ((firm_id = public.app_tenant())) WITH CHECK ((firm_id = public.app_tenant()));
ALTER TABLE public.tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_endpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_feeds ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_sequences ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_tries ENABLE ROW LEVEL SECURITY;
CREATE POLICY worker ON public.account_requests TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.attempt_budgets TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.audit_entries TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.audit_seals TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.authentications TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.bank_refusals TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.card_questions TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.cardholders TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.cases TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.challenges TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.client_assertions TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.credit_requests TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.customers TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.firms TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.forwarded_codes TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.grant_handles TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.history TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.hosted_logins TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.idempotency_keys TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.issuers TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.login_grants TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.merchants TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.message_replays TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.message_sequences TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.message_texts TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.messages TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.payment_evidence TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.payments TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.purchases TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.receiving_accounts TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.reviews TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.shares TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.tenant_keys TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_deliveries TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_endpoints TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_events TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_feeds TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_sequences TO strongroom_worker USING (true) WITH CHECK (true);
CREATE POLICY worker ON public.webhook_tries TO strongroom_worker USING (true) WITH CHECK (true);
GRANT USAGE ON SCHEMA public TO strongroom_app;
GRANT USAGE ON SCHEMA public TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.access_tokens TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.access_tokens TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.account_requests TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.account_requests TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.api_clients TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.attempt_budgets TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.attempt_budgets TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO strongroom_app;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO strongroom_worker;
GRANT SELECT,UPDATE ON TABLE public.audit_progress TO strongroom_worker;
GRANT SELECT ON TABLE public.audit_seals TO strongroom_app;
GRANT SELECT,INSERT ON TABLE public.audit_seals TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.authentications TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.authentications TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bank_refusals TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.bank_refusals TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.card_questions TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.card_questions TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cardholders TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cardholders TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cases TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.cases TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.challenges TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.challenges TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.client_assertions TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.client_assertions TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.client_secrets TO strongroom_app;
GRANT SELECT ON TABLE public.clock_offset TO strongroom_app;
GRANT SELECT ON TABLE public.clock_offset TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.credit_requests TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.credit_requests TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.customers TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.customers TO strongroom_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.directory TO strongroom_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.directory TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.firms TO strongroom_app;
GRANT SELECT ON TABLE public.firms TO strongroom_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.forwarded_codes TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.forwarded_codes TO strongroom_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.grant_handles TO strongroom_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.grant_handles TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.hand_offs TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.heartbeats TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.heartbeats TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.history TO strongroom_app;
GRANT SELECT,INSERT ON TABLE public.history TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.hosted_logins TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.hosted_logins TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.issuer_bank_ids TO strongroom_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.issuer_card_ranges TO strongroom_app;
GRANT SELECT ON TABLE public.issuer_card_ranges TO strongroom_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.issuer_hubs TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.issuers TO strongroom_app;
GRANT SELECT ON TABLE public.issuers TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.login_grants TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.login_grants TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.merchants TO strongroom_app;
GRANT SELECT ON TABLE public.merchants TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.message_numbers TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.message_numbers TO strongroom_worker;
GRANT SELECT ON TABLE public.message_pauses TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.message_pauses TO strongroom_worker;
GRANT INSERT ON TABLE public.message_receipts TO strongroom_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.message_receipts TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.message_refusals TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.message_refusals TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.message_replays TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.message_replays TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.message_sequences TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.message_sequences TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.message_texts TO strongroom_app;
GRANT SELECT ON TABLE public.message_texts TO strongroom_worker;
GRANT SELECT,INSERT,DELETE ON TABLE public.messages TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.messages TO strongroom_worker;
GRANT UPDATE(used_at) ON TABLE public.messages TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.otp_tokens TO strongroom_app;
GRANT SELECT ON TABLE public.payment_evidence TO strongroom_app;
GRANT SELECT,INSERT ON TABLE public.payment_evidence TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payment_findings TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payments TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payments TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.portal_session_records TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.portal_session_records TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.portal_sessions TO strongroom_app;
GRANT SELECT,DELETE ON TABLE public.portal_sessions TO strongroom_worker;
GRANT UPDATE(ended_at) ON TABLE public.portal_sessions TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.purchase_references TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.purchases TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.purchases TO strongroom_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_windows TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_windows TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.receiving_accounts TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.receiving_accounts TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reviews TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reviews TO strongroom_worker;
GRANT SELECT ON TABLE public.schema_migrations TO strongroom_app;
GRANT SELECT ON TABLE public.schema_migrations TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.sequence_messages TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shares TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shares TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.signing_keys TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.staff_members TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.tenant_keys TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.tenant_keys TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_deliveries TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_deliveries TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_endpoints TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_endpoints TO strongroom_worker;
GRANT SELECT,INSERT ON TABLE public.webhook_events TO strongroom_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.webhook_events TO strongroom_worker;
GRANT SELECT ON TABLE public.webhook_feeds TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_feeds TO strongroom_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_sequences TO strongroom_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.webhook_sequences TO strongroom_worker;
GRANT SELECT ON TABLE public.webhook_tries TO strongroom_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.webhook_tries TO strongroom_worker;
