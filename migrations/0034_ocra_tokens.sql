-- Tokens that sign a question (OCRA, RFC 6287): the suite says what goes into a code. Each question is answered once.
ALTER TABLE otp_tokens
  ADD COLUMN suite text CHECK (char_length(suite) <= 64),
  ADD COLUMN question text CHECK (question ~ '^[0-9]{4,64}$'),       -- the random one that was asked last
  ADD COLUMN question_asked_at timestamptz,
  ADD COLUMN answered_hashes bytea[] NOT NULL DEFAULT '{}',          -- keyed, of the questions answered last, newest first
  DROP CONSTRAINT otp_tokens_kind_check,
  DROP CONSTRAINT otp_tokens_period_seconds_check,
  DROP CONSTRAINT otp_tokens_check,
  ADD CONSTRAINT otp_tokens_kind_check CHECK (kind IN ('hotp', 'totp', 'ocra')),
  ADD CONSTRAINT otp_tokens_period_seconds_check CHECK (period_seconds IN (30, 60) OR (kind = 'ocra' AND period_seconds BETWEEN 30 AND 600)),
  ADD CONSTRAINT otp_tokens_check CHECK (kind = 'ocra' OR (kind = 'totp') = (period_seconds IS NOT NULL)),
  ADD CONSTRAINT otp_tokens_suite_of_ocra CHECK ((kind = 'ocra') = (suite IS NOT NULL));
