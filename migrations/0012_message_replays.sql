-- Signed SOAP messages that were answered, until the time that they themselves name is over: each counts once.

CREATE TABLE message_replays (
  issuer_id text NOT NULL,
  message_hash bytea NOT NULL,       -- keyed, over what was signed: a signature by a curve can be written in two ways, this cannot
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (issuer_id, message_hash)
);
SELECT fence('message_replays', 'issuer_id', true);
GRANT SELECT, INSERT ON message_replays TO strongroom_app;
GRANT SELECT, DELETE ON message_replays TO strongroom_worker;
CREATE INDEX message_replays_over ON message_replays (expires_at);
