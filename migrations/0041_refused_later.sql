-- A gateway that only queues may report later that whoever comes after it refused the message; another gateway then has it.
ALTER TABLE message_receipts DROP CONSTRAINT message_receipts_receipt_check;
ALTER TABLE message_receipts ADD CONSTRAINT message_receipts_receipt_check
  CHECK (receipt IN ('delivered', 'failed', 'expired', 'not_taken'));
