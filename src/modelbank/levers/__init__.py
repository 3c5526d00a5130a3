"""What testers may do to a bank: its levers, the quirks that are chosen, and how often one has struck."""
