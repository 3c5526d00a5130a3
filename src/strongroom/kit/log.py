"""Logs: JSON lines in production, readable in development; only named fields, and nothing secret even when somebody slips.

Three walls: a field that is not on the list is dropped and named; an exception shows its types and places, never its message
(a driver's message may quote a row); and the finished line is searched for what looks like a secret.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

# Names of fields that may be printed. None may ever hold something personal or secret; ids are opaque.
ALLOWED_FIELDS = frozenset({
    "attempt", "bank", "call", "case_id", "challenge_id", "client_id", "code", "connector", "count", "country", "customer_id",
    "delay_seconds", "delivery_id", "dropped", "endpoint_id", "error", "event", "event_id", "firm_id", "gateway", "grant_id",
    "job", "kind", "level", "logger", "message_id", "method", "milliseconds", "outcome", "payment_id", "pid", "port", "process",
    "process_id", "reason", "receiving_account_id", "request_id", "route", "scope", "seconds", "session", "signal", "staff_id",
    "stack", "state", "status", "timestamp", "token_id", "version",
})  # fmt: skip
MASK = "[masked]"
_DOUBLED = str.maketrans("0123456789", "0246813579")  # twice the digit, and of two digits their sum

_QUIET = ("httpx", "httpcore", "uvicorn.access", "asyncio")  # they print raw addresses, with grants and states in them
_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
_NAMED = re.compile(
    r"""(?P<bearer>\b(?:Bearer|Basic|DPoP)\s+)[A-Za-z0-9._~+/=-]{8,}
      | (?P<webhook>\bwhsec_)[A-Za-z0-9+/=_-]+""",
    re.VERBOSE | re.IGNORECASE,
)
_NAMES = ("bearer", "basic", "dpop", "whsec_")  # what is masked by name holds one of them
# A digit first, and what stands before it looked at from there: so the search goes from digit to digit, on every line of the log.
_NUMBERS = re.compile(
    r"""[0-9](?: (?<![0-9]{2}) (?P<long>(?:[ -]?[0-9]){12,18}) (?![0-9])
               | (?<![\w.-][0-9]) [0-9]{7} (?![\w.-]) )""",
    re.VERBOSE,
)


def configure_logging(*, readable: bool, level: str = "info") -> None:
    """Send all logs, the libraries' too, as masked lines to standard output. Call once when a process starts."""
    renderer: Any = _Readable(colors=sys.stdout.isatty()) if readable else _render_json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            show_exception,
            keep_allowed,
            renderer,
            mask_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Passing()], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OWN_HANDLERS:  # a library that printed by itself would go round the walls
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


class _Readable(structlog.dev.ConsoleRenderer):
    """Lines for people, with the places of an exception below."""

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        if "stack" in event:
            event["stack"] = "\n".join(event["stack"])
        return super().__call__(logger, name, event)


def show_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the types and places of the exception and its causes."""
    given = event.pop("exc_info", None)
    error = (
        given
        if isinstance(given, BaseException)
        else given[1]
        if isinstance(given, tuple)
        else sys.exc_info()[1]
        if given
        else None
    )
    if error is not None:
        event.setdefault("error", type(error).__name__)
        event["stack"] = _places(error)
    return event


def keep_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop fields that are not on the list, and say which, so that whoever added one notices."""
    if not event.keys() <= ALLOWED_FIELDS:
        dropped = sorted(event.keys() - ALLOWED_FIELDS)
        for name in dropped:
            del event[name]
        event["dropped"] = dropped
    return event


def mask_line(_: Any, __: str, line: Any) -> str:
    """Mask what looks like a card number, an account number, an access token or a webhook secret."""
    return mask(str(line))


def mask(text: str) -> str:
    """Return the text with everything masked that looks like a secret."""
    folded = text.lower()
    if not text.isascii() or any(name in folded for name in _NAMES):  # beyond ASCII other letters count as these, in any case
        text = _NAMED.sub(_masked_after_name, text)
    return _NUMBERS.sub(_masked_number, text)


def passes_luhn(digits: str) -> bool:
    """True when the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    backwards = digits[::-1]
    doubled = backwards[1::2].translate(_DOUBLED)
    return sum(map(int, backwards[::2] + doubled)) % 10 == 0


def _masked_after_name(found: re.Match[str]) -> str:
    return (found["bearer"] or found["webhook"]) + MASK


def _masked_number(found: re.Match[str]) -> str:
    """Mask an account number, and of the long ones those that a card could have."""
    is_other = found["long"] is not None and not passes_luhn(re.sub("[ -]", "", found[0]))
    return found[0] if is_other else MASK


def _places(error: BaseException) -> list[str]:
    """Return `Type` and `file:line function` of each frame, causes first."""
    lines = _places(cause) if (cause := error.__cause__ or error.__context__) else []
    lines.append(type(error).__name__)
    for frame in traceback.extract_tb(error.__traceback__):
        lines.append(f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}")
    for inner in getattr(error, "exceptions", ()):
        lines += _places(inner)
    return lines


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


class _Passing(logging.Handler):
    """Passes records of the standard library's loggers on, so that every line goes through the same walls."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
