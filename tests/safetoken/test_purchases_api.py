"""Purchase authentication over REST, in the contract's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import oath
import pytest

from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at
from strongroom.sca.devices.otp_tokens import OtpTokens
from strongroom.sca.purchasing.model import AuditTag
from tests.issuing.foreign_issuer import CARD, CODE, Lost, said
from tests.issuing.pki import Pki
from tests.safetoken.shop import ACTOR, AUTHENTICATIONS, Shop, open_shop

STRAY_CARD = "4000000000000002"
WRONG = "000000"


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("shop"), "hub", "issuer")


@pytest.fixture
async def shop(database, pki: Pki, tmp_path) -> AsyncIterator[Shop]:
    async with open_shop(database, pki, tmp_path) as one:
        yield one


async def test_a_purchase_begins_with_the_members_of_the_contract(shop):
    begun = await shop.merchant.begin()
    assert begun.pop("authenticationId").startswith("pur-")
    assert begun.pop("expiresAt")
    assert begun == {
        "status": "pending", "tokenType": 2, "maskedPhone": "*********78", "prompt": "Enter your otp", "question": None,
        "attemptsLeft": 5,
    }  # fmt: skip


async def test_a_right_code_authenticates_and_the_proof_is_checked_once(shop):
    begun = await shop.merchant.begin(transactionRef="order-1")
    judged = await shop.merchant.verify(begun["authenticationId"], CODE)
    assert (judged["status"], judged["linking"]) == ("authenticated", "server")
    asked = {"proof": judged["proof"], "reference": "payment-1"}
    used = await shop.merchant.call("POST", "/proofs/verify", 200, asked)
    assert used == await shop.merchant.call("POST", "/proofs/verify", 200, asked)
    assert {name: used[name] for name in ("authenticationId", "amount", "currency", "merchantName", "transactionRef")} == {
        "authenticationId": begun["authenticationId"], "amount": "1500.00", "currency": "NGN", "merchantName": "Book Shop",
        "transactionRef": "order-1",
    }  # fmt: skip
    refused = await shop.merchant.call("POST", "/proofs/verify", 409, {**asked, "reference": "payment-2"})
    assert refused == {"code": "Conflict", "description": "This proof was used under another reference", "errors": None}
    await shop.other.call("POST", "/proofs/verify", 422, asked)


async def test_a_lost_answer_is_found_again_with_its_proof(shop):
    begun = await shop.merchant.begin()
    judged = await shop.merchant.verify(begun["authenticationId"], CODE)
    found = await shop.merchant.call("GET", f"/{begun['authenticationId']}", 200)
    assert found["status"] == "authenticated"
    assert found["proof"].rsplit(".", 1)[0] == judged["proof"].rsplit(".", 1)[0]
    await shop.merchant.verify(begun["authenticationId"], CODE, 409)


async def test_wrong_codes_are_rejected_and_then_locked_in_the_uniform_words(shop):
    for card in (CARD, STRAY_CARD):
        begun = await shop.merchant.begin(cardPan=card)
        answers = [await shop.merchant.verify(begun["authenticationId"], WRONG) for _ in range(6)]
        assert [(one["status"], one["attemptsLeft"]) for one in answers] == [
            ("rejected", 4), ("rejected", 3), ("rejected", 2), ("rejected", 1), ("locked", 0), ("locked", 0),
        ]  # fmt: skip
        assert {tuple(one) for one in answers} == {("authenticationId", "status", "attemptsLeft", "linking", "proof")}


async def test_an_issuer_that_does_not_answer_declines(shop):
    def lost(_):
        raise Lost

    begun = await shop.merchant.begin()
    shop.service.answers["authenticateotp"] = lost
    judged = await shop.merchant.verify(begun["authenticationId"], CODE)
    assert (judged["status"], judged["proof"]) == ("failed", None)
    shop.service.answers["validatecard"] = lost
    assert (await shop.merchant.begin())["status"] == "failed"


async def test_the_same_reference_begins_once_and_with_another_amount_is_409(shop):
    first = await shop.merchant.begin(transactionRef="order-1")
    assert await shop.merchant.begin(transactionRef="order-1") == first
    refused = await shop.merchant.begin(409, transactionRef="order-1", amount="1500.01")
    assert refused["code"] == "Conflict"


async def test_a_code_is_sent_again_three_times(shop):
    begun = await shop.merchant.begin(cardPan=STRAY_CARD)
    for _ in range(3):
        assert (await shop.merchant.call("POST", f"/{begun['authenticationId']}/otp", 200))["status"] == "pending"
    await shop.merchant.call("POST", f"/{begun['authenticationId']}/otp", 429)
    shop.service.answers["validatecard"] = lambda asked: said(asked, {"ResponseCode": "90000", "TokenType": "1"})
    device = await shop.merchant.begin()
    await shop.merchant.call("POST", f"/{device['authenticationId']}/otp", 409)


async def test_codes_are_for_the_issuer_and_proofs_for_the_merchant(shop):
    begun = await shop.merchant.begin()
    await shop.merchant.verify(begun["authenticationId"], CODE)
    address = f"/{begun['authenticationId']}"
    merchants, issuers = await shop.merchant.call("GET", address, 200), await shop.bank.call("GET", address, 200)
    assert "code" not in merchants
    assert "maskedPan" not in merchants
    assert "proof" not in issuers
    assert (issuers["code"], issuers["maskedPan"]) == ("90000", "506181*********2048")
    assert CARD not in str(merchants) + str(issuers)
    await shop.other.call("GET", address, 404)
    await shop.other.call("POST", f"{address}/verify", 404, {"otp": CODE})
    await shop.bank.call("POST", f"{address}/verify", 403, {"otp": CODE})


async def test_the_support_desk_lists_by_status_page_by_page(shop):
    ids = [(await shop.merchant.begin(cardPan=card))["authenticationId"] for card in (CARD, CARD, STRAY_CARD)]
    await shop.merchant.verify(ids[0], CODE)
    await shop.merchant.verify(ids[1], WRONG)
    for status, found in (("AUTHENTICATED", [ids[0]]), ("UNAUTHENTICATED", [ids[1]]), ("INITIATED", [ids[2]]), ("FAILED", [])):
        page = await shop.merchant.call("GET", f"?status={status}", 200)
        assert [one["authenticationId"] for one in page["data"]] == found
        assert all(one["listedAs"] == status for one in page["data"])
    first = await shop.merchant.call("GET", "?limit=2", 200)
    second = await shop.merchant.call("GET", f"?limit=2&after={first['next']}", 200)
    assert [one["authenticationId"] for one in first["data"] + second["data"]] == ids[::-1]
    assert second["next"] is None
    assert [one["authenticationId"] for one in (await shop.bank.call("GET", "", 200))["data"]] == [ids[1], ids[0]]
    assert (await shop.other.call("GET", "", 200))["data"] == []
    await shop.other.call("GET", f"?after={ids[0]}", 422)
    assert (await shop.merchant.call("GET", "?createdBefore=2020-01-01T00:00:00Z", 200))["data"] == []
    for bad in ("status=open", "limit=0", "limit=101", "createdAfter=yesterday", "createdAfter=2026-01-01T00:00:00", "after=x"):
        await shop.merchant.call("GET", f"?{bad}", 422)


@pytest.mark.parametrize(
    "change",
    [
        {"cardPan": "5061810000000152049"}, {"cardPan": "50618100"}, {"cardPan": CARD + " "}, {"cardPan": int(CARD)},
        {"amount": "0"}, {"amount": "-1"}, {"amount": "1.001"}, {"amount": "1e3"}, {"amount": True}, {"amount": None},
        {"currency": "ngn"}, {"currency": "XXX"}, {"merchantName": ""}, {"merchantName": "x" * 61}, {"merchantName": "a\u202eb"},
        {"merchantName": " \n "}, {"transactionRef": ""}, {"transactionRef": "a b"}, {"transactionRef": "x" * 65},
        {"channel": "web"}, {"unknown": 1}, {"otp": "1"},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_with_its_member_and_without_the_card(shop, change):
    refused = await shop.merchant.begin(422, **change)
    assert refused["code"] == "UnprocessableEntity"
    assert refused["errors"][0]["pointer"] == f"/{next(iter(change))}"
    assert "50618100" not in str(refused)
    assert shop.service.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"otp":1}', b'{"otp":""}', b'{"otp":"1","otp":"2"}', b'{"code":"1"}'])
async def test_a_code_comes_in_its_own_member_and_alone(shop, body):
    begun = await shop.merchant.begin()
    answer = await shop.merchant.http.post(f"{AUTHENTICATIONS}/{begun['authenticationId']}/verify", content=body)
    assert answer.status_code in {400, 422}
    assert shop.service.asked_for("authenticateotp") == []


async def test_without_a_token_or_with_another_scope_nothing_is_begun(shop):
    for headers, status, code in (
        ({"authorization": ""}, 401, "Unauthorized"), ({"authorization": f"Bearer {shop.bank.token}"}, 403, "Forbidden"),
    ):  # fmt: skip
        answer = await shop.merchant.http.post(AUTHENTICATIONS, json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def enrol(shop: Shop, *, approved: bool = True) -> None:
    """Let the issuer's cards be kept here, and enrol one."""
    await shop.house.issuers.change("operator:test", shop.issuer.id, {"hosting": "hosted"})
    enrolment = Enrolment(Secret(CARD), "2347908516601", {}, approved)
    await shop.house.cardholders.enrol(shop.issuer.id, "operator:test", enrolment)


