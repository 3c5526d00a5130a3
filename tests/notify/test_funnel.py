"""The funnel after real runs: asked, sent, delivered, used and refused, per purpose, country and gateway."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from strongroom.kit.metrics import MESSAGE_FUNNEL
from strongroom.notify.gateways.http import HttpConfig, HttpGateway
from strongroom.notify.gateways.inbox import InboxGateway
from strongroom.notify.messages import Receipts
from strongroom.notify.model import Purpose, Queued, Step
from strongroom.notify.port import Receipt, Route
from strongroom.notify.watching import Watch
from tests.notify.conftest import FIRM, PHONE, House

NIGERIAN = "2348012345678"


async def funnel(house: House, hours: float = 1) -> list[Step]:
    until = await house.time(1)
    return await Watch(house.worker).take_stock(until - timedelta(hours=hours), until)


async def use(house: House, key: str) -> None:
    async with house.app.transaction(FIRM) as tx:
        await house.messages.note_used(tx, FIRM, key)


def counted(step: str, *labels: str) -> float:
    return MESSAGE_FUNNEL.labels(step, *labels)._value.get()  # what /metrics shows


class Carrier(ThreadingHTTPServer):
    """A gateway with an HTTP interface: it takes every message and names it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.taken: list[str] = []


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        said: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, Carrier)
        self.server.taken.append(f"carrier-{said['id']}")
        body = json.dumps({"id": self.server.taken[-1]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


async def test_after_a_run_through_two_gateways_every_step_has_its_number(house: House, inbox_url: str) -> None:
    carrier = Carrier()
    Thread(target=carrier.serve_forever, daemon=True).start()
    inbox = InboxGateway(inbox_url, production=False)
    abroad = HttpGateway(
        HttpConfig(
            name="abroad", url=f"http://127.0.0.1:{carrier.server_port}/", id_at="id",
            body='{"id": "{id}", "to": "{to}", "text": "{text}"}',
            headers={"Content-Type": "application/json"},
        )
    )  # fmt: skip
    routes = [Route(abroad, ("234",)), Route(inbox, ("44",))]
    before = {step: counted(step, "login_code", "GB", "inbox") for step in ("sent", "used")}
    for n in range(6):  # one too many for the number
        await house.queue(purpose=Purpose.LOGIN_CODE, key=f"gb {n}")
    for n in range(3):
        await house.queue(to=NIGERIAN, purpose=Purpose.PURCHASE_CODE, key=f"ng {n}")
    await house.queue(to="353851234567", key="ie")  # no gateway carries it there
    await house.send(*routes)
    receipts = Receipts(house.app)
    for provider_id, receipt in zip(carrier.taken, (Receipt.DELIVERED, Receipt.DELIVERED, Receipt.FAILED), strict=True):
        await receipts.take("abroad", provider_id, receipt)
    await house.sender(*routes).settle()
    for key in ("gb 0", "gb 1", "ng 0", "ng 0", "never"):  # one twice, and one that is none of ours
        await use(house, key)
    assert await funnel(house) == [
        Step("login_code", "GB", "", 1, 0, 0, 0, {"number": 1}),
        Step("login_code", "GB", "inbox", 5, 5, 0, 2, {}),
        Step("notice", "IE", "", 1, 0, 0, 0, {}),
        Step("purchase_code", "NG", "abroad", 3, 3, 2, 1, {}),
    ]
    assert {step: counted(step, "login_code", "GB", "inbox") - count for step, count in before.items()} == {"sent": 5, "used": 2}
    carrier.shutdown()
    await abroad.close()
    await inbox.close()


async def test_the_funnel_is_of_its_period_alone(house: House) -> None:
    assert isinstance(await house.queue(), Queued)
    await house.pass_time(7200)
    assert await funnel(house) == []
    assert [step.asked for step in await funnel(house, hours=3)] == [1]
    until: datetime = await house.time(0)
    assert await Watch(house.worker).take_stock(until, until) == []


async def test_a_code_is_used_in_its_own_tenants_books_only(house: House) -> None:
    await house.queue(purpose=Purpose.LOGIN_CODE, key="one")
    async with house.app.transaction("frm-other") as tx:
        await house.messages.note_used(tx, FIRM, "one")
    assert await house.owner.fetchval("SELECT count(used_at) FROM messages") == 0
    await use(house, "one")
    assert await house.owner.fetchval("SELECT count(used_at) FROM messages") == 1
    assert PHONE not in str(await funnel(house))
