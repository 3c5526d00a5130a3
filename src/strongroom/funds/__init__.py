"""Funds: cases, customers, requests for money (SafePay) and for bank details (SafeAuth), and what became of them.

Words: a *credit request* asks for an amount; a *payment* is one attempt at one bank to fulfil it; a *customer account request*
asks for bank details; a *share* is one attempt to give them. Stands on banking, notify, webhooks, access and kit; takes
`Challenges` as a protocol, so that it never imports sca.
"""
