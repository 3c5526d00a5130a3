"""The customer leaves for the bank: to the address that came with the consent, or to one that the bank gives at this moment."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from strongroom.banking.port import BankRefused, BankUnavailable
from strongroom.banking.registry import Registry
from strongroom.funds.model import Failure

_log = structlog.get_logger("funds")


@dataclass(frozen=True, slots=True)
class Way:
    """What is held of the way to the bank of a customer who is awaited: the bank's address, or what it will be asked for with."""

    bank_id: str
    url: str | None = field(repr=False)
    memory: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where to send a customer now, or why that cannot be said; neither once they have come back or the attempt has ended."""

    url: str | None = field(default=None, repr=False)
    failure: Failure | None = None


async def leave(registry: Registry, way: Way | None) -> Leaving:
    """Send a customer on. A bank that wants the request pushed gets it now, and anew each time that somebody leaves.

    Nothing is written: the attempt stays as it is, whatever the bank says, and may be left for again.
    """
    if way is None or way.url is not None or way.memory is None:
        return Leaving(way.url if way else None)
    try:
        return Leaving(await registry.get_bank(way.bank_id).push_request(way.memory))
    except (BankUnavailable, BankRefused) as fault:
        _log.warning("a bank did not take a pushed request", bank=way.bank_id, reason=fault.code)
        return Leaving(failure=Failure.REFUSED_BY_BANK if isinstance(fault, BankRefused) else Failure.BANK_UNAVAILABLE)
