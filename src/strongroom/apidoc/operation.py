"""One operation as the table of operations has it: a handler, and what a handler's code does not say of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litestar.handlers import HTTPRouteHandler

from strongroom.kit.errors import Refusal


class Tag(StrEnum):
    """The chapters of the document."""

    TOKENS = "Tokens"
    CASES = "Cases and customers"
    CREDIT_REQUESTS = "Credit requests"
    ACCOUNT_REQUESTS = "Customer account requests"
    LOGINS = "Logging customers in"
    RECEIVING = "Receiving accounts"
    ENDPOINTS = "Webhook endpoints"
    EVENTS = "Events"


class Keyed(StrEnum):
    """What a POST does with an Idempotency-Key."""

    IGNORED = "ignored"
    ACCEPTED = "accepted"
    REFUSED = "refused"  # because the answer holds a secret, which is never stored


@dataclass(frozen=True, slots=True)
class Page:
    """A list: `{"data": […], "next": …}` of one shape."""

    item: type
    next: type | None = str  # the cursor's type; None where everything fits on one page
    always: bool = False  # True when there is a `next` on the last page too


@dataclass(frozen=True, slots=True)
class Part:
    """Some fields of a shape that several operations share, under a name of its own."""

    name: str
    shape: type
    fields: tuple[str, ...]
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Where an answer leads: another operation, and its parameters or body taken from the answer's fields."""

    to: str  # operation id
    parameters: dict[str, str] | None = None  # parameter → field of the answer, as a JSON pointer
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. Method, address, scope and query come from the handler; the summary is its docstring."""

    handler: HTTPRouteHandler
    tag: Tag
    answer: type | Page | None = None  # None for an empty body
    example: Any = None  # of the answer
    name: str = ""  # the operation id, where the handler's name is not it
    body: type | Part | None = None
    body_example: Any = None
    body_required: bool = True
    keyed: Keyed = Keyed.IGNORED
    refuses: tuple[type[Refusal], ...] = ()  # beyond what every operation of its kind refuses
    links: tuple[Link, ...] = ()
    statuses: type[StrEnum] | None = None  # what the query's `status` may be
    oauth: bool = False  # authenticates the client in the request, and refuses as RFC 6749 §5.2 has it

    @property
    def id(self) -> str:
        """The operation id: the handler's name in camel case, unless another is given."""
        return self.name or camel(self.handler.fn.__name__)

    @property
    def method(self) -> str:
        """The method, in lower case."""
        [method] = self.handler.http_methods
        return str(method).lower()

    @property
    def path(self) -> str:
        """The address with its parameters as OpenAPI writes them: `/api/1.0/cases/{caseId}`."""
        [path] = self.handler.paths
        return _PARAMETER.sub(lambda found: "{" + camel(found[1]) + "}", path)

    @property
    def path_parameters(self) -> list[str]:
        """The names in the address."""
        return re.findall(r"\{(\w+)\}", self.path)


_PARAMETER = re.compile(r"\{(\w+):str\}")


def camel(name: str) -> str:
    """Turn `case_id` into `caseId`."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
