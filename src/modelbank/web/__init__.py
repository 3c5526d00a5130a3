"""HTTP and TLS, and nothing about banking."""
