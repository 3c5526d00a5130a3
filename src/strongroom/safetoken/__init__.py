"""Safe Token's wire: the contract of issuers, hubs and merchants in SOAP, XML and JSON. Owns no rules and no business tables.

Words, the contract's own: a *cardholder* is enrolled with `AddCardHolder`; a *code* is a number of its table; the *passport*
issues access tokens; the *pair* is a client's id and secret encoded; a *hub* asks an issuer's service `ValidateCard` and
`AuthenticateOTP`. Below: sca (cardholders, tokens, codes), access (issuers, clients, keys), kit.
"""
