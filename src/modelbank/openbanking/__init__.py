"""The resource server: UK Open Banking Read/Write API v4.0, payments and account information."""
