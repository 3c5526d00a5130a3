"""Refusals and faults: what we say no to, and what went wrong outside.

A *Refusal* is an answer to a caller: a stable code, a status and one sentence. Each face has one translator (problem+json,
OAuth error, SOAP fault, page, exit code). A *Fault* is the outside world failing; use cases turn it into a state or a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field; `pointer` is an RFC 6901 JSON pointer into the request's body."""

    pointer: str
    detail: str


class Refusal(Exception):
    """A request that is answered with no. Subclasses fix `code`, `status` and `title`; the message is one sentence."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = (), retry_after_seconds: int = 0) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds


class Malformed(Refusal):
    """The body cannot be read at all."""

    code, status, title = "malformed", 400, "The request could not be read"


class Invalid(Refusal):
    """The body reads, and says something that cannot be accepted."""

    code, status, title = "invalid", 422, "The request is not valid"


class UnknownCursor(Invalid):
    """`after` names no place in the list. An empty page would look like its end, and the caller would miss what follows."""

    code, title = "unknown_cursor", "`after` must be a `next` of this list"

    def __init__(self) -> None:
        super().__init__(errors=(FieldError("/after", "is the `next` of the page before"),))


class Unauthorised(Refusal):
    """Nobody we know is calling."""

    code, status, title = "unauthorised", 401, "Authentication is required"


class Forbidden(Refusal):
    """We know who is calling, and they may not do this."""

    code, status, title = "forbidden", 403, "This is not allowed"


class NotFound(Refusal):
    """There is no such thing, or it is another firm's: the two are never told apart."""

    code, status, title = "not_found", 404, "There is no such thing here"


class Conflict(Refusal):
    """The request cannot be met in the present state of things."""

    code, status, title = "conflict", 409, "The present state does not allow this"


class Gone(Refusal):
    """It was there, and has been used up or has expired."""

    code, status, title = "gone", 410, "This has been used or has expired"


class TooLarge(Refusal):
    """The body is larger than the stated limit."""

    code, status, title = "too_large", 413, "The request is too large"


class TooMany(Refusal):
    """A stated limit on how often was reached."""

    code, status, title = "too_many_requests", 429, "Too many requests"


class Unavailable(Refusal):
    """A part that this answer needs is down, and guessing would be unsafe."""

    code, status, title = "unavailable", 503, "The service cannot answer safely just now"


class Fault(Exception):
    """The outside world did not do what was asked. `code` is for machines, `message` is safe to show."""

    def __init__(self, code: str, message: str = "", *, retry_after_seconds: int = 0) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds
