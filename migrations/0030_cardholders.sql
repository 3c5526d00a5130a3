-- Cardholders of issuers: one person with one card. Everything about them is sealed with a key of their own.

CREATE TABLE cardholders (
  issuer_id text NOT NULL,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'removed')),
  pan_hash bytea NOT NULL,
  pan_sealed bytea NOT NULL,
  pan_shown text NOT NULL,               -- first six and last four digits
  data_key_sealed bytea,                 -- destroying it erases the person
  details_sealed bytea NOT NULL,         -- every other member as it was sent
  account_hash bytea,
  phone_hash bytea NOT NULL,
  phone_sealed bytea NOT NULL,
  old_phone_sealed bytea,                -- codes go there until the new number may be used
  phone_usable_from timestamptz NOT NULL DEFAULT '-infinity',
  approved boolean NOT NULL,             -- whether the token may be used at once
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, id)
);
-- One card is enrolled once; this decides between two at the same time.
CREATE UNIQUE INDEX cardholders_by_card ON cardholders (issuer_id, pan_hash) WHERE state = 'active';
SELECT fence('cardholders', 'issuer_id', true);
GRANT SELECT, INSERT, UPDATE ON cardholders TO strongroom_app, strongroom_worker;
