-- Events for firms, the endpoints that want them, and the deliveries between the two.

-- How far each object's events have been counted; the row's lock makes the count free of gaps and of races.
CREATE TABLE webhook_sequences (
  firm_id text NOT NULL,
  object_id text NOT NULL,
  last_sequence bigint NOT NULL,
  PRIMARY KEY (firm_id, object_id)
);
SELECT fence('webhook_sequences', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON webhook_sequences TO strongroom_app, strongroom_worker;

-- What happened. `feed_position` is given after the commit by the sequencer, so that no reader can step over a late one.
CREATE TABLE webhook_events (
  firm_id text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  object_id text NOT NULL,
  sequence bigint NOT NULL,
  data_sealed bytea NOT NULL,
  full_sealed bytea,       -- with account details, for the endpoints that may have them
  only_endpoint_id text,   -- a ping is for one endpoint
  arrival bigint GENERATED ALWAYS AS IDENTITY,
  feed_position bigint,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id)
);
CREATE UNIQUE INDEX webhook_events_by_object ON webhook_events (firm_id, object_id, sequence);
CREATE UNIQUE INDEX webhook_events_feed ON webhook_events (firm_id, feed_position) WHERE feed_position IS NOT NULL;
CREATE INDEX webhook_events_new ON webhook_events (arrival) WHERE feed_position IS NULL;
CREATE INDEX webhook_events_by_age ON webhook_events (created_at);
SELECT fence('webhook_events', 'firm_id', true);
GRANT SELECT, INSERT ON webhook_events TO strongroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_events TO strongroom_worker;

-- The last position given in each firm's feed.
CREATE TABLE webhook_feeds (
  firm_id text PRIMARY KEY,
  last_position bigint NOT NULL
);
SELECT fence('webhook_feeds', 'firm_id', true);
GRANT SELECT ON webhook_feeds TO strongroom_app;
GRANT SELECT, INSERT, UPDATE ON webhook_feeds TO strongroom_worker;

-- Where events go. A disabled or deleted endpoint gets nothing; a failing one is still tried.
CREATE TABLE webhook_endpoints (
  firm_id text NOT NULL,
  id text NOT NULL,
  url_sealed bytea NOT NULL,  -- addresses often carry a secret
  description text NOT NULL DEFAULT '',
  event_types text[] NOT NULL DEFAULT '{}',  -- empty: all
  secret_sealed bytea NOT NULL,
  old_secret_sealed bytea,
  old_secret_until timestamptz,
  signing_key_sealed bytea,  -- Ed25519, where the firm asked for it
  include_account_details boolean NOT NULL DEFAULT false,
  proven boolean NOT NULL DEFAULT false,  -- the last try was answered with success
  throttled_until timestamptz,
  failing_since timestamptz,
  disabled_at timestamptz,
  disabled_reason text CHECK (disabled_reason IN ('asked', 'gone')),
  deleted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (firm_id, id)
);
CREATE INDEX webhook_endpoints_listed ON webhook_endpoints (firm_id, created_at DESC, id) WHERE deleted_at IS NULL;
SELECT fence('webhook_endpoints', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO strongroom_app, strongroom_worker;

-- One event on its way to one endpoint. Open while `outcome` is null. `due_at` is null while an earlier event of the same
-- object is open, and lies in the future while somebody is sending (the end of the lease) or a retry waits.
CREATE TABLE webhook_deliveries (
  firm_id text NOT NULL,
  id text NOT NULL,
  endpoint_id text NOT NULL,
  event_id text NOT NULL,
  object_id text NOT NULL,
  place bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which the endpoint gets them
  due_at timestamptz,
  tries int NOT NULL DEFAULT 0,
  claim text,
  claimed_at timestamptz,
  outcome text CHECK (outcome IN ('delivered', 'exhausted', 'dropped')),
  created_at timestamptz NOT NULL DEFAULT app_now(),
  ended_at timestamptz,
  PRIMARY KEY (firm_id, id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (firm_id, endpoint_id, due_at)
  WHERE outcome IS NULL AND due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_flying ON webhook_deliveries (firm_id, endpoint_id) WHERE claim IS NOT NULL;
CREATE INDEX webhook_deliveries_open ON webhook_deliveries (firm_id, endpoint_id, object_id, place) WHERE outcome IS NULL;
CREATE INDEX webhook_deliveries_of_object ON webhook_deliveries (firm_id, object_id) WHERE outcome IS NULL;
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (firm_id, event_id, place);
SELECT fence('webhook_deliveries', 'firm_id', true);
GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO strongroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO strongroom_worker;

-- Every try: when, what came back, how long it took. Nothing of the answer's content is kept.
CREATE TABLE webhook_tries (
  firm_id text NOT NULL,
  delivery_id text NOT NULL,
  try int NOT NULL,
  at timestamptz NOT NULL,
  status int,
  failure text,
  duration_ms int NOT NULL,
  PRIMARY KEY (firm_id, delivery_id, try)
);
SELECT fence('webhook_tries', 'firm_id', true);
GRANT SELECT ON webhook_tries TO strongroom_app;
GRANT SELECT, INSERT, DELETE ON webhook_tries TO strongroom_worker;
