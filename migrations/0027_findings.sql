-- What people found out about a payment where the bank cannot or does not tell: proposed by one member of staff, approved by another.

CREATE TABLE payment_findings (
  firm_id text NOT NULL,
  id text NOT NULL,
  payment_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('debited', 'not_debited', 'received')),
  state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'declined')),
  note_sealed bytea NOT NULL,  -- where it was seen, in the proposer's words
  proposed_by text NOT NULL,
  decided_by text,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id),
  FOREIGN KEY (firm_id, payment_id) REFERENCES payments (firm_id, id),
  CHECK (decided_by IS DISTINCT FROM proposed_by OR state <> 'approved')
);
CREATE UNIQUE INDEX payment_findings_one_open ON payment_findings (firm_id, payment_id) WHERE state = 'proposed';
SELECT fence('payment_findings', 'firm_id', false);
GRANT SELECT, INSERT, UPDATE ON payment_findings TO strongroom_app;

ALTER TABLE reviews ADD COLUMN note_sealed bytea;  -- what came of it, in the words of who resolved it

CREATE INDEX payments_unconfirmed ON payments (firm_id, changed_at) WHERE state = 'unconfirmed';
CREATE INDEX reviews_open ON reviews (firm_id, created_at, id) WHERE resolved_at IS NULL;
