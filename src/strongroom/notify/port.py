"""The gateway port: how a text message leaves the house, and the three ways in which that can fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from strongroom.kit.errors import Fault
from strongroom.notify.gsm import Encoding


class Refused(Fault):
    """The gateway will never carry this message: a wrong number, a barred sender. Final."""


class Unavailable(Fault):
    """The gateway certainly did not take the message; another gateway, or the same one later, may."""


class Silent(Fault):
    """The request went out and no answer came: nobody knows whether the message was taken. Never sent again blindly."""


class NotGenuine(Exception):
    """A report that does not come from the gateway it names."""


class Receipt(StrEnum):
    """What a gateway may report about a message that it took."""

    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    NOT_TAKEN = "not_taken"  # the gateway had only queued it, and whoever comes after it certainly did not take it


class Found(StrEnum):
    """What a gateway knows about a message when asked."""

    TAKEN = "taken"
    NEVER_SEEN = "never_seen"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as a gateway gets it; prints without recipient and text."""

    id: str  # also the idempotency key towards the gateway
    to: str = field(repr=False)  # E.164 digits without +
    text: str = field(repr=False)
    sender: str  # the name shown; empty for the gateway's own
    valid_until: datetime
    valid_seconds: int  # what is left, at least 1
    no_log: bool  # ask the gateway to keep no copy of the text


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a gateway took."""

    provider_id: str
    segments: int
    encoding: Encoding
    cost_micros: int | None = None  # millionths of a pound; None when the gateway does not say
    may_come_back: bool = False  # the gateway may report NOT_TAKEN, and then another shall have the text


class Gateway(Protocol):
    """Something that carries text messages."""

    name: str

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message over. Raise Refused, Unavailable or Silent."""
        ...


@runtime_checkable
class Asks(Protocol):
    """A gateway that can tell whether it took a message."""

    async def ask(self, message_id: str) -> Found:
        """Look a message up by our id."""
        ...


@runtime_checkable
class Bound(Protocol):
    """A gateway that keeps a line of its own open, over which reports come back too."""

    name: str

    def run(self, report: Callable[[Report], Awaitable[None]]) -> Coroutine[None, None, None]:
        """Keep the line until cancelled, handing over each report."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """A gateway and the numbers that it carries to: those that begin with one of the prefixes, or all."""

    gateway: Gateway
    prefixes: tuple[str, ...] = ()

    def carries(self, to: str) -> bool:
        """True for a number (E.164 digits) that this gateway is for."""
        return to.startswith(self.prefixes) if self.prefixes else True


@dataclass(frozen=True, slots=True)
class ReportCall:
    """A gateway's call to us, as it came. Header names are in lower case."""

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    form: Sequence[tuple[str, str]] = field(repr=False)  # empty unless the body is a form
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """What a gateway says became of a message."""

    provider_id: str
    receipt: Receipt


@runtime_checkable
class Reports(Protocol):
    """A gateway that calls us when it knows more."""

    name: str

    def read_report(self, report: ReportCall) -> Report | None:
        """Return what a call says; None for what changes nothing. Raise NotGenuine."""
        ...
