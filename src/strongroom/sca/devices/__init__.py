"""Tokens: devices in cardholders' hands that show one-time passwords. Owns the table `otp_tokens`.

Words: a *token* has a *serial* and a *seed*, sealed and shown to nobody; its *counter* is the next HOTP counter or TOTP time step
that may be accepted, and moves forward only; *drift* is how many steps its clock was off. A token that *signs* (OCRA) has a
*suite*, which says what goes into its codes, and is asked a *question*, which is answered once. Below: cardholding, access, kit.
"""
