"""One-time passwords that we make ourselves: random digits, kept only as keyed hashes bound to their challenge."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable

from strongroom.kit.crypto import same
from strongroom.kit.vault import Vault
from strongroom.sca.model import CODE_DIGITS, Charged, Matched, Rejected

_PURPOSE = "one-time password"


def new_code(digits: int = CODE_DIGITS) -> str:
    """Return random digits (NIST SP 800-63B-4 asks for at least 20 bits; six have 19.93 and five tries)."""
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def hash_code(vault: Vault, challenge_id: str, code: str) -> bytes:
    """Return what is kept of a code."""
    return vault.hash(_PURPOSE, challenge_id, code)


def read_code(typed: str) -> str:
    """Return the digits of what a person typed: spaces and dashes are theirs to use, full-width digits are read as digits."""
    plain = unicodedata.normalize("NFKC", typed[:40])
    return "".join(c for c in plain if not c.isspace() and c not in "-–.")


def compare(vault: Vault, charged: Charged, typed: str) -> Matched | Rejected:
    """Compare with every code of the challenge, in constant time, after the try was charged."""
    given = hash_code(vault, charged.challenge_id, read_code(typed))
    hits = [index for index, held in enumerate(charged.code_hashes) if same(given, held)]
    return Matched(charged, hits[0]) if hits else Rejected(charged.attempts_left)


def hash_codes(vault: Vault, challenge_id: str, codes: Iterable[str]) -> list[bytes]:
    """Hash several codes of one challenge."""
    return [hash_code(vault, challenge_id, code) for code in codes]
