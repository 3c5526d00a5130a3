"""The ways in which remote issuers are spoken to. Each writes the two questions and reads the two answers, and decides nothing."""
