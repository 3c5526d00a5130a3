-- What banks said about payments, as they signed it: the first answer with each word of theirs, and never written again.

CREATE TABLE payment_evidence (
  firm_id text NOT NULL,
  payment_id text NOT NULL,
  bank_status text NOT NULL,
  answer_sealed bytea NOT NULL,  -- with the customer's own key, because banks name the payer
  received_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, payment_id, bank_status),
  FOREIGN KEY (firm_id, payment_id) REFERENCES payments (firm_id, id)
);
SELECT fence('payment_evidence', 'firm_id', true);
GRANT SELECT ON payment_evidence TO strongroom_app;
GRANT SELECT, INSERT ON payment_evidence TO strongroom_worker;

-- The newest answer alone was kept here. No release of the product has ever written it.
ALTER TABLE payments DROP COLUMN evidence_sealed;