async def codes(shop: Shop) -> list[str]:
    """Return the codes of the messages that wait to be sent, oldest first."""
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        rows = await tx.fetch("SELECT id, text_sealed FROM messages WHERE tenant_id = $1 ORDER BY created_at", shop.issuer.id)
        keys = await shop.house.vault.tenant(tx, shop.issuer.id)
    texts = [keys.unseal_text("messages", "text_sealed", row[0], row[1]) for row in rows]
    sent = [text for text in texts if not text.startswith("Too many wrong codes")]
    assert all("to pay NGN 1,500.00 to Book Shop." in text for text in sent)
    return [text.split(" ")[0] for text in sent]


async def test_an_enrolled_cardholder_confirms_by_the_code_that_names_amount_and_payee(shop):
    await enrol(shop)
    begun = await shop.merchant.begin()
    assert (begun["tokenType"], begun["maskedPhone"]) == (2, "***********01")
    [code] = await codes(shop)
    judged = await shop.merchant.verify(begun["authenticationId"], code)
    assert (judged["status"], judged["linking"]) == ("authenticated", "code")
    assert shop.service.asked == []


async def test_a_code_of_one_purchase_opens_no_other(shop):
    await enrol(shop)
    first, second = await shop.merchant.begin(), await shop.merchant.begin()
    mine, others = await codes(shop)
    assert (await shop.merchant.verify(first["authenticationId"], others))["status"] == "rejected"
    assert (await shop.merchant.verify(second["authenticationId"], others))["status"] == "authenticated"
    assert (await shop.merchant.verify(first["authenticationId"], mine))["status"] == "authenticated"


