"""SQL of the wire's own rows: signed messages that were seen."""
