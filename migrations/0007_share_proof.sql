-- A share that came back in another browser: the challenge that proves it, and the grant that its code was exchanged for meanwhile
-- (a bank's code lives a minute, a person with a text message takes longer).

-- From then on `browser_hash` is the browser that came back: only there may the code be entered.

ALTER TABLE shares ADD COLUMN challenge_id text;
ALTER TABLE shares ADD COLUMN grant_sealed bytea;
CREATE INDEX shares_erasable ON shares (shared_at) WHERE details_sealed IS NOT NULL;
