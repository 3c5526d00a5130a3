"""Pretend customers, their accounts, and a double-entry ledger that always sums to zero."""
