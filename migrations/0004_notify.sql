-- Text messages: what is to be sent, what became of it, and how often a number has been written to.

CREATE TABLE messages (
  tenant_id text NOT NULL,
  id text NOT NULL,
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'sending', 'unknown', 'sent', 'delivered', 'failed', 'expired')),
  purpose text NOT NULL CHECK (purpose IN ('login_code', 'login_link', 'notice', 'purchase_code')),
  urgent boolean NOT NULL,  -- somebody sits before a screen and waits for it
  key_hash bytea NOT NULL,  -- the caller's idempotency key
  recipient_hash bytea NOT NULL,
  recipient_sealed bytea,
  text_sealed bytea,
  sender text NOT NULL DEFAULT '',
  no_log boolean NOT NULL,  -- the text goes as soon as it is not needed for sending
  valid_until timestamptz NOT NULL,
  due_at timestamptz NOT NULL DEFAULT app_now(),
  tries int NOT NULL DEFAULT 0,
  claim text,
  claimed_at timestamptz,
  gateway text,
  provider_id text,
  segments int,
  encoding text,
  cost_micros bigint,
  failure text,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX messages_by_key ON messages (tenant_id, key_hash);
CREATE INDEX messages_due ON messages (urgent DESC, due_at) WHERE state = 'queued';
CREATE INDEX messages_open ON messages (due_at) WHERE state IN ('sending', 'unknown');
CREATE INDEX messages_by_provider ON messages (gateway, provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX messages_by_age ON messages (created_at);
SELECT fence('messages', 'tenant_id', true);
GRANT SELECT, INSERT, DELETE ON messages TO strongroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON messages TO strongroom_worker;

-- The last ten times that a number was written to, newest first, over all tenants; the number itself is not here.
CREATE TABLE message_numbers (
  number_hash bytea PRIMARY KEY,
  used_at timestamptz[] NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON message_numbers TO strongroom_app, strongroom_worker;
GRANT DELETE ON message_numbers TO strongroom_worker;

-- What gateways reported, kept until the message that it is about is known to us: a receipt may overtake the answer.
CREATE TABLE message_receipts (
  gateway text NOT NULL,
  provider_id text NOT NULL,
  receipt text NOT NULL CHECK (receipt IN ('delivered', 'failed', 'expired')),
  received_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (gateway, provider_id, receipt)
);
GRANT INSERT ON message_receipts TO strongroom_app;
GRANT SELECT, INSERT, DELETE ON message_receipts TO strongroom_worker;

-- A firm's own wording, where it differs from the catalogue's.
CREATE TABLE message_texts (
  tenant_id text NOT NULL,
  template text NOT NULL,
  text text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, template)
);
SELECT fence('message_texts', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON message_texts TO strongroom_app;
GRANT SELECT ON message_texts TO strongroom_worker;
