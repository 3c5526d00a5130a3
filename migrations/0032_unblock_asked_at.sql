-- When an unblocking was asked for: who approves it must have been a member of staff by then.
ALTER TABLE otp_tokens ADD COLUMN unblock_asked_at timestamptz;
