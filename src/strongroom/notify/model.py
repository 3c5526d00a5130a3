"""The values of text messages: purposes, outcomes of queueing, limits, pauses, the funnel, and a message on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from strongroom.notify.port import Receipt


class Purpose(StrEnum):
    """Why somebody gets a text message."""

    LOGIN_CODE = "login_code"
    LOGIN_LINK = "login_link"
    NOTICE = "notice"
    PURCHASE_CODE = "purchase_code"

    @property
    def is_code(self) -> bool:
        """True when the text holds a secret and somebody is waiting for it."""
        return self in {Purpose.LOGIN_CODE, Purpose.PURCHASE_CODE}

    @property
    def is_pausable(self) -> bool:
        """True for what strangers can cause; a notice warns somebody, and no pause may keep it from them."""
        return self is not Purpose.NOTICE


@dataclass(frozen=True, slots=True)
class Queued:
    """The message will be sent, or already was under the same key."""

    message_id: str


class LimitedBy(StrEnum):
    """What a message that was asked for ran into."""

    NUMBER = "number"
    PREFIX = "prefix"
    COUNTRY = "country"
    ADDRESS = "address"
    CLIENT = "client"
    TENANT = "tenant"
    PAUSED = "paused"  # hardly any code sent there was used, and nobody has lifted the pause yet
    NOT_SERVED = "not_served"  # a country that messages may not go to


@dataclass(frozen=True, slots=True)
class Limited:
    """A limit was reached and nothing will be sent; say nothing of it to whoever is not known yet."""

    limit: LimitedBy
    retry_after_seconds: int = field(default=0, compare=False)  # 0: waiting does not help


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in an hour and in a day."""

    hour: int
    day: int


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """How many messages may be asked for. A number has 5 in 10 minutes besides, over every door (contract)."""

    number: Rate = Rate(10, 10)
    prefix: Rate = Rate(100, 500)
    country: Rate = Rate(500, 2000)
    home_country: Rate = Rate(20_000, 200_000)
    address: Rate = Rate(100, 500)
    client: Rate = Rate(3600, 36_000)
    tenant: Rate = Rate(3600, 36_000)
    home_countries: frozenset[str] = frozenset({"GB", "NG"})
    countries: frozenset[str] = frozenset()  # that messages may go to; empty: any

    def of_country(self, country: str) -> Rate:
        """Return the limit of one country."""
        return self.home_country if country in self.home_countries else self.country


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When codes that nobody uses pause a block of numbers, or a country."""

    window_seconds: int = 3600
    prefix_numbers: int = 20  # that must have got a code before anything is concluded
    country_numbers: int = 100
    share_percent: int = 10  # of them, that must have used one; 0: no watch
    pause_seconds: int = 3600
    country_stops: bool = False  # a country is paused, not only told about


class Scope(StrEnum):
    """What is paused."""

    PREFIX = "prefix"
    COUNTRY = "country"


@dataclass(frozen=True, slots=True)
class Unused:
    """A block of numbers, or a country, where hardly any code was used."""

    scope: Scope
    country: str
    prefix_hash: bytes | None = field(repr=False)
    numbers: int
    users: int


@dataclass(frozen=True, slots=True)
class Pause:
    """What the watch concluded, and until when it holds. The block of numbers itself is kept as a keyed hash alone."""

    id: str
    scope: Scope
    country: str
    stops: bool
    numbers: int
    users: int
    began_at: datetime
    ends_at: datetime


class AuditTag(StrEnum):
    """What the watch writes into the audit."""

    PAUSED = "notify:messages:paused"
    ALARMED = "notify:messages:alarmed"
    LIFTED = "notify:messages:lifted"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the funnel: what became of the messages for one purpose to one country by one gateway."""

    purpose: str
    country: str
    gateway: str  # empty: none had it yet, or it was refused before
    asked: int
    sent: int
    delivered: int
    used: int
    refused: dict[str, int]  # by what


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose turn has come, locked by the transaction that read it."""

    tenant_id: str
    id: str
    is_alive: bool  # there is still time to send it
    tries: int
    recipient_sealed: bytes = field(repr=False)
    refused_by: str | None  # the gateway that had queued it and reported later that it was not taken


@dataclass(frozen=True, slots=True)
class Reported:
    """A receipt with the message that it is for."""

    tenant_id: str
    message_id: str
    receipt: Receipt
    tries: int
    has_text: bool
    no_log: bool


REFUSED_LATER = "refused_later"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker, and no other, may send until its lease ends."""

    tenant_id: str
    id: str
    claim: str
    gateway: str
    recipient_sealed: bytes = field(repr=False)
    text_sealed: bytes = field(repr=False)
    sender: str
    no_log: bool
    valid_until: datetime
    valid_seconds: int
    tries: int
