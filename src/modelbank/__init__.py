"""The model bank: two pretend banks that speak UK Open Banking v4.0, for development, demonstrations and tests.

A separate program. It imports nothing of Strongroom and is spoken to only over HTTP. Its parts, each standing on those above:
`web` (HTTP and TLS), `jose` (signatures), `ledger` (customers, accounts, double entry), `oauth` (the authorisation server),
`openbanking` (payments and account information), `psu` (the pages that a customer sees), `control` and
`levers` (what testers may do to a bank). `quirks` is the table of the ways in which a bank can be made to fail.
"""
