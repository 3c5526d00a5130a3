"""Small pieces that every answer has: times, money, reasons, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# The texts go with codes of OBExternalStatusReason1Code; the words are this bank's.
REASONS = {
    "AM14": "The amount is over what this bank lets its customers pay by open banking.",
    "AM04": "There is not enough money in the account.",
    "CUST": "The customer said no.",
    "DS04": "The bank stopped the payment after accepting it.",
    "TKXP": "The time that was agreed is over.",
    "U036": "The customer did not finish at the bank.",
    "U037": "The customer could not be authorised.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: what goes beside `Links` and `Meta`, the path that `Links.Self` names, and those of other pages."""

    status: int
    content: dict[str, Any]
    self_path: str
    meta: dict[str, Any]
    pages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """A successful answer that is no JSON: a document to keep."""

    media_type: str
    name: str
    body: bytes


def created(content: dict[str, Any], self_path: str, **meta: Any) -> Answer:
    """Answer 201 with a resource."""
    return Answer(201, content, self_path, meta)


def read(content: dict[str, Any], self_path: str, **meta: Any) -> Answer:
    """Answer 200 with a resource."""
    return Answer(200, content, self_path, meta)


def timestamp(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def money(amount_minor: int) -> dict[str, str]:
    """Write pence as the standard's amount, without a sign."""
    pounds, pence = divmod(abs(amount_minor), 100)
    return {"Amount": f"{pounds}.{pence:02d}", "Currency": "GBP"}


def status_reason(code: str | None, text: str | None = None) -> dict[str, Any]:
    """Return `StatusReason`, or nothing when there is no reason: empty members are left out."""
    if code is None:
        return {}
    return {"StatusReason": [{"StatusReasonCode": code, "StatusReasonDescription": text or REASONS.get(code, code)}]}
