"""Access: who is calling and what they may do. Owns tenants, API clients, access tokens, signing keys, staff and portal sessions.

Words: a *tenant* is a *firm*, an *issuer* of cards or a *merchant*; an *API client* is its software and has *secrets*, public
*keys* or a *certificate*; an *access token* is what it then shows, issued for an hour or *static*; a *scope* is what it may do; a
*caller* is a checked token. *Staff* authenticate with password and TOTP. A *portal session* is a customer's, covers named records,
and knows no tenant; a *hand-off* opens one on a phone from one at a computer. Below: kit.
"""
