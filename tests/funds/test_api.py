"""The funds API as a firm's developer meets it: lists, filters, idempotency, fields, money, and what may no longer be done."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.funds.firm_api import ANN, BEN, Firm, open_firm

LISTS = ("/cases", "/creditRequests", "/customerAccountRequests", "/customerAuthentications")


async def test_a_case_is_opened_read_renamed_and_closed(firm: Firm) -> None:
    case_id, [ann, ben] = await firm.open_case("SC00001.0", ANN, BEN)
    case = await firm.get(f"/cases/{case_id}")
    assert (case["caseRef"], case["status"], [one["id"] for one in case["customers"]]) == ("SC00001.0", "open", [ann, ben])
    assert case["customers"][1]["phone"] == "447700900102"
    assert (await firm.call("PATCH", f"/cases/{case_id}", 200, {"caseRef": "SC00002"}))["caseRef"] == "SC00002"
    assert (await firm.post(f"/cases/{case_id}/close", 200))["status"] == "closed"
    assert (await firm.post(f"/cases/{case_id}/close", 200))["status"] == "closed"
    for path, body in (
        (f"/cases/{case_id}/customers", ANN),
        ("/creditRequests", {"caseId": case_id, "reference": "R", "description": "D", "amount": 1}),
        ("/customerAccountRequests", {"caseId": case_id}),
    ):
        assert (await firm.post(path, 409, body))["code"] == "case_closed"


async def test_a_list_is_read_page_by_page_newest_first_and_nothing_is_missed(firm: Firm) -> None:
    made = [(await firm.open_case(f"REF-{n}"))[0] for n in range(5)]
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = await firm.get(f"/cases?limit=2{after}")
        seen += [one["id"] for one in page["data"]]
        after = f"&after={page['next']}"
    assert seen == made[::-1]
    assert page["next"] is None


async def test_a_list_is_filtered_by_case_reference_status_and_time(firm: Firm) -> None:
    first, _ = await firm.open_case("REF-1")
    second, _ = await firm.open_case("REF-2")
    one, two = await firm.ask(first), await firm.ask(second)
    await firm.post(f"/creditRequests/{one}/cancel", 200)
    for query, wanted in (
        (f"caseId={first}", [one]),
        ("caseRef=REF-2", [two]),
        ("status=cancelled", [one]),
        (f"status=requested&caseId={first}", []),
        ("createdAfter=2020-01-01T00:00:00Z", [two, one]),
        ("createdBefore=2020-01-01T00:00:00%2B01:00", []),
    ):
        found = await firm.get(f"/creditRequests?{query}")
        assert [request["id"] for request in found["data"]] == wanted, query


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("limit=ten", "/limit"),
        ("status=wonderful", "/status"),
        ("createdAfter=yesterday", "/createdAfter"),
        ("createdAfter=null", "/createdAfter"),
        ("createdAfter=1700000000", "/createdAfter"),
        ("createdBefore=2026-01-01T00:00:00", "/createdBefore"),
    ],
)
async def test_a_wrong_filter_is_refused_by_its_name(firm: Firm, path: str, query: str, pointer: str) -> None:
    refused = await firm.get(f"{path}?{query}", 422)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


@pytest.mark.parametrize("path", LISTS)
async def test_a_place_that_a_list_does_not_have_is_refused_and_never_looks_like_its_end(firm: Firm, path: str) -> None:
    for after in ("cas-0000000000000", "x", "cas-%C3%A9"):
        refused = await firm.get(f"{path}?after={after}", 422)
        assert (refused["code"], refused["errors"][0]["pointer"]) == ("unknown_cursor", "/after")


async def test_a_cursor_of_another_firm_is_as_unknown_as_one_that_never_was(firm: Firm, other_firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    await other_firm.open_case()
    assert (await other_firm.get(f"/cases?after={case_id}", 422))["code"] == "unknown_cursor"
    assert await firm.get(f"/cases?after={case_id}&createdBefore=2020-01-01T00:00:00Z") == {"data": [], "next": None}


@pytest.mark.parametrize("address", ["/cases?caseRef=%00", "/cases?after=%00", "/cases/%00", "/creditRequests?caseId=a%00b"])
async def test_a_nul_character_in_an_address_is_no_fault_of_ours(firm: Firm, address: str) -> None:
    assert (await firm.get(address, 400))["code"] == "malformed"


async def test_the_same_key_and_body_give_the_same_answer(firm: Firm) -> None:
    body = {"caseRef": "REF-1", "customers": [ANN]}
    first = await firm.send("POST", "/cases", body, idempotency_key="once")
    second = await firm.send("POST", "/cases", body, idempotency_key="once")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await firm.get("/cases"))["data"]) == 1


async def test_the_same_key_with_another_body_or_address_is_refused(firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    await firm.post("/customerAccountRequests", 201, {"caseId": case_id}, idempotency_key="once")
    for path, body in (
        ("/customerAccountRequests", {"caseId": case_id, "notify": False}),
        ("/cases", {"caseRef": "REF-2", "customers": [ANN]}),
    ):
        refused = await firm.post(path, 422, body, idempotency_key="once")
        assert refused["code"] == "idempotency_key_reused"
    assert len((await firm.get("/customerAccountRequests"))["data"]) == 1


async def test_a_key_is_each_firms_own(firm: Firm, other_firm: Firm) -> None:
    body = {"caseRef": "REF-1", "customers": [ANN]}
    mine = await firm.post("/cases", 201, body, idempotency_key="once")
    theirs = await other_firm.post("/cases", 201, body, idempotency_key="once")
    assert mine["id"] != theirs["id"]


async def test_twenty_simultaneous_requests_with_one_key_make_one_object(firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    body = {"caseId": case_id, "reference": "PAY001.1", "description": "Fee", "amount": 100.0}
    answers = await asyncio.gather(*(firm.send("POST", "/creditRequests", body, idempotency_key="once") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 19
    assert len((await firm.get("/creditRequests"))["data"]) == 1


async def test_without_a_key_the_same_body_makes_two(firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    assert await firm.ask(case_id) != await firm.ask(case_id)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_no_key_is_refused(firm: Firm, key: str) -> None:
    await firm.post("/cases", 422, {"caseRef": "REF-1", "customers": [ANN]}, idempotency_key=key)


async def test_a_grant_takes_no_key_because_its_answer_is_a_secret(firm: Firm) -> None:
    case_id, [customer_id] = await firm.open_case()
    body = {"grant_type": "customer_login", "caseId": case_id, "customerId": customer_id}
    await firm.post("/customerLoginGrant", 422, body, idempotency_key="once")
    assert (await firm.post("/customerLoginGrant", 200, body))["grantToken"].isalnum()


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/cases", {"caseRef": "R", "customers": [ANN], "status": "closed"}, "/status"),
        ("/cases", {"caseRef": "R", "customers": [{**ANN, "vip": True}]}, "/customers/0/vip"),
        ("/cases", {"customers": [ANN]}, "/caseRef"),
        ("/cases", {"caseRef": "R", "customers": []}, "/customers"),
        ("/cases", {"caseRef": "R", "customers": [ANN, {**BEN, "dateOfBirth": "1979-02-30"}]}, "/customers/1/dateOfBirth"),
        ("/cases", {"caseRef": "R", "customers": [{**ANN, "phone": "12"}]}, "/customers/0/phone"),
        ("/customerAccountRequests", {"caseId": "cse-x", "amount": 1}, "/amount"),
        ("/customerLoginGrant", {"grant_type": "password", "caseId": "c", "customerId": "d"}, "/grant_type"),
    ],
)
async def test_a_wrong_or_unknown_field_is_named(firm: Firm, path: str, body: Any, pointer: str) -> None:
    refused = await firm.post(path, 422, body)
    assert any(error["pointer"].startswith(pointer) for error in refused["errors"]), refused


@pytest.mark.parametrize("body", [b"", b"{", b'{"caseRef":"a","caseRef":"b","customers":[]}', b"\xff", b"[]x"])
async def test_a_body_that_is_no_json_is_malformed(firm: Firm, body: bytes) -> None:
    assert (await firm.send("POST", "/cases", body)).status_code == 400


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
async def test_a_body_is_json_whatever_its_content_type_says(firm: Firm, content_type: str) -> None:
    await firm.post("/cases", 201, {"caseRef": "R", "customers": [ANN]}, content_type=content_type)


@pytest.mark.parametrize(
    ("given", "printed"),
    [("100", "100.00"), ("100.0", "100.00"), ("0.01", "0.01"), ('"62500.5"', "62500.50"), ("1000000.00", "1000000.00")],
)
async def test_an_amount_is_kept_to_the_penny_and_printed_with_two_decimals(firm: Firm, given: str, printed: str) -> None:
    case_id, _ = await firm.open_case()
    made = await firm.post("/creditRequests", 201, credit(case_id, given))
    answer = await firm.send("GET", f"/creditRequests/{made['id']}")
    assert f'"amount":{printed},'.encode() in answer.content


@pytest.mark.parametrize(
    "given",
    ["0", "-1", "0.001", "1e2", '"1e2"', '" 1"', '"1_0"', '"١"', "1000000.01", "9999999999", "true", "null", "[1]", '"NaN"'],
)
async def test_an_amount_that_is_no_amount_is_refused(firm: Firm, given: str) -> None:
    case_id, _ = await firm.open_case()
    refused = await firm.post("/creditRequests", 422, credit(case_id, given))
    assert refused["errors"][0]["pointer"] == "/amount"


@pytest.mark.parametrize("given", ["NaN", "Infinity", "0x10", "01", "1."])
async def test_an_amount_that_is_no_json_is_malformed(firm: Firm, given: str) -> None:
    case_id, _ = await firm.open_case()
    await firm.post("/creditRequests", 400, credit(case_id, given))


async def test_a_request_without_an_approved_account_conflicts(shared_application: Any) -> None:
    async with open_firm(*shared_application, "New & Co", receives=False) as firm:
        case_id, _ = await firm.open_case()
        assert (await firm.post("/creditRequests", 409, credit(case_id, "1")))["code"] == "no_receiving_account"


async def test_a_request_is_cancelled_once_and_for_all(firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    request_id = await firm.ask(case_id)
    assert (await firm.post(f"/creditRequests/{request_id}/cancel", 200))["status"] == "cancelled"
    assert (await firm.post(f"/creditRequests/{request_id}/cancel", 200))["status"] == "cancelled"
    assert (await firm.post(f"/creditRequests/{request_id}/resend", 409))["code"] == "request_ended"


async def test_a_case_with_an_open_request_is_not_closed(firm: Firm) -> None:
    case_id, _ = await firm.open_case()
    request_id = await firm.ask(case_id)
    await firm.post(f"/cases/{case_id}/close", 409)
    await firm.post(f"/creditRequests/{request_id}/cancel", 200)
    assert (await firm.post(f"/cases/{case_id}/close", 200))["status"] == "closed"


async def test_resending_sends_another_message_and_an_account_request_is_cancelled(firm: Firm, shared_database: Any) -> None:
    case_id, _ = await firm.open_case("REF-1", ANN | {"phone": "447400900117"})  # a number that no other test writes to
    made = await firm.post("/customerAccountRequests", 201, {"caseId": case_id})
    before = await count_messages(shared_database, firm.id)
    assert (await firm.post(f"/customerAccountRequests/{made['id']}/resend", 200))["status"] == "requested"
    assert await count_messages(shared_database, firm.id) > before
    assert (await firm.post(f"/customerAccountRequests/{made['id']}/cancel", 200))["status"] == "cancelled"
    await firm.post(f"/customerAccountRequests/{made['id']}/resend", 409)


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2027-01-01T00:00:00", "soon"])
async def test_an_expiry_in_the_past_too_far_or_without_offset_is_refused(firm: Firm, moment: str) -> None:
    case_id, _ = await firm.open_case()
    await firm.post("/customerAccountRequests", 422, {"caseId": case_id, "expiresAt": moment})


async def test_another_firm_gets_404_for_every_id_and_changes_nothing(firm: Firm, other_firm: Firm) -> None:
    case_id, [customer_id] = await firm.open_case()
    credit_id = await firm.ask(case_id)
    account_id = (await firm.post("/customerAccountRequests", 201, {"caseId": case_id}))["id"]
    [authentication] = (await firm.get("/customerAuthentications"))["data"]
    [receiving] = (await firm.get("/receivingAccounts"))["data"]
    their_case, _ = await other_firm.open_case()
    before = [await firm.get(path) for path in LISTS]
    for method, path, body in (
        ("GET", f"/cases/{case_id}", None),
        ("PATCH", f"/cases/{case_id}", {"caseRef": "MINE"}),
        ("POST", f"/cases/{case_id}/close", None),
        ("GET", f"/cases/{case_id}/customers", None),
        ("POST", f"/cases/{case_id}/customers", ANN),
        ("GET", f"/customers/{customer_id}", None),
        ("PATCH", f"/customers/{customer_id}", {"phone": "447700900199"}),
        *(("POST", f"/creditRequests/{credit_id}/{verb}", None) for verb in ("cancel", "resend")),
        ("GET", f"/creditRequests/{credit_id}", None),
        ("GET", f"/creditRequests/{credit_id}/payments", None),
        ("GET", f"/customerAccountRequests/{account_id}", None),
        *(("POST", f"/customerAccountRequests/{account_id}/{verb}", None) for verb in ("cancel", "resend")),
        ("GET", f"/customerAuthentications/{authentication['id']}", None),
        ("POST", f"/customerAuthentications/{authentication['id']}/revoke", None),
        ("POST", "/customerAuthentications", {"caseId": case_id, "customerId": customer_id}),
        ("POST", "/customerAccountRequests", {"caseId": case_id}),
        ("POST", "/customerAccountRequests", {"caseId": their_case, "customerId": customer_id}),
        ("POST", "/customerLoginGrant", {"grant_type": "customer_login", "caseId": case_id, "customerId": customer_id}),
    ):
        await other_firm.call(method, path, 404, body)
    foreign = msgspec.json.decode(credit(their_case, "1")) | {"receivingAccountId": receiving["id"]}
    assert (await other_firm.post("/creditRequests", 409, foreign))["code"] == "no_receiving_account"
    assert [await firm.get(path) for path in LISTS] == before


async def test_without_a_token_or_with_a_wrong_one_nothing_is_answered(firm: Firm) -> None:
    for headers in ({"authorization": ""}, {"authorization": "Bearer nonsense"}, {"authorization": f"Basic {firm.token}"}):
        answer = await firm.send("GET", "/cases", **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_options_names_every_method_of_an_address(firm: Firm) -> None:
    answer = await firm.send("OPTIONS", "/cases")
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


def credit(case_id: str, amount: str) -> bytes:
    """Return the body of a credit request with an amount exactly as it is written."""
    return f'{{"caseId":"{case_id}","reference":"R","description":"D","amount":{amount}}}'.encode()


async def count_messages(database: Any, firm_id: str) -> int:
    connection = await asyncpg.connect(database.dsn)
    count: int = await connection.fetchval("SELECT count(*) FROM messages WHERE tenant_id = $1", firm_id)
    await connection.close()
    return count
