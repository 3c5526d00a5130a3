"""AddCardHolder over SOAP and JSON: read leniently, judged as the contract says, answered to the byte."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import phonenumbers
import pytest

from strongroom.access.model import ClientProfile, Scope
from strongroom.kit.crypto import Secret
from strongroom.kit.edge import Edge
from strongroom.safetoken.enrolment import read_phone
from strongroom.safetoken.members import BASE, SERVICES, TECHQUEST
from strongroom.safetoken.samples import SAMPLE, sample_request
from strongroom.wiring import House
from tests.safetoken.conftest import ACTOR, Bank, basic, next_bank, open_bank, prefix_of
from tests.safetoken.document import SEED, add_response, coded, envelope, printed_answers, sample_requests

PATH = "/api/v1/safetoken"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
NIL = "nil"
_counter = iter(range(10**8))


def luhn(digits: str) -> str:
    """Return the digits with their check digit."""
    total = sum(sum(divmod(int(one) * (2 - at % 2), 10)) for at, one in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


def new_pan(bank: Bank) -> str:
    return luhn(f"{prefix_of(bank.issuer.bank_id)}{next(_counter):09d}")


def members(bank: Bank, **changes: str | None) -> dict[str, str]:
    given: dict[str, str | None] = {**SAMPLE, "BankId": str(bank.issuer.bank_id), "CardPan": new_pan(bank), **changes}
    return {name: value for name, value in given.items() if value is not None}


async def send(bank: Bank, body: str | bytes, headers: dict[str, str] | None = None, *, path: str = PATH) -> httpx.Response:
    sent = {"content-type": "text/xml", "soapaction": "AddCardHolder", **await bank.bearer(), **(headers or {})}
    content = body.encode() if isinstance(body, str) else body
    return await bank.http.post(path, content=content, headers={name: value for name, value in sent.items() if value})


async def add(bank: Bank, **changes: str | None) -> str:
    answer = await send(bank, sample_request(members=members(bank, **changes)))
    assert answer.status_code == 200, answer.text
    return answer.text


def said(text: str) -> tuple[str, str | None]:
    """Return code and description of an answer."""
    code = re.search(r"<ResponseCode [^>]*>(\d+)<", text)
    description = re.search(r"<ResponseDescription xmlns=[^>]*>([^<]*)<", text)
    assert code, text
    return code[1], description[1] if description else None


# The document.


@pytest.mark.skipif(not SEED.is_file(), reason="the document is not at hand")
def test_our_copies_of_the_documents_samples_are_its_own():
    without_comments = re.sub(r"<!--Optional:-->", "", sample_requests() or "")
    assert "".join(sample_request().split()) == "".join(without_comments.split())
    assert printed_answers() == [add_response("90000"), add_response("10002", "Invalid Card PAN: 506183******2048, ")]


async def test_the_documents_request_gets_the_documents_answer(printed_bank: Bank):
    for _ in range(2):  # the identical request within a day is the same one, sent again
        answer = await send(printed_bank, sample_requests() or sample_request())
        assert (answer.status_code, answer.text) == (200, add_response("90000"))
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"


async def test_the_documents_wrong_card_gets_the_documents_failure_with_the_number_masked(printed_bank: Bank):
    wrong = sample_request(members={**SAMPLE, "CardPan": "50618310000000152048"})
    answer = await send(printed_bank, wrong)
    assert (answer.status_code, answer.text) == (200, add_response("10002", "Invalid Card PAN: 506183******2048, "))


# Reading.


def dressed(given: dict[str, str], *, namespaces: Iterator[str], reverse: bool = False, operation: str = SERVICES) -> str:
    names = [*given]
    if reverse:
        names.reverse()
    inside = ""
    for name in names:
        value = (
            ' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
            if given[name] == NIL
            else f">{given[name]}</m:{name}>"
        )
        inside += f'<m:{name} xmlns:m="{next(namespaces)}"{value}'
    return (
        '<x:Envelope xmlns:x="http://schemas.xmlsoap.org/soap/envelope/"><x:Body>'
        f'<AddCardHolder xmlns="{operation}"><request>{inside}</request></AddCardHolder></x:Body></x:Envelope>'
    )


def always(namespace: str) -> Iterator[str]:
    while True:
        yield namespace


@pytest.mark.parametrize("namespace", [SERVICES, BASE, TECHQUEST, "techquest.interswitchng.com1", "urn:corrupted"])
async def test_members_are_found_by_their_names_in_any_namespace_and_order(bank: Bank, namespace: str):
    body = dressed(members(bank), namespaces=always(namespace), reverse=True)
    assert (await send(bank, body)).text == add_response("90000")


async def test_what_a_wcf_client_leaves_out_it_sends_as_nil_or_nought(bank: Bank):
    left_out = dict.fromkeys(("HeaderTerminalId", "AccountNumber", "Address1", "Email", "Gender", "State", "Title"), NIL)
    given = members(bank, **left_out) | {"FailureReason": "0", "PostCode": "0"}
    assert (await send(bank, dressed(given, namespaces=always(TECHQUEST)))).text == add_response("90000")
    given = members(bank, TerminalId=NIL, BankId="0", RegistrationChannel="0", City=NIL)
    assert said((await send(bank, dressed(given, namespaces=always(TECHQUEST)))).text) == (
        "10002", "TerminalId is required, BankId is required, City is required, RegistrationChannel is required, ",
    )  # fmt: skip


@pytest.mark.parametrize(
    "action", ["AddCardHolder", '"AddCardHolder"', '"http://services.interswitchng.com/AddCardHolder"', '""', ""]
)
async def test_the_action_may_be_a_word_quoted_an_address_or_nothing(bank: Bank, action: str):
    answer = await send(bank, sample_request(members=members(bank)), {"soapaction": action})
    assert answer.text == add_response("90000")


@pytest.mark.parametrize(
    "media", ["text/xml", 'text/xml;charset="UTF-8"', "text/xml; charset=us-ascii", "application/xml", "text/plain"]
)
async def test_an_envelope_is_read_whatever_it_is_called_as_long_as_it_is_utf_8(bank: Bank, media: str):
    given = dressed(members(bank), namespaces=always(TECHQUEST))
    assert said((await send(bank, given, {"content-type": media})).text) == ("90000", None)


async def test_soap_1_2_is_answered_in_soap_1_2(bank: Bank):
    body = sample_request(members=members(bank)).replace("http://schemas.xmlsoap.org/soap/envelope/", SOAP_12)
    answer = await send(bank, body, {"content-type": 'application/soap+xml; action="AddCardHolder"', "soapaction": ""})
    assert answer.headers["content-type"].startswith("application/soap+xml")
    assert answer.text == add_response("90000").replace("http://schemas.xmlsoap.org/soap/envelope/", SOAP_12)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("<not xml", {}),
        (sample_request().replace("AddCardHolder>", "DropTables>"), {"soapaction": ""}),
        (sample_request(), {"soapaction": "RemoveCardHolder"}),
        (sample_request().replace("<soapenv:Body>", "<soapenv:Body><x/>"), {}),
        (sample_request().replace("5061810000000152048</tec1:CardPan>", "50618100<!-- -->00000152048</tec1:CardPan>"), {}),
        ('<!DOCTYPE x [<!ENTITY e "x">]>' + sample_request().partition("?>")[2], {}),
        (sample_request().encode("utf-16"), {}),
    ],
    ids=["broken", "unknown", "disagreeing", "two", "divided", "doctype", "utf-16"],
)
async def test_what_cannot_be_read_is_answered_with_a_fault(bank: Bank, body: str | bytes, headers: dict[str, str]):
    answer = await send(bank, body, headers)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert "<s:Fault><faultcode>s:Client</faultcode>" in answer.text
    assert "5061810000000152048" not in answer.text


# Judging.


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"TerminalId": ""}, "TerminalId is required, "),
        ({"TerminalId": None, "City": None}, "TerminalId is required, City is required, "),
        ({"CardPan": None}, "CardPan is required, "),
        ({"CardPan": "5061810000000152049"}, "Invalid Card PAN: 506181******2049, "),
        ({"CardPan": "506181"}, "Invalid Card PAN: ******, "),
        ({"CardPan": "５０６１８１００００００００１５２０４８"}, "Invalid Card PAN: ******, "),
        ({"PrimaryMobileNumber": None}, "PrimaryMobileNumber is required, "),
        ({"PrimaryMobileNumber": "0803"}, "Invalid PrimaryMobileNumber, "),
        ({"PrimaryMobileNumber": "9999999999999999"}, "Invalid PrimaryMobileNumber, "),
        ({"RegistrationChannel": "5"}, "Invalid RegistrationChannel, "),
        ({"BankId": "eight"}, "Invalid BankId, "),
        ({"IsFailure": "perhaps"}, "Invalid IsFailure, "),
        ({"IsApprovedAndEnabled": "perhaps"}, "Invalid IsApprovedAndEnabled, "),
        ({"Address1": "x" * 201}, "Invalid Address1, "),
    ],
)
async def test_what_the_contract_asks_for_is_asked_for(bank: Bank, changes: dict[str, str | None], description: str):
    assert said(await add(bank, **changes)) == ("10002", description)


@pytest.mark.parametrize(
    "changes",
    [
        {"City": ""}, {"RegistrationChannel": "9"}, {"ExpiryDate": "1800"}, {"Email": None}, {"HeaderTerminalId": None},
        {"PrimaryMobileNumber": "+2347908516601"}, {"PostCode": "SW1A 1AA"}, {"IsVerveEAccount": "N"}, {"FailureReason": "none"},
    ],
)  # fmt: skip
async def test_what_live_software_sends_is_accepted(bank: Bank, changes: dict[str, str | None]):
    assert said(await add(bank, **changes)) == ("90000", None)


async def test_a_member_that_stands_twice_is_refused(bank: Bank):
    body = sample_request(members=members(bank))
    line = re.search(r"<tec1:CardPan>.*?</tec1:CardPan>", body)
    assert line
    answer = await send(bank, body.replace(line[0], line[0] + "<tec1:CardPan>5061810000000152048</tec1:CardPan>"))
    assert said(answer.text) == ("10002", "Repeated CardPan, ")


async def test_a_card_that_has_a_cardholder_is_told_so_and_the_code_is_the_issuers_choice(bank: Bank):
    pan = new_pan(bank)
    assert said(await add(bank, CardPan=pan)) == ("90000", None)
    assert said(await add(bank, CardPan=pan, LastName="OTHER")) == ("82001", "User already exists")
    await bank.house.issuers.change(ACTOR, bank.issuer.id, {"duplicate_code": "82002"})
    assert said(await add(bank, CardPan=pan, LastName="OTHER")) == ("82002", "User already exists")
    assert said(await add(bank, CardPan=pan)) == ("90000", None)


async def test_another_issuers_card_is_invalid_and_no_more_is_said(bank: Bank, printed_bank: Bank):
    theirs, nobodys = "5061810000000152048", luhn("411111111111111")
    assert said(await add(bank, CardPan=theirs)) == ("10002", "Invalid Card PAN: 506181******2048, ")
    assert said(await add(bank, CardPan=nobodys)) == ("10002", f"Invalid Card PAN: 411111******{nobodys[-4:]}, ")


async def test_another_bank_id_is_outside_the_clients_resources(bank: Bank, printed_bank: Bank):
    for foreign in ("8", "7777"):
        answer = await send(bank, sample_request(members=members(bank, BankId=foreign)))
        assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden")


async def test_a_failed_registration_enrols_nobody(bank: Bank, shared_database: Any):
    pan = new_pan(bank)
    assert said(await add(bank, CardPan=pan, IsFailure="true", FailureReason="3")) == ("90000", None)
    async with bank.house.db.transaction(bank.issuer.id) as tx:
        assert await bank.house.cardholders.find(tx, bank.issuer.id, Secret(pan)) is None


@pytest.mark.parametrize(("given", "approved"), [("true", True), ("1", True), ("false", False), (None, False)])
async def test_a_cardholder_is_approved_only_when_the_issuer_says_so(bank: Bank, given: str | None, approved: bool):
    pan = new_pan(bank)
    await add(bank, CardPan=pan, IsApprovedAndEnabled=given)
    async with bank.house.db.transaction(bank.issuer.id) as tx:
        found = await bank.house.cardholders.find(tx, bank.issuer.id, Secret(pan))
    assert found is not None
    assert found.approved is approved
    assert found.details["Othernames"] == "GANIU"


async def test_of_twenty_different_requests_for_one_card_one_enrols(bank: Bank):
    pan = new_pan(bank)
    told = await asyncio.gather(*(add(bank, CardPan=pan, LastName=f"N{n}") for n in range(20)))
    assert sorted(said(text)[0] for text in told) == ["82001"] * 19 + ["90000"]


# Who may call.


async def test_without_a_token_that_counts_the_answer_is_the_documents_error_object(bank: Bank):
    for headers in ({}, {"authorization": "Bearer nonsense"}, bank.basic):
        answer = await bank.http.post(PATH, content=sample_request(), headers={"content-type": "text/xml", **headers})
        assert answer.status_code == 401
        assert list(answer.json()) == ["code", "description", "errors"]
        assert answer.json()["code"] == "Unauthorized"


async def test_a_token_for_other_resources_is_told_403(bank: Bank):
    made = await bank.house.clients.create(ACTOR, bank.issuer.id, "reader", [Scope.SAFETOKEN_TOKENS_READ])
    assert made.secret is not None
    reader = Bank(bank.house, bank.issuer, made.client_id, made.secret.reveal(), bank.http)
    answer = await send(reader, sample_request(members=members(bank)))
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"]) == (403, "Forbidden", None)


async def test_the_encoded_pair_counts_only_where_the_clients_setting_allows_it(bank: Bank):
    pair = {"authorization": bank.basic["authorization"].replace("Basic", "Bearer")}
    assert (await send(bank, sample_request(members=members(bank)), pair)).status_code == 401
    await bank.house.clients.set_profile(ACTOR, bank.issuer.id, bank.client_id, ClientProfile(allow_encoded_pair=True))
    await asyncio.sleep(0.6)
    assert (await send(bank, sample_request(members=members(bank)), pair)).text == add_response("90000")
    wrong = {"authorization": basic(bank.client_id, "guess")["authorization"].replace("Basic", "Bearer")}
    assert (await send(bank, sample_request(members=members(bank)), wrong)).status_code == 401


# JSON.


@pytest.mark.parametrize("media", ["application/json", "text/json", "text/json; charset=utf-8", "APPLICATION/JSON"])
async def test_the_same_members_as_json(bank: Bank, media: str):
    given: dict[str, Any] = {**members(bank), "BankId": bank.issuer.bank_id, "IsFailure": False, "Email": None, "Unknown": 1}
    answer = await send(bank, json.dumps(given), {"content-type": media, "soapaction": ""})
    assert (answer.status_code, answer.text) == (200, '{"ResponseCode":"90000","ResponseDescription":null}')
    given["CardPan"] = "50618310000000152048"
    answer = await send(bank, json.dumps(given), {"content-type": media})
    assert answer.text == '{"ResponseCode":"10002","ResponseDescription":"Invalid Card PAN: 506183******2048, "}'


async def test_json_that_cannot_be_read_is_told_as_an_error_object(bank: Bank):
    bad = {"{": 400, '{"CardPan":"1","CardPan":"2"}': 400, '{"CardPan":["5061810000000152048"]}': 422, '{"CardPan":1.5}': 422}
    for body, status in bad.items():
        answer = await send(bank, body, {"content-type": "application/json"})
        assert answer.status_code == status, body
        assert list(answer.json()) == ["code", "description", "errors"]
        assert "5061810000000152048" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", PATH, 405),
        ("GET", "/passport/oauth/token", 405),
        ("GET", f"{PATH}/tokens/A1/assign", 405),
        ("GET", f"{PATH}/no-such-thing", 404),
        ("GET", "/passport/no-such-thing", 404),
    ],
)
async def test_an_address_or_method_that_is_none_is_told_as_an_error_object_too(bank: Bank, method: str, path: str, status: int):
    answer = await bank.http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert list(answer.json()) == ["code", "description", "errors"]
    assert ("POST" in answer.headers.get("allow", "")) == (status == 405)


async def test_an_issuers_service_tells_them_in_xml_or_in_json(bank: Bank):
    in_xml = await bank.http.get("/issuer/8/validatecard")
    assert (in_xml.status_code, in_xml.headers["allow"]) == (405, "OPTIONS, POST")
    assert in_xml.text.startswith("<Error><Code>MethodNotAllowed</Code>")
    in_json = await bank.http.get("/issuer/8/nothing", headers={"accept": "application/json"})
    assert (in_json.status_code, in_json.json()["code"]) == (404, "NotFound")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/tokens/find", "/passport/oauth/token", "/issuer/8/validatecard"])
async def test_a_compressed_body_is_refused_and_the_way_out_is_told(bank: Bank, path: str):
    headers = await bank.bearer() | {"content-encoding": "gzip"}
    answer = await bank.http.post(path, content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "without a Content-Encoding" in answer.text


# Ours.


async def call(bank: Bank, operation: str, **given: str) -> str:
    body = sample_request(operation, {"BankId": str(bank.issuer.bank_id), **given})
    answer = await send(bank, body, {"soapaction": operation})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_cardholder_is_shown_changed_and_removed(bank: Bank):
    pan = new_pan(bank)
    assert said(await call(bank, "GetCardHolder", CardPan=pan)) == ("82001", "User does not exist")
    await add(bank, CardPan=pan, IsApprovedAndEnabled="false")
    shown = await call(bank, "GetCardHolder", CardPan=pan)
    assert f"<a:CardPan>{pan[:6]}******{pan[-4:]}</a:CardPan>" in shown
    assert "<a:PrimaryMobileNumber>***********01</a:PrimaryMobileNumber><a:Status>NotActivated</a:Status>" in shown
    assert pan not in shown
    changed = await call(bank, "UpdateCardHolder", CardPan=pan, IsApprovedAndEnabled="true", PrimaryMobileNumber="2348031234567")
    assert changed == envelope(coded("90000"), "UpdateCardHolder")
    assert "***********67</a:PrimaryMobileNumber><a:Status>Approved" in await call(bank, "GetCardHolder", CardPan=pan)
    assert said(await call(bank, "UpdateCardHolder", CardPan=pan, PrimaryMobileNumber="12")) == (
        "10002",
        "Invalid PrimaryMobileNumber, ",
    )
    assert said(await call(bank, "RemoveCardHolder", CardPan=pan)) == ("90000", None)
    for operation in ("RemoveCardHolder", "UpdateCardHolder", "GetCardHolder"):
        assert said(await call(bank, operation, CardPan=pan)) == ("82001", "User does not exist")
        assert said(await call(bank, operation)) == ("10002", "CardPan is required, ")


async def test_ours_work_as_json_too(bank: Bank):
    pan = new_pan(bank)
    await add(bank, CardPan=pan)
    given = json.dumps({"BankId": bank.issuer.bank_id, "CardPan": pan})
    answer = await send(bank, given, {"content-type": "application/json", "soapaction": "GetCardHolder"})
    assert (answer.json()["ResponseCode"], answer.json()["Status"]) == ("90000", "Approved")
    assert (await send(bank, given, {"content-type": "application/json", "soapaction": "DropTables"})).status_code == 404


async def test_no_issuer_reaches_anothers_cardholder(application: tuple[House, Edge], bank: Bank):
    pan, number = new_pan(bank), next_bank()
    await add(bank, CardPan=pan)
    other = await bank.house.issuers.create(ACTOR, "Other", number, [prefix_of(number)])
    async with open_bank(*application, other) as stranger:
        for operation in ("GetCardHolder", "UpdateCardHolder", "RemoveCardHolder"):
            assert said(await call(stranger, operation, CardPan=pan)) == ("82001", "User does not exist")
    assert said(await call(bank, "GetCardHolder", CardPan=pan))[0] == "90000"


async def test_an_issuer_that_wants_signatures_takes_no_json_and_no_unsigned_message(bank: Bank):
    await bank.house.issuers.change(ACTOR, bank.issuer.id, {"caller_security": "timestamp"})
    given = json.dumps(members(bank))
    assert (await send(bank, given, {"content-type": "application/json"})).status_code == 403
    answer = await send(bank, sample_request(members=members(bank)))
    assert answer.status_code == 500
    assert "InvalidSecurity" in answer.text


async def test_nothing_of_a_cardholder_is_kept_in_the_clear(bank: Bank, shared_database: Any):
    pan = new_pan(bank)
    await add(bank, CardPan=pan, LastName="Unmistakable", PrimaryMobileNumber="2347011223344", AccountNumber=pan)
    owner = await asyncpg.connect(shared_database.dsn)
    tables = [row[0] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for table in tables:
        rows = "\n".join(row[0] for row in await owner.fetch(f"SELECT t::text FROM {table} t"))
        for secret in (pan, "Unmistakable", "2347011223344"):
            assert secret not in rows, table
            assert secret.encode().hex() not in rows, table
    await owner.close()


def test_a_telephone_number_is_one_exactly_where_the_library_says_so():
    """Every country's code, and texts that are none, before each number of digits, some after a prefix of the country's own."""
    codes = [*map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE), "0", "01", "999", ""]
    for code, prefix, length in itertools.product(codes, ("", "0", "1", "8", "011"), range(19)):
        number = f"{code}{prefix}{'2345678901234567890'[:length]}"
        assert read_phone({"PrimaryMobileNumber": number}) == (number if is_possible(number) else None)


def is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(f"+{number}"))
    except phonenumbers.NumberParseException:
        return False
