-- What banks' limits have refused lately, per firm: the smallest amount, so that the next customer is warned before going there.
-- Per firm, because one firm's customers must learn nothing about another's.

CREATE TABLE bank_refusals (
  firm_id text NOT NULL,
  bank_id text NOT NULL,
  refused_minor bigint NOT NULL CHECK (refused_minor > 0),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (firm_id, bank_id)
);
SELECT fence('bank_refusals', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON bank_refusals TO strongroom_app, strongroom_worker;
