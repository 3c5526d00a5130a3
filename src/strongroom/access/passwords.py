"""Passwords of staff: argon2id, in a thread and few at a time, because one check takes 64 MiB and tens of milliseconds."""

from __future__ import annotations

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from strongroom.access.errors import UnsuitablePassword
from strongroom.kit.crypto import Secret

MIN_LENGTH = 12
MAX_LENGTH = 200
_AT_ONCE = 4
_MIN_DISTINCT = 5
_hasher = PasswordHasher()  # argon2id with RFC 9106's low-memory parameters


class Passwords:
    """Hashes and checks passwords. `check` takes as long for nobody as for somebody."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: Secret) -> str:
        """Return what is stored of a password."""
        async with self._room:
            return await asyncio.to_thread(_hasher.hash, _normal(password))

    async def check(self, password_hash: str | None, password: Secret) -> bool:
        """True when the password is right; None stands for a person who does not exist, and is always wrong."""
        if self._nobody is None:
            self._nobody = await self.hash(Secret("nobody has this password"))
        async with self._room:
            right = await asyncio.to_thread(_is_right, password_hash or self._nobody, _normal(password))
        return right and password_hash is not None


def refuse_unsuitable(password: Secret, email: str) -> None:
    """Raise UnsuitablePassword for what is guessed first: short ones, and those made of one character or the e-mail address."""
    text = _normal(password)
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise UnsuitablePassword(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    if len(set(text)) < _MIN_DISTINCT or text.casefold() in email.casefold() or email.casefold() in text.casefold():
        raise UnsuitablePassword("This password is too easy to guess")


def _normal(password: Secret) -> str:
    """Return the password so that the same keys give the same text on every machine (NIST SP 800-63B §5.1.1.2)."""
    return unicodedata.normalize("NFKC", password.reveal())


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
