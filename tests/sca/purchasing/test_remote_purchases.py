"""Purchases with cards of an issuer whose own service keeps the tokens."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import pytest

from strongroom.kit.errors import NotFound
from strongroom.sca.purchasing.errors import (
    NothingToSend,
    PurchaseOver,
    ReferenceReused,
    StillAsking,
    TooManyPurchases,
    TooManyResends,
)
from strongroom.sca.purchasing.model import CLAIM_SECONDS
from strongroom.sca.purchasing.purchases import Asked
from strongroom.sca.purchasing.states import Listing
from tests.issuing.foreign_issuer import CARD, CODE, Lost, Reply, said
from tests.sca.purchasing.house import OTHER_CARD, STRAY_CARD

WRONG = "000000"


def lost(_asked):
    raise Lost


BY_SMS = {"ResponseCode": "90000", "TokenType": "2"}


def says(code: str):
    return lambda asked: said(asked, {"ResponseCode": code})


async def test_a_purchase_is_opened_as_the_issuer_says_and_its_code_judged_there(house):
    purchase = await house.begin()
    assert (purchase.state, purchase.token_type, purchase.prompt) == ("pending", "2", "Enter your otp")
    assert (purchase.phone_shown, purchase.card_shown) == ("*********78", "506181*********2048")
    assert await house.verify(purchase, CODE) == ("authenticated", True, 4)
    assert (await house.purchases.get(house.gateway.merchant_id, purchase.id)).linking == "server"


async def test_a_wrong_code_is_rejected_and_the_right_one_then_accepted(house):
    purchase = await house.begin()
    assert await house.verify(purchase, WRONG) == ("rejected", False, 4)
    assert await house.verify(purchase, CODE) == ("authenticated", True, 3)
    assert await house.codes(purchase) == "90000"


async def test_after_five_wrong_codes_nothing_goes_to_the_issuer_any_more(house):
    purchase = await house.begin()
    outcomes = [await house.verify(purchase, f"00000{number}") for number in range(7)]
    assert [outcome[0] for outcome in outcomes] == ["rejected"] * 4 + ["locked"] * 3
    assert await house.verify(purchase, CODE) == ("locked", False, 0)
    assert len(house.issuer_service.asked_for("authenticateotp")) == 5


async def test_a_purchase_that_is_authenticated_judges_no_second_code(house):
    purchase = await house.begin()
    await house.verify(purchase, CODE)
    with pytest.raises(PurchaseOver):
        await house.verify(purchase, CODE)
    assert len(house.issuer_service.asked_for("authenticateotp")) == 1


async def test_a_code_that_was_accepted_is_never_forwarded_again_for_that_cardholder(house):
    first, second = await house.begin(), await house.begin()
    await house.verify(first, CODE)
    assert await house.verify(second, f" {CODE[:3]}-{CODE[3:]} ") == ("rejected", False, 4)
    assert len(house.issuer_service.asked_for("authenticateotp")) == 1


async def test_a_code_that_was_refused_may_be_the_right_one_later(house):
    house.issuer_service.answers["authenticateotp"] = says("80001")
    first, second = await house.begin(), await house.begin()
    await house.verify(first, CODE)
    del house.issuer_service.answers["authenticateotp"]
    assert (await house.verify(second, CODE))[1]


async def test_of_sixteen_simultaneous_right_codes_one_is_forwarded(house):
    purchases = [await house.begin() for _ in range(2)]
    tries = [house.verify(purchases[number % 2], CODE) for number in range(16)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    right = [one for one in outcomes if isinstance(one, tuple) and one[1]]
    assert len(right) == 1
    assert len(house.issuer_service.asked_for("authenticateotp")) == 1
    assert all(isinstance(one, tuple | PurchaseOver | StillAsking) for one in outcomes)


async def test_an_unknown_outcome_declines_with_10001_and_the_code_is_not_sent_again(house):
    house.issuer_service.answers["authenticateotp"] = lost
    purchase = await house.begin()
    assert (await house.verify(purchase, CODE))[:2] == ("failed", False)
    assert await house.codes(purchase) == "10001"
    del house.issuer_service.answers["authenticateotp"]
    assert (await house.verify(purchase, CODE))[:2] == ("failed", False)
    assert (await house.verify(await house.begin(), CODE))[:2] == ("rejected", False)
    assert len(house.issuer_service.asked_for("authenticateotp")) == 1


async def test_a_code_that_certainly_never_left_may_be_used_for_the_next_purchase(house):
    purchase, following = await house.begin(), await house.begin()
    house.issuer_service.answers["authenticateotp"] = lambda _: Reply(403)
    assert (await house.verify(purchase, CODE))[0] == "failed"
    del house.issuer_service.answers["authenticateotp"]
    assert (await house.verify(following, CODE))[1]


@pytest.mark.parametrize("code", ["10001", "99999"])
async def test_an_issuers_own_unknown_error_declines_and_the_code_stays_used(house, code):
    house.issuer_service.answers["authenticateotp"] = says(code)
    purchase = await house.begin()
    assert (await house.verify(purchase, CODE))[0] == "failed"
    assert await house.owner.fetchval("SELECT count(*) FROM forwarded_codes") == 1


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("81001", "locked"), ("81002", "locked"), ("80001", "rejected"), ("81003", "rejected"), ("82003", "rejected"),
        ("83002", "rejected"),
    ],
)  # fmt: skip
async def test_what_the_issuer_says_of_a_token_ends_in_the_uniform_words(house, code, state):
    house.issuer_service.answers["authenticateotp"] = says(code)
    purchase = await house.begin()
    assert (await house.verify(purchase, CODE))[0] == state
    assert await house.codes(purchase) == code


async def test_an_issuer_that_does_not_answer_about_a_card_declines_the_purchase(house):
    house.issuer_service.answers["validatecard"] = lost
    purchase = await house.begin()
    assert (purchase.state, purchase.code) == ("failed", "10001")
    assert (await house.verify(purchase, CODE))[:2] == ("failed", False)


async def test_a_card_that_the_issuer_refuses_begins_and_fails_like_any_other(house):
    house.issuer_service.answers["validatecard"] = says("81001")
    refused, stray = await house.begin(), await house.begin(STRAY_CARD)
    for purchase, code in ((refused, "81001"), (stray, "82001")):
        assert (purchase.state, purchase.token_type, purchase.prompt) == (
            "pending",
            "2",
            "Enter the code that was sent to your phone",
        )
        assert len(purchase.phone_shown) == 13
        outcomes = [await house.verify(purchase, CODE) for _ in range(5)]
        assert outcomes == [*[("rejected", False, left) for left in (4, 3, 2, 1)], ("locked", False, 0)]
        assert await house.codes(purchase) == code
    assert house.issuer_service.asked_for("authenticateotp") == []


async def test_a_card_of_nobody_shows_the_same_number_each_time(house):
    assert (await house.begin(STRAY_CARD)).phone_shown == (await house.begin(STRAY_CARD)).phone_shown


async def test_the_same_reference_begins_one_purchase_however_often_it_is_sent(house):
    new = house.new()
    begun = await asyncio.gather(*(house.purchases.begin(house.gateway, new) for _ in range(8)), return_exceptions=True)
    again = await house.purchases.begin(house.gateway, new)
    assert {one.id for one in begun if not isinstance(one, BaseException)} == {again.id}
    assert all(not isinstance(one, BaseException) or isinstance(one, StillAsking) for one in begun)
    assert len(house.issuer_service.asked_for("validatecard")) == 1


@pytest.mark.parametrize(
    "change", [{"amount_minor": 1}, {"currency": "GBP"}, {"payee": "Another"}, {"channel": "POS"}]
)  # fmt: skip
async def test_the_same_reference_for_another_purchase_is_refused(house, change):
    new = house.new()
    await house.purchases.begin(house.gateway, new)
    with pytest.raises(ReferenceReused):
        await house.purchases.begin(house.gateway, dataclasses.replace(new, **change))
    with pytest.raises(ReferenceReused):
        await house.purchases.begin(house.gateway, dataclasses.replace(new, pan=house.new(OTHER_CARD).pan))


async def test_two_clients_may_use_the_same_reference(house):
    new = house.new()
    mine, theirs = await house.purchases.begin(house.gateway, new), await house.purchases.begin(house.other, new)
    assert mine.id != theirs.id
    assert mine.card_reference != theirs.card_reference


async def test_one_card_begins_five_purchases_in_ten_minutes_whoever_asks(house):
    for number in range(5):
        await house.purchases.begin((house.gateway, house.other)[number % 2], house.new())
    with pytest.raises(TooManyPurchases):
        await house.begin()
    await house.begin(OTHER_CARD)
    await house.pass_time(1200)
    await house.begin()


async def test_a_client_begins_as_many_as_its_merchant_may(house):
    await house.merchants.change("operator:test", house.gateway.merchant_id, {"begins_per_minute": 2})
    for card in (CARD, OTHER_CARD):
        await house.begin(card)
    with pytest.raises(TooManyPurchases):
        await house.begin(STRAY_CARD)


async def test_the_hub_sends_the_message_where_the_issuer_leaves_it_to_the_hub(house):
    await house.settings(sms_by="hub")
    purchase = await house.begin()
    (text,) = await house.texts()
    code = text.split(" ")[0]
    assert text == f"{code} is your code to pay NGN 1,500.00 to Book Shop. Tell it to nobody, not even Bank of Lagos."
    assert (purchase.linking, purchase.judge) == ("code", "code")
    assert (await house.verify(purchase, code))[:2] == ("authenticated", True)
    assert house.issuer_service.asked_for("authenticateotp") == []


@pytest.mark.parametrize("given", ["+234 803 555 0178", "08035550178", "002348035550178", "234-803-555-0178"])
async def test_an_issuers_number_is_read_however_it_is_written(house, given):
    await house.settings(sms_by="hub")
    house.issuer_service.answers["validatecard"] = lambda asked: said(asked, {**BY_SMS, "PhoneNumber": given})
    assert (await house.begin()).phone_shown == "***********78"
    assert len(await house.texts()) == 1


@pytest.mark.parametrize(
    "given",
    ["080", "080****0178", "not known", "234", "+999 803 555 0178", "08035550178 ext 5", "0" * 30, "٠٨٠٣٥٥٥٠١٧٨", "+", "²³⁴"],
)
async def test_a_number_that_is_none_declines_the_purchase_at_once_and_nothing_is_sent(house, given):
    await house.settings(sms_by="hub")
    house.issuer_service.answers["validatecard"] = lambda asked: said(asked, {**BY_SMS, "PhoneNumber": given})
    purchase = await house.begin()
    assert (purchase.state, await house.codes(purchase)) == ("failed", "10001")
    assert await house.texts() == []
    assert await house.verify(purchase, CODE) == ("failed", False, 0)
    with pytest.raises(PurchaseOver):
        await house.purchases.send_again(house.gateway, purchase.id)


async def test_a_code_sent_again_takes_the_place_of_the_one_before_and_is_counted(house):
    await house.settings(sms_by="hub")
    purchase = await house.begin()
    for _ in range(3):
        await house.purchases.send_again(house.gateway, purchase.id)
    with pytest.raises(TooManyResends):
        await house.purchases.send_again(house.gateway, purchase.id)
    texts = await house.texts()
    assert len(texts) == 4
    first, last = texts[0].split(" ")[0], texts[-1].split(" ")[0]
    assert not (await house.verify(purchase, first))[1]
    assert (await house.verify(purchase, last))[1]


async def test_a_card_of_nobody_looks_the_same_when_its_code_is_sent_again(house):
    purchase = await house.begin(STRAY_CARD)
    assert [(await house.purchases.send_again(house.gateway, purchase.id)).resends for _ in range(3)] == [1, 2, 3]
    with pytest.raises(TooManyResends):
        await house.purchases.send_again(house.gateway, purchase.id)


async def test_a_devices_code_cannot_be_sent_again(house):
    house.issuer_service.answers["validatecard"] = lambda asked: said(asked, {"ResponseCode": "90000", "TokenType": "1"})
    purchase = await house.begin()
    assert (purchase.token_type, purchase.prompt) == ("1", "Enter the code that your device shows")
    with pytest.raises(NothingToSend):
        await house.purchases.send_again(house.gateway, purchase.id)


async def test_an_issuer_may_refuse_codes_that_do_not_name_the_amount(house):
    await house.settings(refuse_server_linking=True)
    assert (await house.begin()).state == "failed"
    await house.settings(sms_by="hub")
    assert (await house.begin()).state == "pending"


@pytest.mark.parametrize(("source", "sent"), [("pan", CARD), ("returned", "user-77")])
async def test_the_issuers_name_for_the_cardholder_is_what_its_policy_says(house, source, sent):
    await house.settings(user_id_source=source)
    house.issuer_service.answers["validatecard"] = lambda asked: said(
        asked, {"ResponseCode": "90000", "TokenType": "2", "UserId": "user-77"}
    )
    await house.verify(await house.begin(), CODE)
    members = house.issuer_service.asked_for("authenticateotp")[0].members
    assert (members["UserId"], members["Otp"]) == (sent, CODE)


async def test_a_purchase_expires_and_then_no_code_counts(house):
    purchase = await house.begin()
    await house.pass_time(539)
    assert (await house.purchases.get(house.gateway.merchant_id, purchase.id)).state == "pending"
    await house.pass_time(2)
    assert await house.verify(purchase, CODE) == ("expired", False, 0)
    assert house.issuer_service.asked_for("authenticateotp") == []


async def test_what_nobody_finished_is_ended_by_the_worker(house):
    pending = await house.begin()
    stuck = await house.begin(OTHER_CARD)
    await house.owner.execute("UPDATE purchases SET state = 'judging', claimed_at = app_now() WHERE id = $1", stuck.id)
    assert await house.worker_purchases.settle_overdue() == 0
    await house.pass_time(CLAIM_SECONDS + 1)
    assert await house.worker_purchases.settle_overdue() == 1
    await house.pass_time(600)
    assert await house.worker_purchases.settle_overdue() == 1
    states = {one.id: (one.state, one.code) for one in await house.purchases.list_purchases(house.issuer.id, Asked())}
    assert states == {pending.id: ("expired", None), stuck.id: ("failed", "10001")}
    sealed = await house.owner.fetchval(
        "SELECT count(*) FROM purchases WHERE user_id_sealed IS NOT NULL OR phone_sealed IS NOT NULL"
    )
    assert sealed == 0


async def test_a_merchant_sees_its_own_purchases_and_an_issuer_those_of_its_cards(house):
    mine = await house.begin()
    theirs = await house.purchases.begin(house.other, house.new(STRAY_CARD))
    for tenant, seen in (
        (house.gateway.merchant_id, [mine.id]), (house.other.merchant_id, [theirs.id]), (house.issuer.id, [mine.id]),
        ("hub", [theirs.id]), ("mer-nobody", []), ("iss-nobody", []),
    ):  # fmt: skip
        assert [one.id for one in await house.purchases.list_purchases(tenant, Asked())] == seen
    for act in (house.purchases.verify(house.other, mine.id, CODE), house.purchases.send_again(house.other, mine.id)):
        with pytest.raises(NotFound):
            await act
    with pytest.raises(NotFound):
        await house.purchases.get(house.other.merchant_id, mine.id)


async def test_the_list_is_told_in_four_words_page_by_page(house):
    purchases = [await house.begin(card) for card in (CARD, CARD, OTHER_CARD, STRAY_CARD)]
    await house.verify(purchases[0], CODE)
    await house.verify(purchases[1], WRONG)
    for _ in range(5):
        await house.verify(purchases[3], WRONG)
    found = {
        word: [one.id for one in await house.purchases.list_purchases(house.gateway.merchant_id, Asked(status=word))]
        for word in Listing
    }
    assert {word: len(ids) for word, ids in found.items()} == {
        Listing.AUTHENTICATED: 1, Listing.UNAUTHENTICATED: 1, Listing.FAILED: 1, Listing.INITIATED: 1,
    }  # fmt: skip
    first = await house.purchases.list_purchases(house.gateway.merchant_id, Asked(limit=2))
    second = await house.purchases.list_purchases(house.gateway.merchant_id, Asked(limit=2, after=first[1].id))
    assert [one.id for one in [*first[:2], *second]] == [one.id for one in reversed(purchases)]


async def test_every_outcome_is_in_the_issuers_audit_and_nothing_personal_with_it(house):
    purchase = await house.begin()
    await house.verify(purchase, WRONG)
    await house.verify(purchase, CODE)
    rows = await house.owner.fetch("SELECT tag, tenant_id, actor, detail::text FROM audit_entries WHERE subject = $1", purchase.id)
    assert Counter(row["tag"] for row in rows) == Counter(
        ["sca:purchase:begun", "sca:purchase:rejected", "sca:purchase:authenticated"]
    )
    assert {row["tenant_id"] for row in rows} == {house.issuer.id}
    assert not any(CARD in row["detail"] or CODE in row["detail"] for row in rows)
