"""HOTP and TOTP (RFC 4226, RFC 6238): pure sums over a seed."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from strongroom.kit.crypto import same
from strongroom.sca.devices.model import Algorithm


def code_at(seed: bytes, counter: int, *, algorithm: Algorithm = Algorithm.SHA1, digits: int = 6) -> str:
    """Return the code for one counter or time step (RFC 4226 §5.3, with the hashes of RFC 6238 §1.2)."""
    return truncate(hmac.digest(seed, counter.to_bytes(8, "big"), str(algorithm)), digits)


def truncate(digest: bytes, digits: int) -> str:
    """Return the digits that stand for an HMAC (RFC 4226 §5.3)."""
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def find_run(show: Callable[[int], str], typed: list[str], counters: Iterable[int]) -> int | None:
    """Return the first counter from which the device shows these codes in a row; None when there is none.

    Every counter is compared, whatever the ones before gave, so that the time taken does not tell which one matched.
    """
    given = "\n".join(typed).encode()
    found: int | None = None
    for counter in counters:
        shown = [show(counter + n) for n in range(len(typed))]
        if same("\n".join(shown).encode(), given) and found is None:
            found = counter
    return found
