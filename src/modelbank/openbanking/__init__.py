"""The resource server: UK Open Banking Read/Write API v4.0, payments, account information and confirmation of funds."""
