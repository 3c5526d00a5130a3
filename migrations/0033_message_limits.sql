-- Text messages: which country and block of numbers each went to, whether its code was used, what was refused, what is paused.

ALTER TABLE messages ADD COLUMN country text NOT NULL DEFAULT '';  -- ISO 3166 of the number; empty: before this version
ALTER TABLE messages ADD COLUMN prefix_hash bytea;                 -- keyed, over the number without its last four digits
ALTER TABLE messages ADD COLUMN sent_at timestamptz;               -- when a gateway took it
ALTER TABLE messages ADD COLUMN delivered_at timestamptz;
ALTER TABLE messages ADD COLUMN used_at timestamptz;               -- when its code was accepted
GRANT UPDATE (used_at) ON messages TO strongroom_app;
CREATE INDEX messages_codes_over ON messages (valid_until) WHERE urgent AND sent_at IS NOT NULL;

-- How often a message was asked for and refused, by the hour, over all tenants.
CREATE TABLE message_refusals (
  hour timestamptz NOT NULL,
  limited_by text NOT NULL,
  purpose text NOT NULL,
  country text NOT NULL,
  refused bigint NOT NULL,
  PRIMARY KEY (hour, limited_by, purpose, country)
);
GRANT SELECT, INSERT, UPDATE ON message_refusals TO strongroom_app, strongroom_worker;
GRANT DELETE ON message_refusals TO strongroom_worker;

-- Where codes were sent and hardly any was used: a block of numbers or a country, paused or only told about.
CREATE TABLE message_pauses (
  id text PRIMARY KEY,
  scope text NOT NULL CHECK (scope IN ('prefix', 'country')),
  country text NOT NULL,
  prefix_hash bytea CHECK ((prefix_hash IS NULL) = (scope = 'country')),
  stops boolean NOT NULL,  -- no: an alarm
  numbers int NOT NULL,    -- that got a code in the window
  users int NOT NULL,      -- of these, that used one
  began_at timestamptz NOT NULL DEFAULT app_now(),
  ends_at timestamptz NOT NULL,
  lifted_at timestamptz,
  lifted_by text
);
GRANT SELECT ON message_pauses TO strongroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON message_pauses TO strongroom_worker;
CREATE INDEX message_pauses_by_end ON message_pauses (ends_at);
