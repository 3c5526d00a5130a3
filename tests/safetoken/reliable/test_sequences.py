"""Messages in sequences, in every dialect: each takes effect once and in order, and its answer stays the same."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from strongroom.access.model import SCOPES_OF, TenantKind
from strongroom.kit.db import Database as KitDatabase
from strongroom.safetoken.store import sequences as store
from strongroom.wiring import WORKER_ROLE
from tests.conftest import Database
from tests.safetoken.conftest import ACTOR, FORM, Bank, basic
from tests.safetoken.reliable.by_hand import ADDRESS, MIXED, NEW, OLD, SERVICES, Source, Told, effects
from tests.safetoken.signed.by_hand import enrolment
from tests.safetoken.test_enrolment import PATH, new_pan


async def test_a_sequence_is_created_and_what_is_answered_names_its_life_and_place(source: Source):
    told = await source.create(expires="PT1H")
    assert told.status == 200
    assert told.action == f"{source.dialect.rm}/CreateSequenceResponse"
    response = "s:Body/r:CreateSequenceResponse"
    assert (told.one(f"{response}/r:Identifier") or "").startswith("urn:uuid:")
    assert told.one(f"{response}/r:Expires") in ("PT3600S", "PT3599S")
    assert told.one(f"{response}/r:Accept/r:AcksTo/a:Address") == ADDRESS
    assert told.one(f"{response}/r:IncompleteSequenceBehavior") == (None if source.dialect.is_old else "NoDiscard")


async def test_an_endless_life_is_a_day_and_a_sequence_may_do_without_an_offer(source: Source, shared_database: Database):
    told = await source.create(offers=False, expires="PT0S")
    assert told.one("s:Body/r:CreateSequenceResponse/r:Expires") == "PT86400S"
    assert told.one("s:Body/r:CreateSequenceResponse/r:Accept") is None
    told = await source.say(1)
    assert (told.code, told.held, told.place) == ("90000", (source.id, 1), (None, None))
    assert await effects(shared_database, source.bank) == [1]


async def test_messages_take_effect_in_order_and_answers_are_numbered_and_acknowledge(source: Source, shared_database: Database):
    await source.create()
    for number in (1, 2, 3):
        told = await source.say(number, blocks=source.has((1, number - 1)) if number > 1 else source.asks())
        assert (told.status, told.code, told.action) == (200, "90000", f"{SERVICES}AddCardHolderResponse")
        assert (told.held, told.place) == ((source.id, number), (source.answers_id, str(number)))
    assert await effects(shared_database, source.bank) == [1, 2, 3]


async def test_the_same_message_again_gets_the_same_answer_to_the_byte_and_has_no_effect(source: Source, shared_database: Database):
    await source.create()
    action = f"{SERVICES}AddCardHolder"
    text = source.write(action, source.numbered(1), source.work(1))
    first = await source.post_text(text, action)
    await source.say(2)
    for _ in range(2):
        again = await source.post_text(text, action)
        assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await effects(shared_database, source.bank) == [1, 2]


async def test_a_message_sent_anew_with_another_id_is_answered_as_itself(source: Source):
    await source.create()
    work = source.work(1)
    first, again = await source.say(1, work, message_id="urn:first"), await source.say(1, work, message_id="urn:again")
    assert (first.one("s:Header/a:RelatesTo"), again.one("s:Header/a:RelatesTo")) == ("urn:first", "urn:again")
    assert first.text.replace("urn:first", "urn:again") == again.text


async def test_a_message_after_a_gap_waits_for_the_one_before_it(source: Source, shared_database: Database):
    await source.create()
    third = source.work(3)
    await source.say(1)
    early = await source.say(3, third)
    assert (early.status, early.code, early.held, early.place) == (200, None, (source.id, 1), (None, None))
    assert early.action == f"{source.dialect.rm}/SequenceAcknowledgement"
    assert await effects(shared_database, source.bank) == [1]
    assert (await source.say(2)).held == (source.id, 2)
    assert (await source.say(3, third)).held == (source.id, 3)
    assert await effects(shared_database, source.bank) == [1, 2, 3]


async def test_a_sequence_without_a_message_says_that_it_has_none(source: Source):
    await source.create()
    told = await source.ask()
    assert (told.status, told.held) == (200, (source.id, 0))
    acknowledgement = "s:Header/r:SequenceAcknowledgement"
    nothing = told.one(f"{acknowledgement}/r:Nack") == "1" if source.dialect.is_old else told.one(f"{acknowledgement}/r:None") == ""
    assert nothing
    assert (await source.say(2)).held == (source.id, 0)  # the first is lacking
    await source.say(1)
    assert (await source.ask()).held == (source.id, 1)


async def test_an_acknowledgement_alone_is_accepted_without_an_answer(source: Source):
    await source.create()
    await source.say(1)
    told = await source.post(f"{source.dialect.rm}/SequenceAcknowledgement", source.has((1, 1)))
    assert (told.status, told.text) == (202, "")


async def test_an_acknowledgement_may_come_along_with_a_message_of_no_sequence(source: Source, shared_database: Database):
    await source.create()
    await source.say(1)
    told = await source.post(f"{SERVICES}AddCardHolder", source.has((1, 1)), source.work(5))
    assert (told.code, told.held) == ("90000", (None, 0))
    assert await effects(shared_database, source.bank) == [1, 5]


async def test_what_the_contract_refuses_is_an_answer_of_the_sequence_and_stays_it(source: Source):
    await source.create()
    work = source.work(1, CardPan="50618310000000152048")
    for _ in range(2):
        told = await source.say(1, work)
        assert (told.code, told.held) == ("10002", (source.id, 1))
    foreign = await source.say(2, source.work(2, BankId="99999"))
    assert (foreign.code, foreign.held) == ("10002", (source.id, 2))
    assert (await source.say(3)).held == (source.id, 3)


async def test_a_message_that_is_a_fault_has_arrived_and_the_next_one_follows(source: Source, shared_database: Database):
    await source.create()
    unknown = f'<Nonsense xmlns="{SERVICES}"/>'
    faults = [await source.say(1, unknown) for _ in range(2)]
    for told in faults:
        assert (told.reason, told.held, told.place) == ("The operation is not known", (source.id, 1), (source.answers_id, "1"))
    assert (await source.say(2)).code == "90000"
    assert await effects(shared_database, source.bank) == [2]


async def test_every_operation_works_in_a_sequence_and_sees_what_was_done_before_it(source: Source):
    await source.create()
    pan, bank_id = new_pan(source.bank), str(source.bank.issuer.bank_id)
    name = {"BankId": bank_id, "CardPan": pan}
    steps = [
        ("AddCardHolder", source.work(0, CardPan=pan, IsFailure="false"), "90000"),
        ("UpdateCardHolder", enrolment({**name, "City": "abj"}, "UpdateCardHolder"), "90000"),
        ("GetCardHolder", enrolment(name, "GetCardHolder"), "90000"),
        ("RemoveCardHolder", enrolment(name, "RemoveCardHolder"), "90000"),
        ("GetCardHolder", enrolment(name, "GetCardHolder"), "82001"),
    ]
    for number, (operation, body, code) in enumerate(steps, 1):
        told = await source.post(f"{SERVICES}{operation}", source.numbered(number), body)
        assert (told.code, told.held) == (code, (source.id, number)), operation


async def test_a_closed_sequence_takes_no_new_message_and_repeats_old_answers(source: Source, shared_database: Database):
    await source.create()
    works = {number: source.work(number) for number in (1, 2, 4)}
    first = [await source.say(number, works[number]) for number in (1, 2)]
    ended = await source.end(3)
    if source.dialect.is_old:
        assert (ended.status, ended.text) == (202, "")
    else:
        assert (ended.status, ended.held, ended.is_final) == (200, (source.id, 2), True)
        assert ended.one("s:Body/r:CloseSequenceResponse/r:Identifier") == source.id
    assert (await source.say(4, works[4])).fault == ("LastMessageNumberExceeded" if source.dialect.is_old else "SequenceClosed")
    assert [(await source.say(number, works[number])).code for number in (1, 2)] == [told.code for told in first]
    assert (await source.ask()).is_final is not source.dialect.is_old
    assert await effects(shared_database, source.bank) == [1, 2]


async def test_a_terminated_sequence_is_terminated_again_and_nothing_else(source: Source, shared_database: Database):
    await source.create()
    await source.say(1)
    for _ in range(2):
        told = await source.terminate()
        if source.dialect.is_old:
            assert (told.status, told.text) == (202, "")
        else:
            assert (told.status, told.held, told.is_final) == (200, (source.id, 1), True)
            assert told.one("s:Body/r:TerminateSequenceResponse/r:Identifier") == source.id
    for told in (await source.say(1), await source.say(2), await source.ask()):
        assert told.fault == "SequenceTerminated"
    assert await effects(shared_database, source.bank) == [1]


@pytest.mark.parametrize("source", [OLD, MIXED], indirect=True, ids=lambda dialect: dialect.name)
async def test_the_last_message_of_1_0_may_be_an_operation_or_ask_for_an_acknowledgement(source: Source, shared_database: Database):
    await source.create()
    told = await source.say(1, last=True)
    assert (told.code, told.held, told.place) == ("90000", (source.id, 1), (source.answers_id, "1"))
    assert told.one("s:Header/r:Sequence/r:LastMessage") == ""
    await source.create()
    await source.say(1)
    action = f"{source.dialect.rm}/LastMessage"
    for _ in range(2):
        told = await source.post(action, source.numbered(2, last=True) + source.asks())
        assert (told.status, told.held) == (200, (source.id, 2))
    assert await effects(shared_database, source.bank) == [1, 1]


async def test_a_lost_answer_to_the_creation_opens_no_second_sequence(source: Source):
    first = await source.create(message_id="urn:once", answers_id="urn:answers")
    again = await source.create(message_id="urn:once", answers_id="urn:answers")
    path = "s:Body/r:CreateSequenceResponse/r:Identifier"
    assert first.one(path) == again.one(path)
    other = await source.create()
    assert other.one(path) != first.one(path)


async def another_client(source: Source) -> Source:
    """Return another client of the same issuer, which knows the sequence's identifiers."""
    bank = source.bank
    made = await bank.house.clients.create(ACTOR, bank.issuer.id, "other", SCOPES_OF[TenantKind.ISSUER])
    assert made.secret is not None
    headers = basic(made.client_id, made.secret.reveal()) | FORM
    answer = await bank.http.post("/passport/oauth/token", content="grant_type=client_credentials", headers=headers)
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    return Source(bank, source.dialect, bearer, bank.http, id=source.id, answers_id=source.answers_id)


