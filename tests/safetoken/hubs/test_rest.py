"""The issuer's service by REST: the contract's own lines, over mutual TLS, for pinned hubs and nobody else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import ACTOR, Bank, next_bank, prefix_of
from tests.safetoken.hubs.conftest import Service, open_service, shown
from tests.safetoken.served import Served
from tests.safetoken.test_openapi import faults

XML, JSON = "application/xml; charset=utf-8", "application/json"


def ask(pan: str) -> str:
    return f"<RequestDetails><CardPan>{pan}</CardPan></RequestDetails>"


def typed(user_id: str, otp: str) -> str:
    return f"<RequestDetails><UserId>{user_id}</UserId><Otp>{otp}</Otp></RequestDetails>"


async def test_the_contracts_lines_come_back_byte_for_byte(bank: Bank, served: Served, hub: Identity):
    service = await open_service(bank, served, hub, sms_by="hub")
    answer = service.post("validatecard", ask(service.phone_pan), **{"content-type": XML})
    assert (answer.status_code, answer.headers["content-type"]) == (200, XML)
    assert answer.text == (
        f"<Response><ResponseCode>90000</ResponseCode><TokenType>2</TokenType><PhoneNumber>{service.phone}</PhoneNumber>"
        "<AdditionalInfo>Enter your otp</AdditionalInfo></Response>"
    )
    answer = service.post("authenticateotp", typed(service.device_pan, shown()), **{"content-type": XML})
    assert answer.text == "<Response><ResponseCode>90000</ResponseCode></Response>"
    answer = service.post("authenticateotp", typed(service.device_pan, shown()), **{"content-type": XML})
    assert answer.text == "<Response><ResponseCode>80001</ResponseCode></Response>"


async def test_a_message_is_sent_and_its_code_is_right_once(service: Service):
    answer = service.post("validatecard", ask(service.phone_pan))
    assert answer.text == (
        "<Response><ResponseCode>90000</ResponseCode><TokenType>2</TokenType>"
        "<AdditionalInfo>Enter your otp</AdditionalInfo></Response>"
    )
    code = await service.sent_code()
    said = [service.post("authenticateotp", typed(service.phone_pan, code)).text for _ in range(2)]
    assert ["90000" in said[0], "80001" in said[1]] == [True, True]


async def test_any_root_any_namespace_and_unknown_members_are_read_over(service: Service):
    body = f'<?xml version="1.0"?><x:Q xmlns:x="urn:q"><Extra><Deep/></Extra><x:CardPan> {service.device_pan} </x:CardPan></x:Q>'
    assert "<TokenType>1</TokenType>" in service.post("validatecard", body, **{"content-type": "text/xml"}).text


@pytest.mark.parametrize("kind", ["application/json", "text/json; charset=utf-8"])
async def test_json_is_answered_in_json(service: Service, kind: str):
    answer = service.post("validatecard", json.dumps({"CardPan": service.device_pan, "More": [1]}), **{"content-type": kind})
    assert answer.headers["content-type"] == JSON
    assert answer.json() == {
        "ResponseCode": "90000", "TokenType": "1", "AdditionalInfo": "Enter the code that your device shows",
    }  # fmt: skip
    body = json.dumps({"UserId": service.device_pan, "Otp": shown()})
    assert service.post("authenticateotp", body, **{"content-type": kind}).json() == {"ResponseCode": "90000"}


async def test_accept_chooses_the_form_of_the_answer(service: Service):
    body = ask(service.device_pan)
    chosen = {
        "*/*": XML, "application/json": JSON, "text/json": JSON, "application/xml": XML, "text/xml, application/json;q=0.5": XML,
    }  # fmt: skip
    for accept, kind in chosen.items():
        assert service.post("validatecard", body, accept=accept).headers["content-type"] == kind
    body = json.dumps({"CardPan": service.device_pan})
    assert service.post("validatecard", body, accept="text/xml", **{"content-type": JSON}).headers["content-type"] == XML


@pytest.mark.parametrize(
    "body",
    [
        "<RequestDetails/>", "<R><CardPan>1234</CardPan></R>", "<R><CardPan/></R>",
        "<R><CardPan>5061810000000152048</CardPan><CardPan>5061810000000152055</CardPan></R>",
    ],
)  # fmt: skip
async def test_a_question_that_is_not_complete_is_invalid_data(service: Service, body: str):
    answer = service.post("validatecard", body)
    assert (answer.status_code, answer.text) == (200, "<Response><ResponseCode>10002</ResponseCode></Response>")


async def test_what_cannot_be_read_is_refused_in_the_callers_form(service: Service):
    hostile = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><R><CardPan>&e;</CardPan></R>'
    for body in ("<R><CardPan>", hostile, "", "<R><CardPan>50<!-- -->61</CardPan></R>"):
        answer = service.post("validatecard", body)
        assert answer.status_code == 400
        assert answer.text.startswith("<Error><Code>BadRequest</Code><Description>")
        assert answer.headers["content-type"] == XML
    for body in ("{", "[]", '{"CardPan":1,"CardPan":2}', '{"CardPan":{}}'):
        answer = service.post("validatecard", body, **{"content-type": JSON})
        assert answer.status_code in (400, 422)
        assert set(answer.json()) == {"code", "description", "errors"}
    assert service.post("validatecard", "<R>" + "x" * 70_000 + "</R>").status_code in (400, 413)


async def test_only_pinned_hubs_are_answered_and_nobody_is_told_why_not(service: Service, bank: Bank, hub: Identity):
    bearer = await bank.bearer()
    told = tell_strangers(service, bearer, {"client-cert": quote(hub.pem)})
    assert {answer.status_code for answer in told} == {403}
    assert len({answer.text for answer in told}) == 1
    assert "90000" in service.post("validatecard", ask(service.phone_pan)).text


def tell_strangers(service: Service, bearer: dict[str, str], as_proxy: dict[str, str]) -> list[httpx.Response]:
    """Ask without a certificate, with a token in its place, as a proxy would, with another certificate and of no issuer."""
    stranger, body, path = service.served.authority.issue("a stranger"), ask(service.phone_pan), f"{service.path}/validatecard/"
    plain = httpx.Client(base_url=service.served.url, trust_env=False)
    with service.served.client() as nobody, plain, service.client() as pinned:
        return [
            nobody.post(path, content=body),
            nobody.post(path, content=body, headers=bearer),
            plain.post(path, content=body, headers=bearer),
            plain.post(path, content=body, headers=as_proxy),
            service.post("validatecard", body, stranger),
            service.post("validatecard", body, stranger, **bearer),
            pinned.post("/issuer/99999/validatecard/", content=body),
        ]


async def open_service_of_another(service: Service, served: Served) -> Service:
    house, number = service.bank.house, next_bank()
    issuer = await house.issuers.create(ACTOR, "Other", number, [prefix_of(number)])
    bank = Bank(house, issuer, "", "", service.bank.http)
    return await open_service(bank, served, served.authority.issue(f"hub of {number}"))


async def test_another_issuers_hub_learns_and_does_nothing(service: Service, served: Served, bank: Bank):
    """The control is in the last line: pointed at its own issuer the same question is answered."""
    own = service.post("validatecard", ask(service.phone_pan))
    assert "90000" in own.text
    code = await service.sent_code()
    other = await open_service_of_another(service, served)
    for target in (service.path, other.path):
        for operation, body in (("validatecard", ask(service.phone_pan)), ("authenticateotp", typed(service.phone_pan, code))):
            with other.client() as client:
                answer = client.post(f"{target}/{operation}/", content=body)
            assert "90000" not in answer.text
            assert (answer.status_code, target == service.path) in {(403, True), (200, False)}
    assert "90000" in service.post("authenticateotp", typed(service.phone_pan, code)).text


async def test_a_hubs_new_certificate_counts_beside_the_old_one_and_the_old_one_ends(service: Service, bank: Bank):
    new = service.served.authority.issue("hub renewed")
    house, issuer_id = bank.house, bank.issuer.id
    await house.issuers.change(ACTOR, issuer_id, {"hub_certificate_hashes": [service.hub.hash, new.hash]})
    assert [answered(service, identity) for identity in (service.hub, new)] == [200, 200]
    await house.issuers.change(ACTOR, issuer_id, {"hub_certificate_hashes": [new.hash]})
    eventually(lambda: answered(service, service.hub) == 403)
    assert answered(service, new) == 200


def answered(service: Service, identity: Identity) -> int:
    return service.post("validatecard", ask(service.device_pan), identity).status_code


def eventually(is_so) -> None:
    """Ask again until it is so: another process reads what changed at most half a second late."""
    assert any(is_so() for _ in range(200))


async def test_one_code_from_sixteen_connections_at_once_is_accepted_once(service: Service):
    body = typed(service.device_pan, shown())
    clients = [service.client() for _ in range(16)]

    def send(client: httpx.Client) -> str:
        with client:
            return client.post(f"{service.path}/authenticateotp/", content=body).text

    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(send, clients))
    assert sum("90000" in text for text in said) == 1
    assert all("90000" in text or "80001" in text or "81002" in text for text in said)


async def test_answers_in_json_are_as_the_openapi_document_says(service: Service):
    kind = {"content-type": JSON}
    for body, identity, status in (
        ({"CardPan": service.phone_pan}, None, 200), ({"CardPan": "1"}, None, 200), ({"CardPan": []}, None, 422),
        ({"CardPan": service.phone_pan}, service.served.authority.issue("a json stranger"), 403),
    ):  # fmt: skip
        answer = service.post("validatecard", json.dumps(body), identity, **kind)
        assert (answer.status_code, faults(answer, "/issuer/{bank_id}/validatecard")) == (status, [])
    answer = service.post("authenticateotp", json.dumps({"UserId": service.device_pan, "Otp": shown()}), **kind)
    assert faults(answer, "/issuer/{bank_id}/authenticateotp") == []
