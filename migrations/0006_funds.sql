-- Cases, customers, requests, payments, shares, receiving accounts and hosted logins.

CREATE TABLE cases (
  firm_id text NOT NULL,
  id text NOT NULL,
  case_ref text NOT NULL,
  unique_ref text,  -- the reference again where the firm wants references unique
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id)
);
CREATE UNIQUE INDEX cases_unique_ref ON cases (firm_id, unique_ref) WHERE unique_ref IS NOT NULL;
CREATE INDEX cases_newest ON cases (firm_id, created_at DESC, id DESC);
CREATE INDEX cases_by_ref ON cases (firm_id, case_ref, created_at DESC, id DESC);
SELECT fence('cases', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON cases TO strongroom_app, strongroom_worker;

CREATE TABLE customers (
  firm_id text NOT NULL,
  id text NOT NULL,
  case_id text NOT NULL,
  position int NOT NULL,
  data_key_sealed bytea,        -- NULL: erased, nothing about this person opens any more
  personal_sealed bytea NOT NULL,
  phone_hash bytea NOT NULL,
  identity_hash bytea NOT NULL, -- e-mail and date of birth
  phone_usable_from timestamptz NOT NULL DEFAULT '-infinity',  -- a changed number waits out the cooling-off
  opened_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, case_id) REFERENCES cases (firm_id, id)
);
CREATE INDEX customers_by_case ON customers (firm_id, case_id, position);
SELECT fence('customers', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON customers TO strongroom_app, strongroom_worker;

-- Who may log in by e-mail, date of birth and code.
CREATE TABLE authentications (
  firm_id text NOT NULL,
  id text NOT NULL,
  case_id text NOT NULL,
  customer_id text NOT NULL,
  state text NOT NULL DEFAULT 'invited' CHECK (state IN ('invited', 'verified', 'locked', 'revoked')),
  invited_at timestamptz,
  verified_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, customer_id) REFERENCES customers (firm_id, id)
);
CREATE UNIQUE INDEX authentications_one_each ON authentications (firm_id, customer_id) WHERE state <> 'revoked';
CREATE INDEX authentications_by_case ON authentications (firm_id, case_id);
CREATE INDEX authentications_newest ON authentications (firm_id, created_at DESC, id DESC);
SELECT fence('authentications', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON authentications TO strongroom_app, strongroom_worker;

CREATE TABLE login_grants (
  firm_id text NOT NULL,
  grant_hash bytea NOT NULL,
  case_id text NOT NULL,
  customer_id text NOT NULL,
  issued_at timestamptz NOT NULL DEFAULT app_now(),
  used_at timestamptz,
  PRIMARY KEY (firm_id, grant_hash),
  FOREIGN KEY (firm_id, customer_id) REFERENCES customers (firm_id, id)
);
SELECT fence('login_grants', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_grants TO strongroom_app, strongroom_worker;

-- A browser that opened a grant in time may press the button for two minutes more.
CREATE TABLE grant_handles (
  firm_id text NOT NULL,
  handle_hash bytea NOT NULL,
  grant_hash bytea NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, handle_hash),
  FOREIGN KEY (firm_id, grant_hash) REFERENCES login_grants (firm_id, grant_hash) ON DELETE CASCADE
);
CREATE INDEX grant_handles_by_grant ON grant_handles (firm_id, grant_hash);
SELECT fence('grant_handles', 'firm_id', true);
GRANT SELECT, INSERT, DELETE ON grant_handles TO strongroom_app, strongroom_worker;

-- One browser's way through the login: who it says it is (a keyed hash) and the challenge that it must pass. Tenant: `portal`.
CREATE TABLE hosted_logins (
  tenant_id text NOT NULL,
  browser_hash bytea NOT NULL,
  identity_hash bytea NOT NULL,
  challenge_id text NOT NULL,
  covers jsonb NOT NULL DEFAULT '[]',  -- per code sent: the customers whose phone received it, as [[firm, case, customer], …]
  dispatch_due_at timestamptz,         -- codes are looked up and sent by a job, so that the answer takes the same time for all
  created_at timestamptz NOT NULL DEFAULT app_now(),
  sent_at timestamptz,
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, browser_hash, challenge_id)
);
CREATE INDEX hosted_logins_due ON hosted_logins (dispatch_due_at) WHERE dispatch_due_at IS NOT NULL;
CREATE INDEX hosted_logins_by_age ON hosted_logins (created_at);
SELECT fence('hosted_logins', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON hosted_logins TO strongroom_app, strongroom_worker;

CREATE TABLE receiving_accounts (
  firm_id text NOT NULL,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'declined', 'retired')),
  kind text NOT NULL CHECK (kind IN ('client', 'office')),
  account_name text NOT NULL,
  details_sealed bytea NOT NULL,
  account_number_last4 text NOT NULL,
  is_default boolean NOT NULL DEFAULT false,
  proposed_by text NOT NULL,
  approved_by text,
  usable_from timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  CHECK (approved_by IS DISTINCT FROM proposed_by),
  CHECK (state <> 'approved' OR (approved_by IS NOT NULL AND usable_from IS NOT NULL))
);
CREATE UNIQUE INDEX receiving_accounts_one_default ON receiving_accounts (firm_id) WHERE is_default AND state = 'approved';
SELECT fence('receiving_accounts', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON receiving_accounts TO strongroom_app, strongroom_worker;

CREATE TABLE credit_requests (
  firm_id text NOT NULL,
  id text NOT NULL,
  case_id text NOT NULL,
  customer_id text,
  state text NOT NULL DEFAULT 'requested' CHECK (state IN
    ('requested', 'authorising', 'processing', 'completed', 'received', 'cancelled', 'expired', 'held', 'returned')),
  reference text NOT NULL,
  statement_reference text NOT NULL CHECK (length(statement_reference) BETWEEN 1 AND 18),
  description text NOT NULL,
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency text NOT NULL DEFAULT 'GBP' CHECK (currency = 'GBP'),
  purpose text NOT NULL,
  allow_split boolean NOT NULL DEFAULT false,
  receiving_account_id text NOT NULL,
  expires_at timestamptz,
  notify boolean NOT NULL,
  last_failure_code text,
  last_failure_message text,
  frozen_at timestamptz,       -- the customer said that they do not recognise it
  submitted_at timestamptz,
  delayed_at timestamptz,
  completed_at timestamptz,
  received_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, case_id) REFERENCES cases (firm_id, id),
  FOREIGN KEY (firm_id, receiving_account_id) REFERENCES receiving_accounts (firm_id, id)
);
CREATE UNIQUE INDEX credit_requests_open_reference ON credit_requests (firm_id, receiving_account_id, statement_reference)
  WHERE state IN ('requested', 'authorising', 'processing', 'held');
