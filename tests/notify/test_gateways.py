"""Gateways with an HTTP interface against a server that answers as theirs do: what is sent, and what each answer means."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from strongroom.notify.gateways.configured import GatewaysUnusable, open_routes
from strongroom.notify.gateways.http import AskableHttpGateway, Encodings, HttpConfig, HttpGateway, ReportsConfig
from strongroom.notify.gateways.twilio import TwilioConfig, TwilioGateway
from strongroom.notify.port import Found, Gateway, NotGenuine, Outgoing, Receipt, Refused, Report, ReportCall, Silent, Unavailable

ACCOUNT, TOKEN = "AC" + "0" * 32, "twilio-token"
REPORT_URL = "https://pay.example.com/sms/reports/twilio"
SECRET = "a secret of thirty characters."
MESSAGE = Outgoing(
    "msg-0000000000001",
    "447700900123",
    'Code 123456 & "so" on',
    "Marlow",
    datetime(2100, 1, 1, tzinfo=UTC),
    300,
    no_log=True,
)
JSON_BODY = '{"to": "+{to}", "text": "{text}", "from": "{sender}", "ref": "{id}", "ttl": {valid_seconds}}'


@dataclass
class Centre:
    """A gateway's server: it answers as it is told and keeps what it was sent."""

    url: str = ""
    status: int = 201
    answer: bytes = b'{"sid": "SM1", "num_segments": "2", "messages": [{"id": 77}]}'
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    seen: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def answering() -> Iterator[Centre]:
    """Run such a server."""
    found = Centre()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            found.seen.append({"path": self.path, "headers": dict(self.headers), "body": body.decode()})
            if found.hangs_up:
                self.close_connection = True
                return
            self.send_response(found.status)
            for name, value in {"content-length": str(len(found.answer)), **found.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.answer)

        do_GET = do_POST  # noqa: N815  # the library's name

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def centre() -> Iterator[Centre]:
    with answering() as found:
        yield found


@pytest.fixture(params=["twilio", "http"])
async def gateway(request: pytest.FixtureRequest, centre: Centre) -> AsyncIterator[Gateway]:
    """Yield each gateway, so that all of them keep the port's promises."""
    made = twilio(centre) if request.param == "twilio" else http(centre, id_at="messages.0.id")
    yield made
    await made.close()


def twilio(centre: Centre, **more: Any) -> TwilioGateway:
    named = {"sender": "+447400000000"} if "messaging_service_sid" not in more else {}
    return TwilioGateway(
        TwilioConfig(name="twilio", account_sid=ACCOUNT, auth_token=TOKEN, url=centre.url, **(named | more)), REPORT_URL
    )


def http(centre: Centre, **more: Any) -> HttpGateway:
    wanted = {"url": f"{centre.url}/send", "headers": {"Content-Type": "application/json"}, "body": JSON_BODY} | more
    config = HttpConfig(name="http", **wanted)
    return AskableHttpGateway(config) if config.ask_url else HttpGateway(config)


# What every gateway promises.


async def test_a_message_that_is_taken_has_the_gateways_id(gateway: Gateway, centre: Centre) -> None:
    sent = await gateway.send(MESSAGE)
    assert sent.provider_id in {"SM1", "77"}
    assert sent.segments >= 1
    assert len(centre.seen) == 1


@pytest.mark.parametrize(("status", "seconds"), [(408, 7), (429, 7), (503, 7)])
async def test_a_busy_gateway_took_nothing_and_says_when_to_come_back(
    gateway: Gateway, centre: Centre, status: int, seconds: int
) -> None:
    centre.status, centre.headers = status, {"retry-after": str(seconds)}
    with pytest.raises(Unavailable) as refused:
        await gateway.send(MESSAGE)
    assert refused.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [301, 401, 403, 404])
async def test_what_is_between_the_gateway_and_us_is_not_held_against_the_message(
    gateway: Gateway, centre: Centre, status: int
) -> None:
    centre.status = status
    with pytest.raises(Unavailable):
        await gateway.send(MESSAGE)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_after_a_failure_inside_the_gateway_nobody_knows(gateway: Gateway, centre: Centre, status: int) -> None:
    centre.status = status
    with pytest.raises(Silent):
        await gateway.send(MESSAGE)


async def test_after_a_cut_connection_nobody_knows(gateway: Gateway, centre: Centre) -> None:
    centre.hangs_up = True
    with pytest.raises(Silent):
        await gateway.send(MESSAGE)


async def test_a_success_that_names_no_id_is_in_doubt_and_not_sent_again(gateway: Gateway, centre: Centre) -> None:
    centre.answer = b"<html>thanks</html>"
    with pytest.raises(Silent):
        await gateway.send(MESSAGE)


async def test_nothing_was_taken_where_nobody_listens(centre: Centre) -> None:
    for gateway in (twilio(Centre("http://127.0.0.1:9")), http(Centre("http://127.0.0.1:9"))):
        with pytest.raises(Unavailable):
            await gateway.send(MESSAGE)
        await gateway.close()


