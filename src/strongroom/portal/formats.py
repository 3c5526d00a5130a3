"""How amounts, times and account details are written for people, in the words of one language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from strongroom.portal.texts import Texts

LOCAL_ZONE: Final = ZoneInfo("Europe/London")
_SYMBOLS: Final = {"GBP": "£", "EUR": "€"}
_NBSP: Final = "\N{NO-BREAK SPACE}"


def money(amount_minor: int, currency: str) -> Markup:
    """Write an amount of pence as `£62,500.00`, in an element that never wraps and whose figures line up."""
    pounds, pence = divmod(amount_minor, 100)
    figures = f"{pounds:,}.{pence:02d}"
    symbol = _SYMBOLS.get(currency)
    written = f"{symbol}{figures}" if symbol else f"{currency}{_NBSP}{figures}"
    return Markup('<span class="money">{}</span>').format(written)


def sort_code(digits: str) -> str:
    """Write six digits as `20-00-00`."""
    return "-".join((digits[:2], digits[2:4], digits[4:]))


def day(texts: Texts, on: date) -> Markup:
    """Write a date as `21 November 2026`."""
    return _time(on.isoformat(), _day(texts, on))


def moment(texts: Texts, at: datetime) -> Markup:
    """Write a time as `21 November 2026 at 14:05`, in the local zone."""
    local = at.astimezone(LOCAL_ZONE)
    return _time(_machine(at), texts.text("format.moment", day=_day(texts, local), clock=f"{local:%H:%M}"))


def moment_exact(texts: Texts, at: datetime) -> Markup:
    """Write a time as `21 November 2026 at 14:05:09 GMT`, for receipts."""
    local = at.astimezone(LOCAL_ZONE)
    return _time(_machine(at), texts.text("format.moment", day=_day(texts, local), clock=f"{local:%H:%M:%S %Z}"))


def since(texts: Texts, at: datetime) -> Markup:
    """Write a time as `14:05 on 21 November 2026`, in the local zone."""
    local = at.astimezone(LOCAL_ZONE)
    return _time(_machine(at), texts.text("format.since", day=_day(texts, local), clock=f"{local:%H:%M}"))


def clock(at: datetime) -> Markup:
    """Write the time of day as `14:05`, in the local zone."""
    return _time(_machine(at), f"{at.astimezone(LOCAL_ZONE):%H:%M}")


def _day(texts: Texts, on: date) -> str:
    return f"{on.day}{_NBSP}{texts.text(f'format.month.{on.month}')}{_NBSP}{on.year}"


def _machine(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(machine: str, written: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(machine, written)
