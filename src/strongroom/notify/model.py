"""The values of text messages: purposes, outcomes of queueing, limits, and a message on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from strongroom.kit.limits import Limit
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


@dataclass(frozen=True, slots=True)
class Queued:
    """The message will be sent, or already was under the same key."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Limited:
    """A limit was reached and nothing will be sent; say nothing of it to whoever is not known yet."""

    limit: str  # which: number, address or tenant


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """Limits besides the fixed ones per number (5 in 10 minutes, 10 a day, over every door)."""

    tenant_per_hour: int = 3600
    address_per_hour: int = 30

    @property
    def tenant(self) -> Limit:
        """Return the limit of one shard of a tenant."""
        return Limit("sms per tenant", max(1, self.tenant_per_hour // TENANT_SHARDS), 3600)

    @property
    def address(self) -> Limit:
        """Return the limit of one network address."""
        return Limit("sms per address", self.address_per_hour, 3600)


TENANT_SHARDS = 8  # one counter row per tenant would make all its requests wait for each other's commits


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
