"""Talking to issuers whose own service keeps the tokens: ask whether a card has one, pass a code on, and say what is not known.

Words: a *remote issuer* answers `ValidateCard` and `AuthenticateOTP` in a service of its own; a *connector* knows one way to
write and read those two; a *line* is one issuer's connector with its time limit, breaker and retry rule. No tables.
Below: soap, access, kit.
"""