async def test_a_code_sent_again_to_an_enrolled_cardholder_replaces_the_first(shop):
    await enrol(shop)
    begun = await shop.merchant.begin()
    await shop.merchant.call("POST", f"/{begun['authenticationId']}/otp", 200)
    first, second = await codes(shop)
    assert (await shop.merchant.verify(begun["authenticationId"], first))["status"] == "rejected"
    assert (await shop.merchant.verify(begun["authenticationId"], second))["status"] == "authenticated"


async def test_a_new_purchase_gives_a_locked_card_no_new_tries_and_no_message(shop):
    await enrol(shop)
    begun = await shop.merchant.begin()
    [code] = await codes(shop)
    for _ in range(5):
        await shop.merchant.verify(begun["authenticationId"], "x")
    assert (await shop.merchant.verify(begun["authenticationId"], code))["status"] == "locked"
    again = await shop.merchant.begin()
    assert again["status"] == "pending"
    assert len(await codes(shop)) == 1
    assert (await shop.merchant.verify(again["authenticationId"], code))["status"] == "locked"


async def test_a_card_that_is_enrolled_and_not_activated_looks_like_any_other_and_gets_no_message(shop):
    await enrol(shop, approved=False)
    begun = await shop.merchant.begin()
    assert (begun["status"], begun["tokenType"]) == ("pending", 2)
    assert await codes(shop) == []
    await shop.merchant.verify(begun["authenticationId"], WRONG)
    assert (await shop.bank.call("GET", f"/{begun['authenticationId']}", 200))["code"] == "81003"


