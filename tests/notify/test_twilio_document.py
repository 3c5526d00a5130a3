"""Twilio's own OpenAPI document, under Prism, between the gateway and a server that answers with the document's examples.

Prism refuses what the document does not allow, of the request with 422 and of the answer with 500, so that a message that
arrives shows that both are as Twilio describes them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from strongroom.notify.gateways.twilio import TwilioConfig, TwilioGateway
from strongroom.notify.gsm import Encoding
from strongroom.notify.model import Purpose
from strongroom.notify.port import Refused, Unavailable
from tests.banking.validating_proxy import prism
from tests.notify.conftest import House, Phone
from tests.notify.message_centre import NODE
from tests.notify.test_gateways import ACCOUNT, MESSAGE, REPORT_URL, TOKEN, Centre, answering

DOCUMENT = NODE / "node_modules/@twilio-alpha/mcp/twilio-oai/spec/json/twilio_api_v2010.json"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
SERVICE = "MG" + "0" * 32

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="npm install has not run in tests/node")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Centre]:
    with answering() as found:
        found.headers = {"content-type": "application/json"}
        yield found


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the document without its other paths: the whole takes Prism half a minute to read."""
    whole = json.loads(DOCUMENT.read_text())
    file = tmp_path_factory.mktemp("twilio") / "messages.json"
    file.write_text(json.dumps(whole | {"paths": {MESSAGES: whole["paths"][MESSAGES]}}))
    return file


@pytest.fixture(scope="module")
async def address(upstream: Centre, document: Path) -> AsyncIterator[str]:
    async with prism(document, upstream.url, "--errors") as found:
        yield found


@pytest.fixture
def centre(upstream: Centre) -> Centre:
    """Return the server behind Prism, answering as Twilio does when all is well."""
    upstream.status, upstream.answer = 201, json.dumps(examples()["create"]).encode()
    upstream.headers = {"content-type": "application/json"}
    upstream.seen.clear()
    return upstream


def examples() -> dict[str, Any]:
    """Return the document's examples of an accepted message, by name."""
    answer = json.loads(DOCUMENT.read_text())["paths"][MESSAGES]["post"]["responses"]["201"]
    return {name: example["value"] for name, example in answer["content"]["application/json"]["examples"].items()}


def gateway(address: str, **more: Any) -> TwilioGateway:
    wanted: dict[str, Any] = {"sender": "+447400000000"} | more
    return TwilioGateway(TwilioConfig(name="twilio", account_sid=ACCOUNT, auth_token=TOKEN, url=address, **wanted), REPORT_URL)


def refuse(centre: Centre, status: int, code: int, **headers: str) -> None:
    """Have the server refuse in Twilio's words."""
    problem = {"code": code, "message": "…", "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    centre.status, centre.answer = status, json.dumps(problem).encode()
    centre.headers = {"content-type": "application/json", **headers}


@pytest.mark.parametrize(
    ("more", "change"),
    [
        ({}, {}),
        ({"firms_own_names": True}, {}),
        ({"sender": "", "messaging_service_sid": SERVICE}, {}),
        ({}, {"no_log": False}),
        ({}, {"valid_seconds": 1}),
        ({}, {"valid_seconds": 10 * 86_400}),
        ({}, {"text": "Ж, 𝄞 and ₦: 100% & more\n\n@pay.example.com #123456"}),
        ({}, {"text": "x" * 1_000}),
    ],
)
async def test_every_request_is_as_the_document_wants_it(
    centre: Centre, address: str, more: dict[str, Any], change: dict[str, Any]
) -> None:
    twilio = gateway(address, **more)
    message = replace(MESSAGE, **change)
    sent = await twilio.send(message)
    assert sent.provider_id == examples()["create"]["sid"]
    [seen] = centre.seen
    assert parse_qs(seen["body"])["Body"] == [message.text]
    await twilio.close()


@pytest.mark.parametrize("name", list(examples()) if DOCUMENT.exists() else [])
async def test_every_answer_that_the_document_shows_is_understood(centre: Centre, address: str, name: str) -> None:
    centre.answer = json.dumps(examples()[name]).encode()
    twilio = gateway(address)
    sent = await twilio.send(MESSAGE)
    assert (sent.provider_id, sent.segments, sent.encoding) == (examples()[name]["sid"], 1, Encoding.GSM7)
    await twilio.close()


@pytest.mark.parametrize("more", [{"sender": "", "messaging_service_sid": "my service"}])
async def test_what_the_document_does_not_allow_is_refused_by_prism(centre: Centre, address: str, more: dict[str, Any]) -> None:
    twilio = gateway(address, **more)
    with pytest.raises(Refused):
        await twilio.send(MESSAGE)
    assert centre.seen == []
    await twilio.close()


@pytest.mark.parametrize(("status", "code"), [(400, 20003), (400, 21606), (401, 20003), (403, 20005), (404, 20404), (429, 20429)])
async def test_what_twilio_holds_against_us_leaves_by_the_next_gateway(
    house: House, centre: Centre, address: str, status: int, code: int
) -> None:
    refuse(centre, status, code)
    twilio, other = gateway(address), Phone("other")
    message = await house.queue(text="654321 is your code", purpose=Purpose.LOGIN_CODE)
    for _ in range(2):
        await house.send(twilio, other)
    assert await house.state(message) == "sent"
    assert [one.text for one in other.carried] == ["654321 is your code"]
    await twilio.close()


@pytest.mark.parametrize("code", [21211, 21610, 21614])
async def test_what_twilio_holds_against_the_message_ends_it(house: House, centre: Centre, address: str, code: int) -> None:
    refuse(centre, 400, code)
    twilio, other = gateway(address), Phone("other")
    message = await house.queue()
    for _ in range(2):
        await house.send(twilio, other)
    assert await house.state(message) == "failed"
    assert other.carried == []
    await twilio.close()


async def test_a_throttled_message_waits_as_long_as_twilio_asks_where_there_is_no_other_gateway(
    house: House, centre: Centre, address: str
) -> None:
    refuse(centre, 429, 20429, **{"retry-after": "40"})
    twilio = gateway(address)
    with pytest.raises(Unavailable) as busy:
        await twilio.send(MESSAGE)
    assert busy.value.retry_after_seconds == 40
    message = await house.queue()
    await house.send(twilio)
    await house.pass_time(39)
    assert await house.send(twilio) == 0
    centre.status, centre.answer = 201, json.dumps(examples()["create"]).encode()
    await house.pass_time(2)
    await house.send(twilio)
    assert await house.state(message) == "sent"
    await twilio.close()