CREATE INDEX credit_requests_by_case ON credit_requests (firm_id, case_id, created_at DESC, id DESC);
CREATE INDEX credit_requests_newest ON credit_requests (firm_id, created_at DESC, id DESC);
CREATE INDEX credit_requests_expiring ON credit_requests (expires_at) WHERE state = 'requested' AND expires_at IS NOT NULL;
CREATE INDEX credit_requests_slow ON credit_requests (submitted_at) WHERE state = 'processing' AND delayed_at IS NULL;
SELECT fence('credit_requests', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON credit_requests TO strongroom_app, strongroom_worker;

CREATE TABLE payments (
  firm_id text NOT NULL,
  id text NOT NULL,
  request_id text NOT NULL,
  customer_id text NOT NULL,
  bank_id text NOT NULL,
  state text NOT NULL DEFAULT 'requesting' CHECK (state IN
    ('requesting', 'awaiting', 'returned', 'exchanging', 'authorised', 'submitting', 'processing', 'executed', 'credited',
     'held', 'unconfirmed', 'declined', 'abandoned', 'closed', 'failed', 'rejected', 'sent_back')),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  instruction_id text NOT NULL,
  end_to_end_id text NOT NULL,
  consent_key text NOT NULL,
  submit_key text NOT NULL,
  memory_sealed bytea,
  url_sealed bytea,
  return_sealed bytea,         -- what came back with the customer; removed when the code is used or discarded
  grant_sealed bytea,
  consent_id text,
  bank_payment_id text,
  bank_status text,
  failure_code text,
  failure_message text,
  payer_sealed bytea,
  third_party_payer text NOT NULL DEFAULT 'unknown' CHECK (third_party_payer IN ('yes', 'no', 'unknown')),
  evidence_sealed bytea,
  agreed jsonb NOT NULL,       -- the consent as agreed: wording's version, time, bank, amount, payee (compliance 3)
  due_at timestamptz,          -- when the job looks at it next
  lease_until timestamptz,
  tries int NOT NULL DEFAULT 0,
  first_submitted_at timestamptz,
  returned_at timestamptz,
  submitted_at timestamptz,
  executed_at timestamptz,
  credited_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, request_id) REFERENCES credit_requests (firm_id, id),
  FOREIGN KEY (firm_id, customer_id) REFERENCES customers (firm_id, id)
);
-- The rule that matters most: one live payment per request, and no second one after money has moved.
CREATE UNIQUE INDEX payments_one_live ON payments (firm_id, request_id) WHERE state NOT IN
  ('declined', 'abandoned', 'closed', 'failed', 'rejected', 'sent_back');