SEED = b"12345678901234567890"  # RFC 4226, appendix D


async def enrol_with_device(shop: Shop, *, active: bool = True, suite: str | None = None) -> OtpTokens:
    """Enrol a card whose holder has a device: one that counts, or one that signs what its suite says."""
    await enrol(shop)
    tokens = OtpTokens(shop.house.db, shop.house.vault, shop.house.cardholders)
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        holder = await shop.house.cardholders.find(tx, shop.issuer.id, Secret(CARD))
    assert holder is not None
    seed = Secret(SEED.hex())
    await tokens.import_one(shop.issuer.id, ACTOR, NewToken.of_suite("A1", seed, suite) if suite else NewToken("A1", seed))
    await tokens.assign(shop.issuer.id, ACTOR, "A1", holder.id)
    if active:
        await tokens.activate(shop.issuer.id, ACTOR, "A1")
    return tokens


async def test_a_cardholder_with_a_device_is_asked_for_its_code_and_gets_no_message(shop):
    await enrol_with_device(shop)
    begun = await shop.merchant.begin()
    assert (begun["tokenType"], begun["maskedPhone"], begun["prompt"]) == (1, None, "Enter the code that your device shows")
    assert (await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 20)))["status"] == "rejected"
    judged = await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 0))
    assert (judged["status"], judged["linking"]) == ("authenticated", "server")
    assert await codes(shop) == []
    assert shop.service.asked == []


async def test_a_devices_code_counts_for_one_purchase_only(shop):
    await enrol_with_device(shop)
    first, second = await shop.merchant.begin(), await shop.merchant.begin()
    assert (await shop.merchant.verify(first["authenticationId"], code_at(SEED, 1)))["status"] == "authenticated"
    assert (await shop.merchant.verify(second["authenticationId"], code_at(SEED, 1)))["status"] == "rejected"
    assert (await shop.merchant.verify(second["authenticationId"], code_at(SEED, 0)))["status"] == "rejected"
    assert (await shop.merchant.verify(second["authenticationId"], code_at(SEED, 2)))["status"] == "authenticated"


async def test_one_right_code_by_sixteen_at_once_authenticates_a_purchase_exactly_once(shop):
    await enrol_with_device(shop)
    for counter in range(5):
        begun = await shop.merchant.begin(cardPan=CARD)
        answers = [shop.merchant.verify_anyhow(begun["authenticationId"], code_at(SEED, counter)) for _ in range(16)]
        statuses = [(await one).status_code for one in asyncio.as_completed(answers)]
        assert set(statuses) <= {200, 409}
        told = await shop.bank.call("GET", f"/{begun['authenticationId']}", 200)
        assert told["status"] == "authenticated"
        async with shop.house.db.transaction(shop.issuer.id) as tx:
            noted = await tx.fetchval(
                "SELECT count(*) FROM audit_entries WHERE tenant_id = $1 AND tag = $2 AND subject = $3",
                shop.issuer.id, str(AuditTag.AUTHENTICATED), begun["authenticationId"],
            )  # fmt: skip
        assert noted == 1


async def test_a_device_is_locked_after_five_wrong_codes_and_its_right_code_then_refused(shop):
    await enrol_with_device(shop)
    begun = await shop.merchant.begin()
    statuses = [(await shop.merchant.verify(begun["authenticationId"], WRONG))["status"] for _ in range(5)]
    assert statuses == ["rejected"] * 4 + ["locked"]
    assert (await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 0)))["status"] == "locked"
    assert (await shop.bank.call("GET", f"/{begun['authenticationId']}", 200))["code"] == "81002"
    again = await shop.merchant.begin()
    await shop.merchant.verify(again["authenticationId"], code_at(SEED, 0))
    assert (await shop.bank.call("GET", f"/{again['authenticationId']}", 200))["code"] == "81002"


