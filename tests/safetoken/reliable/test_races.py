"""One message by many at once, processes and commits that die half-way: still once, in order, with one answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from strongroom.kit import audit
from strongroom.kit.db import CommitUnknown, Tx
from strongroom.kit.db import Database as KitDatabase
from strongroom.kit.errors import Conflict, Unavailable
from strongroom.safetoken.sequences import Answered, Apart, Early, Kept, Key, Sequences, Together, Unusable
from strongroom.safetoken.states import SequenceState
from strongroom.sca.cardholding.model import CardholderTag
from tests.conftest import Database
from tests.kit.cutting_proxy import CuttingProxy, cutting_proxy
from tests.safetoken.conftest import ACTOR, Bank
from tests.safetoken.reliable.by_hand import NEW, SERVICES, Source, Told, effects

CLIENTS = 16


@pytest.fixture
async def new_source(bank: Bank) -> Source:
    source = Source(bank, NEW, await bank.bearer(), bank.http)
    await source.create()
    return source


async def test_one_message_by_sixteen_clients_at_once_takes_effect_once_and_all_get_one_answer(
    new_source: Source, shared_database: Database
):
    action = f"{SERVICES}AddCardHolder"
    for number in range(1, 11):
        text = new_source.write(action, new_source.numbered(number), new_source.work(number))
        answers = await asyncio.gather(*[new_source.post_text(text, action) for _ in range(CLIENTS)])
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
    assert await effects(shared_database, new_source.bank) == list(range(1, 11))


async def test_of_sixteen_different_messages_with_one_number_one_takes_effect(new_source: Source, shared_database: Database):
    told = await asyncio.gather(*[new_source.say(1, new_source.work(mark)) for mark in range(CLIENTS)])
    won = [mark for mark, one in enumerate(told) if one.code == "90000"]
    assert len(won) == 1
    assert {one.reason for one in told if one.code is None} == {
        "Another message came with this number of the sequence, and took effect"
    }
    assert await effects(shared_database, new_source.bank) == won


async def test_messages_that_come_all_at_once_take_effect_in_order_however_often_they_are_sent(
    new_source: Source, shared_database: Database
):
    works = {number: new_source.work(number) for number in range(1, CLIENTS + 1)}
    answers: dict[int, set[str]] = {number: set() for number in works}
    while not all(answers.values()):
        waiting = [number for number in works if not answers[number]] * 2
        for number, told in zip(waiting, await asyncio.gather(*[_say(new_source, n, works[n]) for n in waiting]), strict=True):
            if told.code is not None:
                answers[number].add(told.text)
    assert {len(texts) for texts in answers.values()} == {1}
    assert await effects(shared_database, new_source.bank) == list(works)


async def _say(source: Source, number: int, work: str) -> Told:
    return await source.say(number, work, message_id=f"urn:message-{number}")


async def test_of_sixteen_identical_creations_at_once_one_sequence_comes(new_source: Source):
    told = await asyncio.gather(*[new_source.create(message_id="urn:once", answers_id="urn:answers") for _ in range(CLIENTS)])
    assert len({one.one("s:Body/r:CreateSequenceResponse/r:Identifier") for one in told}) == 1


async def test_a_message_and_the_end_of_its_sequence_at_once_agree(bank: Bank, shared_database: Database):
    """Either the message took effect and the final acknowledgement has it, or neither."""
    bearer = await bank.bearer()
    taken = 0
    for _ in range(8):
        source = Source(bank, NEW, bearer, bank.http)
        await source.create()
        told, ended = await asyncio.gather(source.say(1), source.close())
        assert (ended.held[1], ended.is_final) == (0 if told.code is None else 1, True)
        assert told.code == "90000" or told.fault == "SequenceClosed"
        taken += told.code is not None
    assert len(await effects(shared_database, bank)) == taken


# Below the messages: commits that are cut, and operations that commit by themselves.


@pytest.fixture
async def key(bank: Bank) -> Key:
    sequence = await Sequences(bank.house.db, bank.house.vault).open(
        bank.issuer.id, bank.client_id, "1.1", request=("urn:1", ""), answers_id=None, life_seconds=600
    )
    assert sequence is not None
    return Key(bank.issuer.id, bank.client_id, sequence.id, "1.1")


def marking(bank: Bank, mark: int) -> Together:
    """Return work that leaves a mark each time it takes effect."""

    async def effect(tx: Tx) -> Kept:
        await audit.record(tx, bank.issuer.id, ACTOR, CardholderTag.NOT_ENROLLED, bank.issuer.id, {"reason": str(mark)})
        return Kept(f"<did>{mark}</did>", "did")

    return Together(effect)


@pytest.fixture
async def cut(
    shared_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[CuttingProxy, KitDatabase]]:
    """Yield a database whose connections a test can cut."""
    folder = Path(tmp_path_factory.mktemp("cut"))
    async with cutting_proxy(shared_database.app_dsn, folder) as (proxy, dsn):
        database = await KitDatabase.connect(dsn)
        yield proxy, database
        await database.close()


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_commit_whose_answer_is_lost_is_no_answer_and_the_message_sent_again_gets_one(
    bank: Bank, key: Key, cut: tuple[CuttingProxy, KitDatabase], shared_database: Database, *, delivered: bool
):
    proxy, database = cut
    sequences = Sequences(database, bank.house.vault)
    proxy.cut_at, proxy.deliver = b"COMMIT", delivered
    with pytest.raises(CommitUnknown):
        await sequences.deliver(key, 1, ("first",), marking(bank, 1))
    proxy.cut_at = None
    again = await sequences.deliver(key, 1, ("first",), marking(bank, 1))
    assert isinstance(again, Answered)
    assert again.answer == Kept("<did>1</did>", "did")
    assert await effects(shared_database, bank) == [1]


@pytest.mark.parametrize("refusal", [Conflict(), Unavailable()])
async def test_work_that_raises_leaves_nothing_not_even_its_number(
    bank: Bank, key: Key, shared_database: Database, refusal: Exception
):
    sequences = Sequences(bank.house.db, bank.house.vault)

    async def fail(tx: Tx) -> Kept:
        await marking(bank, 1).effect(tx)
        raise refusal

    with pytest.raises(type(refusal)):
        await sequences.deliver(key, 1, ("first",), Together(fail))
    assert await effects(shared_database, bank) == []
    assert isinstance(await sequences.deliver(key, 2, ("second",), marking(bank, 2)), Early)
    assert isinstance(await sequences.deliver(key, 1, ("first",), marking(bank, 1)), Answered)


async def test_an_operation_that_commits_by_itself_is_performed_once_and_waited_for_by_the_others(bank: Bank, key: Key):
    sequences = Sequences(bank.house.db, bank.house.vault)
    began, may_end, times = asyncio.Event(), asyncio.Event(), 0

    async def perform() -> Kept:
        nonlocal times
        times += 1
        began.set()
        await may_end.wait()
        return Kept("<verdict/>", "judged")

    first = asyncio.ensure_future(sequences.deliver(key, 1, ("code",), Apart(perform)))
    await began.wait()
    others = [asyncio.ensure_future(sequences.deliver(key, 1, ("code",), Apart(perform))) for _ in range(CLIENTS)]
    other_message = await sequences.deliver(key, 1, ("another code",), Apart(perform))
    assert other_message is Unusable.OTHER_MESSAGE
    may_end.set()
    outcomes = await asyncio.gather(first, *others)
    assert {outcome.answer.body for outcome in outcomes if isinstance(outcome, Answered)} == {"<verdict/>"}
    assert (len(outcomes), times) == (CLIENTS + 1, 1)


async def test_an_operation_whose_process_died_is_never_performed_again_and_nobody_says_how_it_went(bank: Bank, key: Key):
    sequences = Sequences(bank.house.db, bank.house.vault)

    async def die() -> Kept:
        raise KeyboardInterrupt

    async def never() -> Kept:
        raise AssertionError("performed again")

    with pytest.raises(KeyboardInterrupt):
        await sequences.deliver(key, 1, ("code",), Apart(die))
    assert await sequences.deliver(key, 1, ("code",), Apart(never)) is Unusable.UNCERTAIN
    closed = await sequences.close(key)
    assert closed is not None
    assert (closed.state, closed.last_number) == (SequenceState.CLOSED, 1)


async def test_answers_are_kept_sealed(new_source: Source, shared_database: Database):
    told = await new_source.say(1, new_source.work(1, CardPan="50618310000000152048"))
    assert "506183******2048" in told.text
    owner = await asyncpg.connect(shared_database.dsn)
    rows = await owner.fetch("SELECT sequence_messages::text FROM sequence_messages WHERE sequence_id = $1", new_source.id)
    await owner.close()
    [text] = [row[0] for row in rows]
    [kept] = re.findall(r"x([0-9a-f]{100,})", text.rpartition(",")[0])[-1:]
    assert b"506183" not in bytes.fromhex(kept)
    assert b"ResponseCode" not in bytes.fromhex(kept)
