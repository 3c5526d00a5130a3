-- The issuer's service, asked by hubs: which cardholder a UserId was last told about, and what their code is compared with.

CREATE TABLE card_questions (
  issuer_id text NOT NULL,
  user_hash bytea NOT NULL,              -- keyed, over the UserId that AuthenticateOTP will name
  cardholder_id text NOT NULL,
  token_serial text,                     -- the device whose code was asked for
  challenge_id text,                     -- or the challenge whose code was sent
  asked_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, user_hash)
);
SELECT fence('card_questions', 'issuer_id', true);
GRANT SELECT, INSERT, UPDATE ON card_questions TO strongroom_app;
GRANT SELECT, DELETE ON card_questions TO strongroom_worker;
CREATE INDEX card_questions_by_age ON card_questions (asked_at);
