"""The words of the message layer: who sends, what an operation is, and what goes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from strongroom.kit.db import Tx
from strongroom.soap.envelopes import Envelope
from strongroom.soap.reading import Element
from strongroom.soap.security import Policy


@dataclass(frozen=True, slots=True)
class Sender:
    """Who is calling: the tenant, the client of it that authenticated, and what that tenant's settings ask of its messages."""

    issuer_id: str
    caller_id: str
    policy: Policy = field(default_factory=Policy)
    certificate_hash: bytes | None = (
        None  # SHA-256 of the certificate that mutual TLS proved, if it is the caller's own registered one
    )
    must_be_reliable: bool = False  # its messages must come in a sequence
    address: str = ""  # of ours, that it calls
    context: Any = None  # passed on to the operation


@dataclass(frozen=True, slots=True)
class Request:
    """One call of an operation. `operation` is the Body's child."""

    sender: Sender
    operation: Element
    envelope: Envelope


Effect = Callable[[Tx], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: returns the XML of the answer's Body in transactions of its own, and may raise SoapFault or Refusal.

    `prepare`, where there is one, returns what does the same within a transaction of the caller's; it is called with none open.
    """

    name: str
    namespaces: frozenset[str]  # that the Body's child may have
    perform: Callable[[Request], Awaitable[str]]
    answer_action: str | None = None  # None: the action of the request and "Response"
    prepare: Callable[[Request], Awaitable[Effect]] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back, before it is put in an envelope. `action` is "" for that of a fault; status 202 has no envelope."""

    body: str = ""
    action: str | None = None
    status: int = 200
    headers: tuple[str, ...] = ()  # blocks beside those of addressing


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes
