"""Purchases that a cardholder confirms with a one-time password: begun by a merchant's software, judged here or by the issuer.

Words: a *purchase* is one amount to one payee; its *judge* is the card's token here (`card`), a code that we sent ourselves or
that nobody has (`code`), or the issuer's own service (`issuer`); a *proof* is what the merchant gets when the code was right. A
card that is not enrolled has a purchase like any other, with a code that nobody has. Below: sca's engine, issuing, notify, access.
"""
