"""All SQL of access, a file per kind of thing."""