@pytest.mark.parametrize(("move", "code"), [("block", "81001"), (None, "81003")])
async def test_a_device_that_cannot_answer_looks_to_the_merchant_like_any_card(shop, move, code):
    tokens = await enrol_with_device(shop, active=move is not None)
    if move:
        await getattr(tokens, move)(shop.issuer.id, ACTOR, "A1")
    begun = await shop.merchant.begin()
    assert (begun["status"], begun["tokenType"]) == ("pending", 2)
    assert (await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 0)))["status"] == "rejected"
    assert (await shop.bank.call("GET", f"/{begun['authenticationId']}", 200))["code"] == code


async def test_a_device_that_is_blocked_while_its_code_is_typed_ends_the_purchase(shop):
    tokens = await enrol_with_device(shop)
    begun = await shop.merchant.begin()
    await tokens.block(shop.issuer.id, ACTOR, "A1")
    assert (await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 0)))["status"] == "locked"
    assert (await shop.bank.call("GET", f"/{begun['authenticationId']}", 200))["code"] == "81001"


@pytest.mark.parametrize(("ending", "code"), [("removed", "82001"), ("disapproved", "81003")])
@pytest.mark.parametrize("by_device", [True, False])
async def test_a_cardholder_who_is_removed_or_disapproved_while_the_code_is_typed_confirms_nothing(shop, by_device, ending, code):
    await (enrol_with_device(shop) if by_device else enrol(shop))
    begun = (await shop.merchant.begin())["authenticationId"]
    right = code_at(SEED, 0) if by_device else (await codes(shop))[0]
    cardholders, pan = shop.house.cardholders, Secret(CARD)
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        if ending == "removed":
            await cardholders.remove(tx, shop.issuer.id, ACTOR, pan)
        else:
            await cardholders.change(tx, shop.issuer.id, ACTOR, pan, {}, approved=False)
    assert (await shop.merchant.verify(begun, right))["status"] == "locked"
    assert (await shop.bank.call("GET", f"/{begun}", 200))["code"] == code


async def test_an_issuer_may_refuse_devices_whose_code_names_no_amount(shop):
    await enrol_with_device(shop)
    await shop.house.issuers.change("operator:test", shop.issuer.id, {"refuse_server_linking": True})
    assert (await shop.merchant.begin())["status"] == "failed"


async def test_a_code_has_the_digits_and_the_time_that_its_issuer_says(shop):
    await enrol(shop)
    await shop.house.issuers.change("operator:test", shop.issuer.id, {"otp_digits": 8, "otp_life_seconds": 120})
    begun = await shop.merchant.begin()
    assert 100 < (datetime.fromisoformat(begun["expiresAt"]) - datetime.now(UTC)).total_seconds() < 121
    [code] = await codes(shop)
    assert re.fullmatch(r"\d{8}", code)
    assert (await shop.merchant.verify(begun["authenticationId"], code))["status"] == "authenticated"


SUITES = [f"OCRA-1:HOTP-SHA256-8:{inputs}" for inputs in ("QN08", "C-QN10", "QA16-T10M")]


