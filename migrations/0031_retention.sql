-- How long what is known of people is kept: a case under legal hold is left alone, and an erased person has no key any more.

ALTER TABLE cases ADD COLUMN held_at timestamptz;        -- legal hold: nobody of this case is erased
ALTER TABLE customers ADD COLUMN erased_at timestamptz;  -- when the key was destroyed
CREATE INDEX cases_over ON cases (changed_at) WHERE state = 'closed' AND held_at IS NULL;
CREATE INDEX payments_of_customer ON payments (firm_id, customer_id);
CREATE INDEX shares_of_customer ON shares (firm_id, customer_id);
GRANT UPDATE (ended_at) ON portal_sessions TO strongroom_worker;  -- erasing a person ends their sessions
