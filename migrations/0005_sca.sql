-- Challenges: one request for one one-time password. What is open, used, superseded or burned follows from its columns.
CREATE TABLE challenges (
  tenant_id text NOT NULL,
  id text NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('login', 'share')),
  subject_hash bytea NOT NULL,
  code_hashes bytea[] NOT NULL DEFAULT '{}',  -- one per phone that got a code; none: a decoy that no code opens
  attempts int NOT NULL DEFAULT 0,
  max_attempts int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT app_now(),
  expires_at timestamptz NOT NULL,
  superseded_at timestamptz,
  used_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK (attempts <= max_attempts)
);
SELECT fence('challenges', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON challenges TO strongroom_app, strongroom_worker;
CREATE INDEX challenges_by_age ON challenges (created_at);

-- The budget of one subject over all its challenges: a new challenge never gives new tries.
CREATE TABLE attempt_budgets (
  tenant_id text NOT NULL,
  subject_hash bytea NOT NULL,
  charges bigint NOT NULL DEFAULT 0,       -- every try ever charged; names the try that set the lock
  failures int NOT NULL DEFAULT 0,         -- in a row
  level int NOT NULL DEFAULT 0,            -- how many locks in a row; each lasts longer
  locked_until timestamptz,
  locked_by bigint,
  changed_at timestamptz NOT NULL DEFAULT app_now(),
  PRIMARY KEY (tenant_id, subject_hash)
);
SELECT fence('attempt_budgets', 'tenant_id', true);
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt_budgets TO strongroom_app, strongroom_worker;