def test_no_gateway_prints_its_secrets(centre: Centre) -> None:
    config = HttpConfig(name="http", url="https://x/{to}", headers={"Authorization": SECRET}, reports=reports())
    shown = f"{config!r} {config.reports!r} {TwilioConfig(name='a', account_sid=ACCOUNT, auth_token=TOKEN)!r} {MESSAGE!r}"
    assert SECRET not in shown
    assert TOKEN not in shown
    assert "123456" not in shown


# Twilio.


async def test_twilio_is_sent_what_its_document_asks_for(centre: Centre) -> None:
    gateway = twilio(centre)
    await gateway.send(MESSAGE)
    [seen] = centre.seen
    assert seen["path"] == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert base64.b64decode(seen["headers"]["Authorization"].removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    assert parse_qs(seen["body"]) == {
        "To": ["+447700900123"], "From": ["+447400000000"], "Body": [MESSAGE.text], "ValidityPeriod": ["300"],
        "StatusCallback": [REPORT_URL], "ContentRetention": ["discard"],
    }  # fmt: skip
    await gateway.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"messaging_service_sid": "MG1"}, {"MessagingServiceSid": ["MG1"]}),
        ({"firms_own_names": True}, {"From": ["Marlow"]}),
    ],
)
async def test_twilio_may_choose_the_sender_or_show_the_firms_name(centre: Centre, more: Any, said: Any) -> None:
    gateway = twilio(centre, **more)
    await gateway.send(MESSAGE)
    assert said.items() <= parse_qs(centre.seen[0]["body"]).items()
    await gateway.close()


@pytest.mark.parametrize(("code", "kind"), [(21211, Refused), (21610, Refused), (20003, Unavailable), (None, Unavailable)])
async def test_of_twilios_bad_requests_only_those_about_the_message_are_final(centre: Centre, code: int | None, kind: Any) -> None:
    centre.status, centre.answer = 400, json.dumps({"code": code, "message": "no"}).encode()
    gateway = twilio(centre)
    with pytest.raises(kind):
        await gateway.send(MESSAGE)
    await gateway.close()


def twilio_report(status: str, **headers: str) -> ReportCall:
    from twilio.request_validator import RequestValidator  # noqa: PLC0415  # slow to import, and foreign

    form = {"MessageSid": "SM1", "MessageStatus": status, "To": "+447700900123", "ErrorCode": ""}
    signature = RequestValidator(TOKEN).compute_signature(REPORT_URL, form)
    return ReportCall({"x-twilio-signature": signature, **headers}, {}, list(form.items()), b"")


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        ("delivered", Receipt.DELIVERED),
        ("undelivered", Receipt.FAILED),
        ("failed", Receipt.FAILED),
        ("sent", None),
        ("queued", None),
    ],
)
def test_what_twilio_signs_is_believed(centre: Centre, status: str, receipt: Receipt | None) -> None:
    said = twilio(centre).read_report(twilio_report(status))
    assert said == (Report("SM1", receipt) if receipt else None)


@pytest.mark.parametrize("signature", ["", "AAAA", "é"])
def test_what_twilio_did_not_sign_is_not(centre: Centre, signature: str) -> None:
    with pytest.raises(NotGenuine):
        twilio(centre).read_report(twilio_report("delivered", **{"x-twilio-signature": signature}))


# The request that an operator writes down.


async def test_values_are_written_as_json_wants_them(centre: Centre) -> None:
    gateway = http(centre)
    sent = await gateway.send(MESSAGE)
    said = json.loads(centre.seen[0]["body"])
    assert said == {"to": "+447700900123", "text": MESSAGE.text, "from": "Marlow", "ref": MESSAGE.id, "ttl": 300}
    assert sent.provider_id == MESSAGE.id, "where the gateway names no id of its own"
    await gateway.close()


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("application/x-www-form-urlencoded", "to={to}&text={text}", "to=447700900123&text=Code+123456+%26+%22so%22+on"),
        ("text/xml", "<m to='{to}'>{text}</m>", "<m to='447700900123'>Code 123456 &amp; &quot;so&quot; on</m>"),
    ],
)
async def test_values_are_written_as_other_kinds_of_body_want_them(centre: Centre, kind: str, body: str, said: str) -> None:
    gateway = http(centre, headers={"Content-Type": kind}, body=body)
    await gateway.send(MESSAGE)
    assert centre.seen[0]["body"] == said
    await gateway.close()


async def test_values_may_stand_in_the_address(centre: Centre) -> None:
    gateway = http(centre, method="GET", url=f"{centre.url}/send?to={{to}}&text={{text}}", headers={}, body="")
    await gateway.send(MESSAGE)
    assert centre.seen[0]["path"] == "/send?to=447700900123&text=Code%20123456%20%26%20%22so%22%20on"
    await gateway.close()


@pytest.mark.parametrize(("text", "word"), [("plain €", "0"), ("ł", "2")])
async def test_how_a_text_travels_and_how_long_it_lives_are_said_in_the_gateways_words(
    centre: Centre, text: str, word: str
) -> None:
    encodings = Encodings(gsm7="0", ucs2="2")
    for seconds, minutes in ((300, "5"), (299, "4"), (1, "1")):
        gateway = http(centre, body="{to} {encoding} {valid_minutes}", headers={"Content-Type": "text/plain"}, encodings=encodings)
        await gateway.send(replace(MESSAGE, text=text, valid_seconds=seconds))
        assert centre.seen.pop()["body"] == f"{MESSAGE.to} {word} {minutes}"
        await gateway.close()


