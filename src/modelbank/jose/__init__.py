"""Signing keys, JSON Web Tokens and key sets, made with PyJWT so that no client shares our mistakes."""
