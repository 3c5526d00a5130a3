"""Any gateway with an HTTP interface: the operator writes down the request, and where the answer says what.

`{to}`, `{text}`, `{sender}`, `{id}`, `{valid_seconds}`, `{valid_minutes}` and `{encoding}` stand for a message's values, written as
the place wants them: in JSON, in a form, in XML or in a URL.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

import httpx
import msgspec
from msgspec import Meta

from strongroom.kit.crypto import same
from strongroom.notify.gateways.calls import call, open_client, refuse_failures
from strongroom.notify.gsm import Encoding, encoding_of, segments_of
from strongroom.notify.port import Found, NotGenuine, Outgoing, Receipt, Report, ReportCall, Sent, Silent

_BLANK = re.compile(r"\{(to|text|sender|id|valid_seconds|valid_minutes|encoding)\}")
_SECRET_MIN = 20
_Words = tuple[str, ...]


class ReportsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the gateway reports: to our address for it, with the secret as `Authorization: Bearer` or as `?secret=`."""

    secret: Annotated[str, Meta(min_length=_SECRET_MIN)]
    id_at: str
    status_at: str
    delivered: _Words
    failed: _Words = ()
    expired: _Words = ()
    not_taken: _Words = ()  # it had queued the message, and the centre behind it refused it: another gateway may have it

    def __repr__(self) -> str:
        return "ReportsConfig()"


class Encodings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `{encoding}` says of a text in the alphabet of text messages, and of any other."""

    gsm7: str = "gsm7"
    ucs2: str = "ucs2"


class HttpConfig(msgspec.Struct, tag_field="kind", tag="http", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the operator describes a gateway with an HTTP interface."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,29}\Z")]
    url: str
    method: Annotated[str, Meta(pattern=r"^(GET|POST|PUT)\Z")] = "POST"
    headers: dict[str, str] = {}
    body: str = ""
    id_at: str = ""  # where the answer has the gateway's id, such as `messages.0.id`; without it our own id is theirs
    ask_url: str = ""  # where a message is looked up by our id: 404 is `never seen`, success is `taken`
    encodings: Encodings = Encodings()
    reports: ReportsConfig | None = None
    prefixes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"HttpConfig({self.name!r})"


class HttpGateway:
    """Sends by the request that was written down."""

    def __init__(self, config: HttpConfig) -> None:
        self.name = config.name
        self._config = config
        self._client = open_client()

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def send(self, message: Outgoing) -> Sent:
        """Hand a message over. Raise Refused, Unavailable or Silent."""
        config = self._config
        encoding = encoding_of(message.text)
        values = {
            "to": message.to, "text": message.text, "sender": message.sender, "id": message.id,
            "valid_seconds": str(message.valid_seconds), "valid_minutes": str(max(1, message.valid_seconds // 60)),
            "encoding": config.encodings.gsm7 if encoding is Encoding.GSM7 else config.encodings.ucs2,
        }  # fmt: skip
        headers = {name: _fill(value, values, str) for name, value in config.headers.items()}
        body = _fill(config.body, values, _writer_for(config.headers))
        request = self._client.build_request(
            config.method, _fill(config.url, values, _in_url), headers=headers, content=body.encode() if body else None
        )
        answer = await call(self._client, request)
        refuse_failures(answer)
        provider_id = _find(_read_json(answer.content), config.id_at) if config.id_at else message.id
        if not provider_id:
            raise Silent("gateway_unclear")
        may_come_back = bool(config.reports and config.reports.not_taken)
        return Sent(provider_id, segments_of(message.text), encoding, may_come_back=may_come_back)

    def read_report(self, report: ReportCall) -> Report | None:
        """Return what a report says; None for a step on the way. Raise NotGenuine unless it carries the secret."""
        config = self._config.reports
        scheme, _, token = report.headers.get("authorization", "").partition(" ")
        given = token if scheme.lower() == "bearer" else report.query.get("secret", "")
        if config is None or not same(config.secret.encode(), given.encode()):
            raise NotGenuine
        said: Any = dict(report.form) or _read_json(report.body) or dict(report.query)
        words = {
            Receipt.DELIVERED: config.delivered, Receipt.FAILED: config.failed, Receipt.EXPIRED: config.expired,
            Receipt.NOT_TAKEN: config.not_taken,
        }  # fmt: skip
        provider_id, status = _find(said, config.id_at), _find(said, config.status_at)
        receipt = next((one for one, known in words.items() if status in known), None)
        return Report(provider_id, receipt) if provider_id and receipt else None


class AskableHttpGateway(HttpGateway):
    """One that can be asked about a message by our id."""

    async def ask(self, message_id: str) -> Found:
        """Look a message up. Raise Unavailable or Silent."""
        headers = {name: value for name, value in self._config.headers.items() if not _BLANK.search(value)}
        url = _fill(self._config.ask_url, {"id": message_id}, _in_url)
        answer = await call(self._client, self._client.build_request("GET", url, headers=headers))
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Found.NEVER_SEEN
        return Found.TAKEN if answer.is_success else Found.NOT_KNOWN


def faults(config: HttpConfig) -> Sequence[str]:
    """Return what is wrong with a description."""
    written = " ".join((config.url, config.body, *config.headers.values()))
    missing = [name for name in ("to", "text") if f"{{{name}}}" not in written]
    found = [f"{config.name}: nothing in url, headers or body says {{{name}}}" for name in missing]
    if config.method == "GET" and config.body:
        found.append(f"{config.name}: a GET has no body")
    if config.ask_url and "{id}" not in config.ask_url:
        found.append(f"{config.name}: ask_url must say {{id}}")
    return found


def _fill(template: str, values: Mapping[str, str], write: Callable[[str], str]) -> str:
    return _BLANK.sub(lambda blank: write(values[blank[1]]) if blank[1] in values else blank[0], template)


def _writer_for(headers: Mapping[str, str]) -> Callable[[str], str]:
    """Return how a value is written into a body of this content type."""
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "application/json")
    if "json" in kind:
        return lambda value: json.dumps(value)[1:-1]
    if "xml" in kind:
        return html.escape
    return quote_plus if "form" in kind else str


def _in_url(value: str) -> str:
    return quote(value, safe="")


def _read_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None


def _find(said: Any, path: str) -> str:
    """Return the text or number at a path such as `messages.0.id`; empty when there is none."""
    for step in path.split("."):
        if isinstance(said, list):
            said = said[int(step)] if step.isdigit() and int(step) < len(said) else None
        else:
            said = said.get(step) if isinstance(said, dict) else None
    return str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
