-- WS-ReliableMessaging: the sequences that issuers' software opened, and each message of theirs that took effect with the answer it got.

CREATE TABLE message_sequences (
  issuer_id text NOT NULL,
  id text NOT NULL,                      -- its Identifier, a URI of ours
  caller_id text NOT NULL,               -- the client that opened it: for everybody else it does not exist
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'terminated')),
  version text NOT NULL CHECK (version IN ('1.0', '1.1')),
  opening_hash bytea,                    -- keyed, over what makes two requests to open a sequence the same one
  answers_id text,                       -- the Identifier that the client offered for our answers
  last_number bigint NOT NULL DEFAULT 0 CHECK (last_number >= 0),  -- of the messages that took effect: all up to here did, in order
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, id)
);
SELECT fence('message_sequences', 'issuer_id', true);
GRANT SELECT, INSERT, UPDATE ON message_sequences TO strongroom_app;
GRANT SELECT, DELETE ON message_sequences TO strongroom_worker;
-- A request to open a sequence that is sent again, because its answer was lost, finds the sequence that it opened.
CREATE UNIQUE INDEX message_sequences_unused ON message_sequences (issuer_id, caller_id, opening_hash)
  WHERE state = 'open' AND last_number = 0;
-- Answers of two sequences never share a sequence of answers.
CREATE UNIQUE INDEX message_sequences_answers ON message_sequences (issuer_id, caller_id, answers_id) WHERE state = 'open';
CREATE INDEX message_sequences_open ON message_sequences (issuer_id, caller_id) WHERE state = 'open';
CREATE INDEX message_sequences_over ON message_sequences (expires_at);
CREATE INDEX message_sequences_terminated ON message_sequences (changed_at) WHERE state = 'terminated';

CREATE TABLE sequence_messages (
  issuer_id text NOT NULL,
  sequence_id text NOT NULL,
  number bigint NOT NULL CHECK (number > 0),
  message_hash bytea NOT NULL,           -- keyed, over the Body: another message with this number is a fault
  answer_sealed bytea,                   -- NULL while an operation that commits by itself is at work, or if its process died then
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (issuer_id, sequence_id, number),
  FOREIGN KEY (issuer_id, sequence_id) REFERENCES message_sequences ON DELETE CASCADE
);
SELECT fence('sequence_messages', 'issuer_id', false);
GRANT SELECT, INSERT, UPDATE ON sequence_messages TO strongroom_app;
