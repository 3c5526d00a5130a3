"""All SQL of webhooks, one file each for events, endpoints and deliveries."""