@pytest.mark.parametrize(("status", "found"), [(200, Found.TAKEN), (404, Found.NEVER_SEEN), (500, Found.NOT_KNOWN)])
async def test_a_gateway_that_can_be_asked_is(centre: Centre, status: int, found: Found) -> None:
    gateway = http(centre, ask_url=f"{centre.url}/find/{{id}}")
    centre.status = status
    assert isinstance(gateway, AskableHttpGateway)
    assert await gateway.ask(MESSAGE.id) is found
    assert centre.seen[0]["path"] == f"/find/{MESSAGE.id}"
    await gateway.close()


async def test_any_refusal_of_a_message_is_final(centre: Centre) -> None:
    gateway = http(centre)
    centre.status = 422
    with pytest.raises(Refused):
        await gateway.send(MESSAGE)
    await gateway.close()


def reports(status_at: str = "state.name") -> ReportsConfig:
    return ReportsConfig(
        secret=SECRET, id_at="id", status_at=status_at, delivered=("DELIVRD",), failed=("UNDELIV", "REJECTD"), not_taken=("BACK",)
    )


BEARER = {"authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ReportCall(BEARER, {}, [], b'{"id": 77, "state": {"name": "DELIVRD"}}'), Report("77", Receipt.DELIVERED)),
        (ReportCall({}, {"secret": SECRET}, [], b'{"id": 77, "state": {"name": "REJECTD"}}'), Report("77", Receipt.FAILED)),
        (ReportCall(BEARER, {}, [], b'{"id": 77, "state": {"name": "BACK"}}'), Report("77", Receipt.NOT_TAKEN)),
        (ReportCall(BEARER, {}, [], b'{"id": 77, "state": {"name": "ENROUTE"}}'), None),
        (ReportCall(BEARER, {}, [], b"[1"), None),
    ],
)
def test_a_report_with_the_secret_is_read(centre: Centre, call: ReportCall, said: Report | None) -> None:
    assert http(centre, reports=reports()).read_report(call) == said


@pytest.mark.parametrize("call", [ReportCall({}, {}, [], b"{}"), ReportCall({"authorization": "Bearer no"}, {}, [], b"{}")])
def test_a_report_without_it_is_not(centre: Centre, call: ReportCall) -> None:
    for gateway in (http(centre, reports=reports()), http(centre)):
        with pytest.raises(NotGenuine):
            gateway.read_report(call)


# The file.

GOOD = f"""
[[gateway]]
kind = "twilio"
name = "first"
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
sender = "+447400000000"
prefixes = ["44"]

[[gateway]]
kind = "http"
name = "second"
url = "https://sms.example/send"
headers = {{ Authorization = "Bearer x", Content-Type = "application/json" }}
body = '{JSON_BODY}'
"""


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "sms.toml"
    file.write_text(text)
    file.chmod(mode)
    return file


async def test_the_file_names_gateways_in_the_order_in_which_they_are_tried(tmp_path: Path) -> None:
    routes = open_routes(write(tmp_path, GOOD), "https://pay.example.com", production=True)
    assert [(route.gateway.name, route.prefixes) for route in routes] == [("first", ("44",)), ("second", ())]
    await asyncio.gather(*(route.gateway.close() for route in routes))  # type: ignore[attr-defined]  # both have it


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("https://sms.example", "http://sms.example"), "second: production wants https"),
        (("https://sms.example", "http://127.0.0.1.sms.example"), "second: production wants https"),
        (("https://sms.example", "ftp://sms.example"), "second: an address is not http:// or https:// with a host"),
        (("https://sms.example", "https://"), "second: an address is not http:// or https:// with a host"),
        (("https://sms.example", "https://[sms.example"), "second: an address cannot be read"),
        (('name = "second"', 'name = "first"'), "two gateways are named first"),
        (('sender = "+447400000000"', ""), "first: give one of sender and messaging_service_sid"),
        (('sender = "+447400000000"', 'messaging_service_sid = "mine"'), "messaging_service_sid"),
        (("{text}", "text"), "second: nothing in url, headers or body says {text}"),
        (('["44"]', '["+44"]'), "first: the prefix +44 is not digits"),
        (('kind = "http"', 'kind = "pigeon"'), "pigeon"),
        (("prefixes", "prefixs"), "prefixs"),
        (("[[gateway]]", "[[gateway"), "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong_and_no_secret(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(GatewaysUnusable) as refused:
        open_routes(write(tmp_path, GOOD.replace(*change)), "https://pay.example.com", production=True)
    assert said in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GatewaysUnusable, match="chmod 600"):
        open_routes(write(tmp_path, GOOD, 0o640), "https://pay.example.com", production=True)
    with pytest.raises(GatewaysUnusable, match="cannot be read"):
        open_routes(tmp_path / "none.toml", "https://pay.example.com", production=True)
