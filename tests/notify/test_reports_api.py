"""What gateways report over HTTP: to the address of their own, signed or with the secret, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State

from strongroom.kit.edge import Edge
from strongroom.kit.http import Front
from strongroom.kit.problems import exception_handlers
from strongroom.notify.api import STATE, NotifyApi, routes
from strongroom.notify.gateways.http import HttpConfig, HttpGateway
from strongroom.notify.gateways.twilio import TwilioConfig, TwilioGateway
from strongroom.notify.messages import Receipts
from strongroom.notify.model import Queued
from tests.notify.conftest import PHONE, House, Phone
from tests.notify.test_gateways import ACCOUNT, BEARER, REPORT_URL, SECRET, TOKEN, reports, twilio_report


@pytest.fixture
async def caller(house: House) -> AsyncIterator[httpx.AsyncClient]:
    twilio = TwilioGateway(TwilioConfig(name="twilio", account_sid=ACCOUNT, auth_token=TOKEN, sender="x"), REPORT_URL)
    other = HttpGateway(HttpConfig(name="other", url="https://sms.example/{to}/{text}", reports=reports(status_at="status")))
    api = NotifyApi(Receipts(house.app), {"twilio": twilio, "other": other})
    app = Litestar(route_handlers=routes(), exception_handlers=exception_handlers(), state=State({STATE: api}), openapi_config=None)
    transport = httpx.ASGITransport(Edge(app, Front(), over_https=True))
    async with httpx.AsyncClient(transport=transport, base_url="https://pay.example.com") as client:
        yield client
    await twilio.close()
    await other.close()


async def sent_by(house: House, name: str, provider_id: str) -> Queued:
    """Return a message that a gateway took under its own id."""
    message = await house.queue()
    assert isinstance(message, Queued)
    await house.send(Phone(name))
    await house.owner.execute("UPDATE messages SET provider_id = $2 WHERE id = $1", message.message_id, provider_id)
    return message


async def test_twilios_callback_settles_a_message_however_often_it_comes(house: House, caller: httpx.AsyncClient) -> None:
    message = await sent_by(house, "twilio", "SM1")
    call = twilio_report("delivered")
    for _ in range(3):
        answer = await caller.post("/sms/reports/twilio", data=dict(call.form), headers=dict(call.headers))
        assert answer.status_code == 204
    await house.sender(Phone("twilio")).settle()
    assert await house.state(message) == "delivered"


async def test_a_late_step_back_changes_nothing(house: House, caller: httpx.AsyncClient) -> None:
    message = await sent_by(house, "other", "77")
    for word in ("DELIVRD", "ENROUTE", "UNDELIV"):
        said: dict[str, Any] = {"id": 77, "status": word}
        assert (await caller.post("/sms/reports/other", json=said, headers=BEARER)).status_code == 204
        await house.sender(Phone("other")).settle()
    assert await house.state(message) == "delivered"


async def test_a_gateway_that_can_only_call_an_address_says_it_there_and_no_log_repeats_it(
    house: House, caller: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    message = await sent_by(house, "other", "77")
    said = {"secret": SECRET, "id": "77", "status": "DELIVRD", "to": PHONE}
    for _ in range(2):
        answer = await caller.get("/sms/reports/other", params=said)
        assert (answer.status_code, answer.content) == (200, b""), "Kannel takes anything but 200 and 202 for a failure"
    assert (await caller.get("/sms/reports/other", params=said | {"status": "UNDELIV"})).status_code == 200
    await house.sender(Phone("other")).settle()
    assert await house.state(message) == "delivered"
    logged = capsys.readouterr().out
    assert "/sms/reports/{gateway" in logged
    assert PHONE not in logged
    assert SECRET not in logged


@pytest.mark.parametrize("secret", [{}, {"secret": "no"}, {"secret": SECRET + "1"}])
async def test_an_address_called_without_the_secret_says_nothing(
    house: House, caller: httpx.AsyncClient, secret: dict[str, str]
) -> None:
    for path in ("/sms/reports/other", "/sms/reports/twilio"):
        assert (await caller.get(path, params={"id": "77", "status": "DELIVRD"} | secret)).status_code == 403
    assert (await caller.get("/sms/reports/pigeon")).status_code == 404
    assert await house.owner.fetchval("SELECT count(*) FROM message_receipts") == 0


@pytest.mark.parametrize("kind", ["form", "json"])
async def test_whoever_does_not_prove_to_be_the_gateway_is_refused(house: House, caller: httpx.AsyncClient, kind: str) -> None:
    call = twilio_report("delivered")
    body = {"data": dict(call.form)} if kind == "form" else {"content": json.dumps(dict(call.form))}
    for path in ("/sms/reports/twilio", "/sms/reports/other"):
        assert (await caller.post(path, **body)).status_code == 403
    assert await house.owner.fetchval("SELECT count(*) FROM message_receipts") == 0


async def test_a_gateway_that_is_not_there_has_no_address(caller: httpx.AsyncClient) -> None:
    answer = await caller.post("/sms/reports/pigeon", json={})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_no_form_is_no_report(caller: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"a&" * 200):
        assert (await caller.post("/sms/reports/twilio", content=body, headers=headers)).status_code == 403