async def signed(shop: Shop, suite: str, begun: Any, counter: int = 0) -> str:
    """Return what a foreign library's device shows after a purchase's question was typed into it."""
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        now = await tx.fetchval("SELECT floor(extract(epoch FROM app_now()))::bigint")
    return str(oath.str2ocrasuite(suite)(SEED, C=counter, Q=begun["question"], T_precomputed=now // 600))


@pytest.mark.parametrize("suite", SUITES)
async def test_a_device_that_signs_is_asked_a_question_beside_amount_and_payee_and_its_code_names_both(shop, suite):
    await enrol_with_device(shop, suite=suite)
    await shop.house.issuers.change("operator:test", shop.issuer.id, {"refuse_server_linking": True})
    begun = await shop.merchant.begin()
    question = begun["question"]
    assert (len(question), question.isdigit(), begun["tokenType"], begun["maskedPhone"]) == (
        int(suite.split("Q")[1][1:3]),
        True,
        1,
        None,
    )
    assert begun["prompt"] == (
        f"To pay NGN 1,500.00 to Book Shop, type {question} into your device and enter the code that it shows"
    )
    judged = await shop.merchant.verify(begun["authenticationId"], await signed(shop, suite, begun))
    assert (judged["status"], judged["linking"]) == ("authenticated", "code")
    asked = {"proof": judged["proof"], "reference": "payment-1"}
    assert (await shop.merchant.call("POST", "/proofs/verify", 200, asked))["linking"] == "code"
    assert await codes(shop) == []


@pytest.mark.parametrize("suite", SUITES)
async def test_the_code_for_one_question_opens_no_other_purchase(shop, suite):
    await enrol_with_device(shop, suite=suite)
    first, second = await shop.merchant.begin(), await shop.merchant.begin()
    assert first["question"] != second["question"], "not even for the same amount and payee"
    code = await signed(shop, suite, first)
    assert (await shop.merchant.verify(second["authenticationId"], code))["status"] == "rejected"
    assert (await shop.merchant.verify(first["authenticationId"], code))["status"] == "authenticated"
    assert (await shop.merchant.verify(second["authenticationId"], code))["status"] == "rejected"
    assert (await shop.merchant.verify(second["authenticationId"], await signed(shop, suite, second, 1)))[
        "status"
    ] == "authenticated"


@pytest.mark.parametrize("change", ["amount_minor = 1", "payee = 'Another'", "currency = 'GBP'", "reference = 'another'"])
async def test_a_change_of_what_is_paid_makes_another_question_and_the_code_wrong(shop, change):
    await enrol_with_device(shop, suite=SUITES[0])
    begun = await shop.merchant.begin()
    purchase_id = begun["authenticationId"]
    async with shop.house.db.transaction(shop.issuer.id) as tx:
        await tx.execute(f"UPDATE purchases SET {change} WHERE issuer_id = $1 AND id = $2", shop.issuer.id, purchase_id)
    assert (await shop.merchant.verify(purchase_id, await signed(shop, SUITES[0], begun)))["status"] == "rejected"


async def test_the_same_reference_again_is_the_same_question(shop):
    await enrol_with_device(shop, suite=SUITES[0])
    begun = [await shop.merchant.begin(transactionRef="order-1") for _ in range(2)]
    assert begun[0]["question"] == begun[1]["question"]
    await shop.merchant.call("POST", f"/{begun[0]['authenticationId']}/otp", 409)


async def test_a_question_that_is_answered_by_sixteen_at_once_authenticates_its_purchase_once(shop):
    await enrol_with_device(shop, suite=SUITES[0])
    for _ in range(3):
        begun = await shop.merchant.begin()
        code = await signed(shop, SUITES[0], begun)
        answers = await asyncio.gather(*(shop.merchant.verify_anyhow(begun["authenticationId"], code) for _ in range(16)))
        assert {one.status_code for one in answers} <= {200, 409}
        async with shop.house.db.transaction(shop.issuer.id) as tx:
            noted = await tx.fetchval(
                "SELECT count(*) FROM audit_entries WHERE tenant_id = $1 AND tag = $2 AND subject = $3",
                shop.issuer.id, str(AuditTag.AUTHENTICATED), begun["authenticationId"],
            )  # fmt: skip
        assert noted == 1


async def test_a_question_is_answered_by_no_device_that_replaces_the_one_that_was_asked_and_signs_nothing(shop):
    tokens = await enrol_with_device(shop, suite=SUITES[0])
    begun = await shop.merchant.begin()
    await tokens.import_one(shop.issuer.id, ACTOR, NewToken("A2", Secret(SEED.hex())))
    await tokens.replace(shop.issuer.id, ACTOR, "A1", "A2")
    await tokens.activate(shop.issuer.id, ACTOR, "A2")
    assert (await shop.merchant.verify(begun["authenticationId"], code_at(SEED, 0)))["status"] == "rejected"