async def test_a_sequence_is_its_clients_own(source: Source, shared_database: Database):
    await source.create()
    work = source.work(1)
    await source.say(1, work)
    other = await another_client(source)
    tries = [other.say(1, work), other.say(2), other.ask(), other.terminate(), other.end(2)]
    for told in await asyncio.gather(*tries):
        assert told.fault == "UnknownSequence"
    assert (await source.say(2)).held == (source.id, 2)
    assert await effects(shared_database, source.bank) == [1, 2]


async def test_another_issuers_client_never_meets_the_sequence(source: Source, bank: Bank, printed_bank: Bank):
    await source.create()
    stranger = Source(printed_bank, source.dialect, await printed_bank.bearer(), printed_bank.http, id=source.id)
    assert (await stranger.say(1)).fault == "UnknownSequence"


# What an issuer may ask for, and what the second address always does.


def plain(source: Source) -> Any:
    return source.post(f"{SERVICES}AddCardHolder", "", source.work(9))


async def test_where_sequences_are_required_nothing_else_is_answered(source: Source, shared_database: Database):
    issuer = source.bank.issuer.id
    await source.bank.house.issuers.change(ACTOR, issuer, {"caller_reliability": "required"})
    told = await plain(source)
    assert _subcode(told) == "WSRMRequired"
    headers = {**source.headers, "content-type": "application/json"}
    refused = await source.http.post(PATH, content=b"{}", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "Forbidden")
    await source.create()
    assert (await source.say(1)).code == "90000"
    assert await effects(shared_database, source.bank) == [1]


