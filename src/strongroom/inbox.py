"""The message inbox of `make run`: shows every text message as a phone would, and sends nothing to anybody.

A program of its own on a port of its own. Messages are kept in memory and, before they are acknowledged, in a file to which
lines are only appended, so that a killed inbox loses nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, FromQuery
from markupsafe import Markup, escape

from strongroom.kit.pages import Assets, make_environment, security_headers

PAGES = Path(__file__).parent / "inbox_pages"
_BODY_MAX_BYTES = 16_384
_SHOWN = 200
_REFRESH_SECONDS = 5
_LINK = re.compile(r"https?://[^\s<>\"]+|(?:localhost|(?:[a-z0-9-]+\.)+[a-z]{2,})(?::\d+)?/[^\s<>\"]*", re.IGNORECASE)
_CODE = re.compile(r"\A\d{6,8}\b")


class InboxRefused(Exception):
    """The inbox was asked to run in production, where messages must reach phones."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One text message as shown."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    to: Annotated[str, msgspec.Meta(pattern=r"^\d{7,15}$")]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    sender: Annotated[str, msgspec.Meta(max_length=20)] = msgspec.field(default="", name="from")
    sent_at: str = msgspec.field(default="", name="sentAt")


class Inbox:
    """Messages in the order in which they came, each id once."""

    def __init__(self, file: Path) -> None:
        """Read what an earlier run kept; a last line cut off by a kill is left out."""
        self._file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        self._messages = {message.id: message for message in _read(file)}
        self._rewrite()

    def add(self, message: Message) -> bool:
        """Keep a message durably; False when it was here already."""
        if message.id in self._messages:
            return False
        self._append(message)
        self._messages[message.id] = message
        return True

    def find(self, message_id: str) -> Message | None:
        """Find one message."""
        return self._messages.get(message_id)

    def all(self, to: str | None = None) -> list[Message]:
        """Return the messages, newest last; those to one number if asked."""
        return [message for message in self._messages.values() if to is None or message.to == to]

    def empty(self) -> None:
        """Remove everything."""
        self._messages.clear()
        self._rewrite()

    def _append(self, message: Message) -> None:
        with self._file.open("ab") as out:
            out.write(msgspec.json.encode(message) + b"\n")
            out.flush()
            os.fsync(out.fileno())

    def _rewrite(self) -> None:
        """Write the file whole, beside the old one and then in its place."""
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(b"".join(msgspec.json.encode(message) + b"\n" for message in self._messages.values()))
        fresh.replace(self._file)


def create_inbox(file: Path, *, production: bool) -> Litestar:
    """Build the inbox's application. Raise InboxRefused in production."""
    if production:
        raise InboxRefused("the message inbox shows everybody's codes and is refused in production")
    return Litestar(
        route_handlers=[show_page, list_messages, get_message, add_message, empty_inbox, live, _assets.route()],
        state=State({"inbox": Inbox(file)}),
        openapi_config=None,
        request_max_body_size=_BODY_MAX_BYTES,
    )


@get("/", sync_to_thread=False)
def show_page(request: Request[object, object, State], to: FromQuery[str | None] = None) -> Response[str]:
    """Show the messages, newest first."""
    number = _digits(to)
    messages = request.app.state.inbox.all(number)
    page = _environment.get_template("inbox.html").render(
        bubbles=[_bubble(message) for message in reversed(messages[-_SHOWN:])],
        number=number and _spaced(number),
        newest=messages[-1].id if messages else "",
        count=len(messages),
        stylesheet=_assets.url("inbox.css"),
        script=_assets.url("inbox.js"),
        icon=_assets.url("inbox.svg"),
        refresh_seconds=_REFRESH_SECONDS,
    )
    return Response(page, media_type="text/html", headers=security_headers(over_https=False))


@get("/messages", sync_to_thread=False)
def list_messages(request: Request[object, object, State], to: FromQuery[str | None] = None) -> Response[bytes]:
    """Return the messages as JSON, newest last."""
    return _json(request.app.state.inbox.all(_digits(to)))


@get("/messages/{message_id:str}", sync_to_thread=False)
def get_message(request: Request[object, object, State], message_id: FromPath[str]) -> Response[bytes]:
    """Return one message as JSON."""
    message = request.app.state.inbox.find(message_id)
    if message is None:
        raise NotFoundException
    return _json(message)


@post("/messages")
async def add_message(request: Request[object, object, State]) -> Response[bytes]:
    """Keep a message: 201, or 200 when its id was here already."""
    try:
        message = msgspec.json.decode(await request.body(), type=Message)
    except msgspec.DecodeError as error:
        raise ValidationException(str(error)) from None
    message = msgspec.structs.replace(message, sent_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    is_new = request.app.state.inbox.add(message)
    return _json(request.app.state.inbox.find(message.id), status_code=201 if is_new else 200)


@delete("/messages", sync_to_thread=False)
def empty_inbox(request: Request[object, object, State]) -> None:
    """Remove all messages."""
    request.app.state.inbox.empty()


@get("/health/live", sync_to_thread=False)
def live() -> str:
    """Answer that the inbox is up."""
    return "ok"


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message as the page shows it."""

    to: str
    to_spaced: str
    sender: str
    sent_at: str
    day: str
    clock: str
    html: Markup


def linked(text: str) -> Markup:
    """Return a message's text as HTML: links clickable as on a phone, a code in front emphasised, all else escaped."""
    parts: list[Markup] = []
    end = 0
    for match in _LINK.finditer(text):
        address = match[0].rstrip(".,;:!?)'")
        parts.append(_emphasised(text[end : match.start()]) if not end else escape(text[end : match.start()]))
        target = address if address.lower().startswith("http") else f"https://{address}"
        parts.append(Markup('<a href="{}" target="_blank" rel="noopener">{}</a>').format(target, address))
        end = match.start() + len(address)
    parts.append(escape(text[end:]) if end else _emphasised(text))
    return Markup("").join(parts)


def _emphasised(text: str) -> Markup:
    code = _CODE.match(text)
    return Markup("<strong>{}</strong>{}").format(code[0], text[code.end() :]) if code else escape(text)


def _bubble(message: Message) -> Bubble:
    at = datetime.fromisoformat(message.sent_at)
    return Bubble(
        to=message.to,
        to_spaced=_spaced(message.to),
        sender=message.sender or "Strongroom",
        sent_at=message.sent_at,
        day=f"{at.day} {at:%B %Y}",
        clock=f"{at:%H:%M:%S}",
        html=linked(message.text),
    )


def _spaced(number: str) -> str:
    """Write a number for people: +44 7700 900123."""
    if number.startswith("44") and len(number) == len("447700900123"):
        return f"+44 {number[2:6]} {number[6:]}"
    return f"+{number}"


def _digits(number: str | None) -> str | None:
    """Return the digits of a number as typed; None for none."""
    return re.sub(r"\D", "", number) or None if number else None


def _json(value: object, status_code: int = 200) -> Response[bytes]:
    return Response(
        msgspec.json.encode(value), status_code=status_code, media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _read(file: Path) -> Iterator[Message]:
    if file.exists():
        for line in file.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Message)
            except msgspec.DecodeError:
                continue


_environment = make_environment(PAGES)
_assets = Assets(PAGES / "static", "/static")