CREATE INDEX payments_by_request ON payments (firm_id, request_id, created_at);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX payments_instruction ON payments (firm_id, instruction_id);
SELECT fence('payments', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON payments TO strongroom_app, strongroom_worker;

CREATE TABLE account_requests (
  firm_id text NOT NULL,
  id text NOT NULL,
  case_id text NOT NULL,
  customer_id text,
  state text NOT NULL DEFAULT 'requested' CHECK (state IN
    ('requested', 'authorising', 'completed', 'cancelled', 'expired')),
  asked text[] NOT NULL,       -- the customers who were asked, in the case's order
  expires_at timestamptz,
  notify boolean NOT NULL,
  last_failure_code text,
  last_failure_message text,
  frozen_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, case_id) REFERENCES cases (firm_id, id)
);
CREATE INDEX account_requests_by_case ON account_requests (firm_id, case_id, created_at DESC, id DESC);
CREATE INDEX account_requests_newest ON account_requests (firm_id, created_at DESC, id DESC);
CREATE INDEX account_requests_expiring ON account_requests (expires_at) WHERE state = 'requested' AND expires_at IS NOT NULL;
SELECT fence('account_requests', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON account_requests TO strongroom_app, strongroom_worker;

CREATE TABLE shares (
  firm_id text NOT NULL,
  id text NOT NULL,
  request_id text NOT NULL,
  customer_id text NOT NULL,
  bank_id text NOT NULL,
  state text NOT NULL DEFAULT 'requesting' CHECK (state IN
    ('requesting', 'awaiting', 'unproven', 'returned', 'reading', 'choosing', 'shared',
     'declined', 'abandoned', 'closed', 'failed')),
  browser_hash bytea NOT NULL,  -- the browser that began; a return in another one must prove itself by a fresh code
  memory_sealed bytea,
  url_sealed bytea,
  return_sealed bytea,
  accounts_sealed bytea,        -- several accounts came back and the customer has not picked yet
  consent_id text,
  consent_open boolean NOT NULL DEFAULT false,
  close_due_at timestamptz,
  failure_code text,
  failure_message text,
  details_sealed bytea,         -- the account that was shared
  name_match jsonb,
  review_required boolean,
  agreed jsonb NOT NULL,
  due_at timestamptz,
  lease_until timestamptz,
  tries int NOT NULL DEFAULT 0,
  returned_at timestamptz,
  shared_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, request_id) REFERENCES account_requests (firm_id, id),
  FOREIGN KEY (firm_id, customer_id) REFERENCES customers (firm_id, id)
);
-- Each customer shares once per request, one attempt at a time.
CREATE UNIQUE INDEX shares_one_live ON shares (firm_id, request_id, customer_id) WHERE state NOT IN
  ('declined', 'abandoned', 'closed', 'failed');
CREATE INDEX shares_by_customer ON shares (firm_id, customer_id, created_at);
CREATE INDEX shares_due ON shares (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX shares_closing ON shares (close_due_at) WHERE close_due_at IS NOT NULL;
SELECT fence('shares', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON shares TO strongroom_app, strongroom_worker;

-- What a member of staff must look at: a payer who is somebody else, an account whose name differs, a request not recognised.
CREATE TABLE reviews (
  firm_id text NOT NULL,
  id text NOT NULL,
  subject_id text NOT NULL,
  reason text NOT NULL CHECK (reason IN ('third_party_payer', 'unknown_payer', 'name_mismatch', 'unrecognised', 'unconfirmed')),
  created_at timestamptz NOT NULL DEFAULT app_now(),
  resolved_at timestamptz,
  resolved_by text,
  PRIMARY KEY (firm_id, id)
);
CREATE UNIQUE INDEX reviews_one_open ON reviews (firm_id, subject_id, reason) WHERE resolved_at IS NULL;
SELECT fence('reviews', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON reviews TO strongroom_app, strongroom_worker;