async def test_the_second_address_is_for_sequences_only(source: Source, shared_database: Database):
    source.path = f"{PATH}/reliable"
    assert _subcode(await plain(source)) == "WSRMRequired"
    await source.create()
    assert (await source.say(1)).code == "90000"
    assert await effects(shared_database, source.bank) == [1]


def _subcode(told: Told) -> str:
    """Return the code of a fault that belongs to no sequence: 1.1 alone knows it, and it is told without a header."""
    code = told.one("s:Body/s:Fault/faultcode") or told.one("s:Body/s:Fault/s:Code/s:Subcode/s:Value") or ""
    assert "SequenceFault" not in told.text
    return code.partition(":")[2]


# Time.


async def test_a_sequence_ends_with_its_time_and_is_forgotten_after_a_while(bank: Bank, shared_database: Database):
    source = Source(bank, NEW, await bank.bearer(), bank.http)
    await source.create()
    await source.say(1)
    owner = await asyncpg.connect(shared_database.dsn)
    worker = await KitDatabase.connect(shared_database.worker_dsn, role=WORKER_ROLE)

    async def forget() -> int:
        async with worker.transaction() as tx:
            return await store.forget_old(tx)

    async def move_end(to: str) -> None:
        await owner.execute("UPDATE message_sequences SET expires_at = app_now() + $2::text::interval WHERE id = $1", source.id, to)

    await move_end("-1 second")
    for told in (await source.say(2), await source.ask(), await source.close()):
        assert told.fault == "SequenceTerminated"
    while await forget():
        pass
    assert (await source.ask()).fault == "SequenceTerminated"
    await move_end("-11 minutes")
    assert await forget() == 1
    assert (await source.ask()).fault == "UnknownSequence"
    assert await owner.fetchval("SELECT count(*) FROM sequence_messages WHERE sequence_id = $1", source.id) == 0
    await source.create()
    await source.terminate()
    await owner.execute("UPDATE message_sequences SET changed_at = changed_at - interval '11 minutes' WHERE id = $1", source.id)
    assert await forget() == 1
    await worker.close()
    await owner.close()
