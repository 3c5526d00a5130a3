-- A request may be paid in parts. What its payments have taken or may still take is counted on the request itself, so that the
-- database refuses a part that would exceed the amount, and only a payment in flight stands in the way of the next one.

ALTER TABLE credit_requests ADD COLUMN committed_minor bigint NOT NULL DEFAULT 0;

-- The owner sees every firm's rows while the count is taken for the first time.
ALTER TABLE credit_requests NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payments NO FORCE ROW LEVEL SECURITY;
UPDATE credit_requests request SET committed_minor = amount_minor WHERE EXISTS (
  SELECT FROM payments WHERE payments.firm_id = request.firm_id AND payments.request_id = request.id
  AND payments.state NOT IN ('declined', 'abandoned', 'closed', 'failed', 'rejected'));
ALTER TABLE credit_requests FORCE ROW LEVEL SECURITY;
ALTER TABLE payments FORCE ROW LEVEL SECURITY;

ALTER TABLE credit_requests ADD CONSTRAINT credit_requests_committed CHECK (committed_minor BETWEEN 0 AND amount_minor);
ALTER TABLE credit_requests DROP CONSTRAINT credit_requests_state_check;
ALTER TABLE credit_requests ADD CONSTRAINT credit_requests_state_check CHECK (state IN
  ('requested', 'authorising', 'processing', 'partlyPaid', 'completed', 'received', 'cancelled', 'expired', 'held', 'returned'));

DROP INDEX credit_requests_open_reference;
CREATE UNIQUE INDEX credit_requests_open_reference ON credit_requests (firm_id, receiving_account_id, statement_reference)
  WHERE state IN ('requested', 'authorising', 'processing', 'partlyPaid', 'held');
CREATE INDEX credit_requests_partly_paid ON credit_requests (expires_at) WHERE state = 'partlyPaid';

-- One payment in flight per request; that no second one begins after the money has moved is the count's to say.
DROP INDEX payments_one_live;
CREATE UNIQUE INDEX payments_one_in_flight ON payments (firm_id, request_id) WHERE state NOT IN
  ('declined', 'abandoned', 'closed', 'failed', 'rejected', 'sent_back', 'executed', 'credited');

ALTER TABLE reviews DROP CONSTRAINT reviews_reason_check;
ALTER TABLE reviews ADD CONSTRAINT reviews_reason_check CHECK (reason IN
  ('third_party_payer', 'unknown_payer', 'name_mismatch', 'unrecognised', 'unconfirmed', 'partly_paid'));
