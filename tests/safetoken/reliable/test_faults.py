"""Every fault of WS-ReliableMessaging, provoked in every dialect; none has an effect, and the sequence goes on where it may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from strongroom.safetoken.sequences import MAX_MESSAGES, MAX_OPEN
from tests.conftest import Database
from tests.safetoken.conftest import Bank
from tests.safetoken.reliable.by_hand import LARGEST, NEW, OLD, RM_10, RM_11, SERVICES, SOAP_12, WSA_2005, Source, Told, effects

NOBODYS = "urn:uuid:00000000-0000-4000-8000-000000000000"


async def close(source: Source) -> None:
    await source.end(2)


async def terminate(source: Source) -> None:
    await source.terminate()


async def nothing(source: Source) -> None:
    pass


Step = Callable[[Source], Awaitable[None]]
Provoke = Callable[[Source], Awaitable[Told]]

TABLE: list[tuple[str, Step, Provoke]] = [
    ("UnknownSequence", nothing, lambda source: source.say(2, identifier=NOBODYS)),
    ("UnknownSequence", nothing, lambda source: source.ask(NOBODYS)),
    ("UnknownSequence", nothing, lambda source: source.terminate(NOBODYS)),
    ("UnknownSequence", nothing, lambda source: source.say(2, blocks=source.asks(NOBODYS), identifier=NOBODYS)),
    ("UnknownSequence", nothing, lambda source: source.say(LARGEST, "", identifier=NOBODYS)),
    ("SequenceTerminated", terminate, lambda source: source.say(2)),
    ("SequenceTerminated", terminate, lambda source: source.say(1)),
    ("SequenceTerminated", terminate, lambda source: source.ask()),
    ("SequenceClosed", close, lambda source: source.say(3)),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has((1, 2)))),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has((0, 1)))),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has((1, 0)))),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has((1, 1), (1, 1)))),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has(lacks="2"))),
    ("InvalidAcknowledgement", nothing, lambda source: source.say(2, blocks=source.has((1, 1), lacks="1"))),
    ("InvalidAcknowledgement", nothing, lambda source: source.post(f"{source.dialect.rm}/X", source.has((1, LARGEST)))),
    ("MessageNumberRollover", nothing, lambda source: source.say(MAX_MESSAGES + 1)),
    ("MessageNumberRollover", nothing, lambda source: source.say(LARGEST)),
    ("MessageNumberRollover", nothing, lambda source: source.say(LARGEST + 1)),
    ("CreateSequenceRefused", nothing, lambda source: source.create(acks_to="http://bank.example.com/acks")),
    ("CreateSequenceRefused", nothing, lambda source: source.create(acks_to=f"{source.dialect.wsa}/none")),
    ("CreateSequenceRefused", nothing, lambda source: source.create(answers_id=source.answers_id)),
]


@pytest.mark.parametrize(("name", "before", "provoke"), TABLE)
async def test_a_fault_of_the_table_is_answered_where_its_versions_put_it(
    source: Source, shared_database: Database, name: str, before: Step, provoke: Provoke
):
    await source.create()
    first = source.work(1)
    await source.say(1, first)
    await before(source)
    told = await provoke(source)
    expected = "LastMessageNumberExceeded" if name == "SequenceClosed" and source.dialect.is_old else name
    assert (told.fault, told.action) == (expected, source.dialect.fault_action)
    assert told.status == (400 if source.dialect.soap == SOAP_12 else 500)
    if name == "CreateSequenceRefused":
        assert "SequenceFault" not in told.text
    elif source.dialect.soap != SOAP_12:
        assert told.one("s:Body/s:Fault/faultcode") == "s:Client"
        assert told.one("s:Body/s:Fault/detail") is None
    assert await effects(shared_database, source.bank) == [1]
    if before is nothing:
        assert (await source.say(2)).held == (source.id, 2)


async def test_a_fault_says_which_sequence_or_acknowledgement_it_is_about(source: Source):
    await source.create()
    await source.say(1)
    assert (await source.ask(NOBODYS)).detail == f"Identifier={NOBODYS}"
    largest = "" if source.dialect.is_old else f" MaxMessageNumber={MAX_MESSAGES}"
    assert (await source.say(LARGEST)).detail == f"Identifier={source.id}{largest}"
    told = await source.say(2, blocks=source.has((1, 7)))
    assert told.detail == f"SequenceAcknowledgement={source.answers_id}"


async def test_the_offers_endpoint_must_be_the_connection_too(bank: Bank):
    source = Source(bank, NEW, await bank.bearer(), bank.http)
    assert (await source.create(endpoint="http://bank.example.com/answers")).fault == "CreateSequenceRefused"


async def test_a_number_that_another_message_had_is_a_fault_and_keeps_its_answer(source: Source, shared_database: Database):
    await source.create()
    first = source.work(1)
    told = await source.say(1, first)
    other = await source.say(1, source.work(7))
    assert (other.status, other.code) == (400 if source.dialect.soap == SOAP_12 else 500, None)
    assert other.reason == "Another message came with this number of the sequence, and took effect"
    assert (await source.say(1, first)).code == told.code
    assert await effects(shared_database, source.bank) == [1]


async def test_a_sequence_is_of_one_version(source: Source):
    """What was created in one version does not exist in the other."""
    await source.create()
    other = next(dialect for dialect in (NEW, OLD) if dialect.rm != source.dialect.rm)
    stranger = Source(source.bank, other, source.headers, source.http, id=source.id)
    assert (await stranger.say(1)).fault == "UnknownSequence"


# What cannot be read, or lacks its addressing: a plain fault, and nothing happens.


UNREADABLE: list[tuple[str, Provoke]] = [
    ("Message numbers begin at 1", lambda source: source.say(0)),
    ("A message number is a whole number", lambda source: source.say("one", "")),
    ("A message number is a whole number", lambda source: source.say("-1", "")),
    ("The header Sequence may be there once", lambda source: source.say(1, blocks=source.numbered(1))),
    ("A sequence's Identifier has 1 to 512 characters", lambda source: source.say(1, identifier="x" * 513)),
    (
        "Sequence must hold one Identifier",
        lambda source: source.post("x", "<r:Sequence><r:MessageNumber>1</r:MessageNumber></r:Sequence>", source.work(1)),
    ),
    ("A message may have 8 headers AckRequested", lambda source: source.post("x", source.asks() * 9)),
    (
        "Expires must be a duration of days, hours, minutes and seconds, such as PT1H",
        lambda source: source.create(expires="soon"),
    ),
    ("Expires must be a duration of days, hours, minutes and seconds, such as PT1H", lambda source: source.create(expires="P1Y")),
    ("The operation is not known", lambda source: source.post(f"{source.dialect.rm}/Dance", "", "<r:Dance/>")),
    (
        "CreateSequence must hold one AcksTo",
        lambda source: source.post(f"{source.dialect.rm}/CreateSequence", "", "<r:CreateSequence/>"),
    ),
    (
        "The action and the Body name different operations",
        lambda source: source.post(
            f"{source.dialect.rm}/CloseSequence",
            "",
            f"<r:TerminateSequence><r:Identifier>{source.id}</r:Identifier></r:TerminateSequence>",
        ),
    ),
    ("A message speaks one version of WS-ReliableMessaging", lambda source: source.say(1, blocks=_foreign(source))),
    ("Answers go back on the connection of the request only", lambda source: source.say(1, reply_to="http://bank.example.com/")),
]


def _foreign(source: Source) -> str:
    other = RM_11 if source.dialect.is_old else RM_10
    return f'<o:AckRequested xmlns:o="{other}"><o:Identifier>{source.id}</o:Identifier></o:AckRequested>'


@pytest.mark.parametrize(("reason", "provoke"), UNREADABLE)
async def test_what_cannot_be_read_is_told_and_has_no_effect(
    source: Source, shared_database: Database, reason: str, provoke: Provoke
):
    await source.create()
    told = await provoke(source)
    assert told.reason == reason
    assert await effects(shared_database, source.bank) == []
    assert (await source.say(1)).code == "90000"


async def test_a_message_of_a_sequence_needs_an_action(source: Source, shared_database: Database):
    await source.create()
    told = Told.of(source.dialect, await source.post_text(source.write("", source.numbered(1), source.work(1)), "AddCardHolder"))
    wanted = "MessageAddressingHeaderRequired" if source.dialect.wsa == WSA_2005 else "MessageInformationHeaderRequired"
    assert told.fault == wanted
    assert await effects(shared_database, source.bank) == []


async def test_an_empty_body_is_a_message_only_as_the_last_of_1_0(source: Source):
    await source.create()
    told = await source.post(f"{SERVICES}AddCardHolder", source.numbered(1))
    assert told.reason == "The Body is empty"
    assert told.held == (source.id, 1)  # it has arrived; sending it again would not make it better


async def test_a_client_has_so_many_sequences_and_terminating_one_makes_room(bank: Bank, shared_database: Database):
    source = Source(bank, NEW, await bank.bearer(), bank.http)
    await source.create()
    owner = await asyncpg.connect(shared_database.dsn)
    await owner.execute(
        """INSERT INTO message_sequences (issuer_id, id, caller_id, version, expires_at)
           SELECT issuer_id, 'urn:' || n, caller_id, version, expires_at FROM message_sequences, generate_series(2, $2::int) AS n
           WHERE id = $1""",
        source.id, MAX_OPEN,
    )  # fmt: skip
    await owner.close()
    assert (await source.create()).fault == "CreateSequenceRefused"
    assert (await source.say(1)).code == "90000"
    await source.terminate()
    assert (await source.create()).fault is None
