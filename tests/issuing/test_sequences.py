"""Questions in sequences of WS-ReliableMessaging, to a destination of another make that loses what a test wants lost."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from strongroom.access.issuer_model import ReliableVersion, RemoteProtocol
from strongroom.issuing.model import Policy
from strongroom.issuing.port import IssuerSilent, IssuerUnavailable
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit.crypto import Secret
from tests.issuing.foreign_issuer import CARD, CODE, SOAP, Asked, ForeignIssuer, Lost, Reply
from tests.issuing.pki import Pki

PAN, OTP, WRONG = Secret(CARD), Secret(CODE), Secret("000000")
RM = {"1.0": "http://schemas.xmlsoap.org/ws/2005/02/rm", "1.1": "http://docs.oasis-open.org/ws-rx/wsrm/200702"}
WSA = {"1.0": "http://schemas.xmlsoap.org/ws/2004/08/addressing", "1.1": "http://www.w3.org/2005/08/addressing"}
IDENTIFIER = re.compile(r"<r:Identifier>([^<]+)</r:Identifier>")


def named(asked: Asked) -> str:
    """Return the last word of a message's SOAPAction."""
    return asked.headers["soapaction"].strip('"').rpartition("/")[2]


def text_in(asked: Asked, name: str) -> str | None:
    found = re.search(rf"<\w+:{name}[^>]*>([^<]*)<", asked.body.decode())
    return found[1] if found else None


@dataclass
class Destination:
    """Keeps sequences by the book: each number once and in order, the same answer for the same number."""

    issuer: ForeignIssuer
    version: str
    open: dict[str, str] = field(default_factory=dict)  # by sequence, the sequence of its answers
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)
    judged: list[tuple[str, int, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    mishaps: list[str] = field(default_factory=list)  # what befalls the next questions: "", request, reply, receiver, forgets
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        for name in ("CreateSequence", "CloseSequence", "TerminateSequence", "LastMessage"):
            self.issuer.answers[f"{RM[self.version]}/{name}".lower()] = getattr(self, f"_{name.lower()}")
        for name in ("validatecard", "authenticateotp"):
            self.issuer.answers[name] = self._question

    def envelope(self, asked: Asked, body: str, blocks: str = "", status: int = 200) -> Reply:
        relates_to = f'<a:RelatesTo xmlns:a="{WSA[self.version]}">{text_in(asked, "MessageID")}</a:RelatesTo>'
        text = f'<s:Envelope xmlns:s="{SOAP}"><s:Header>{relates_to}{blocks}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
        return Reply(status, text.encode())

    def fault(self, asked: Asked, code: str, status: int = 500) -> Reply:
        header = ""
        if code == "UnknownSequence":
            header = f'<r:SequenceFault xmlns:r="{RM[self.version]}"><r:FaultCode>r:{code}</r:FaultCode></r:SequenceFault>'
            code = "Client"
        body = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>No</faultstring></s:Fault>"
        return self.envelope(asked, body, header, status)

    def _createsequence(self, asked: Asked) -> Reply:
        offered = IDENTIFIER.search(asked.body.decode())
        assert offered
        identifier = next((one for one, answers in self.open.items() if answers == offered[1]), f"urn:theirs:{next(self.numbers)}")
        self.open[identifier] = offered[1]
        made = f'<n:CreateSequenceResponse xmlns:n="{RM[self.version]}"><n:Identifier>{identifier}</n:Identifier>'
        return self.envelope(asked, f"{made}<n:Expires>PT10M</n:Expires></n:CreateSequenceResponse>")

    def _question(self, asked: Asked) -> Reply:
        mishap = self.mishaps.pop(0) if self.mishaps else ""
        if mishap == "request":
            raise Lost
        if mishap == "forgets":
            self.open.clear()
        if mishap == "receiver":
            return self.fault(asked, "Server")
        sequence = re.search(r"<r:Sequence .*?</r:Sequence>", asked.body.decode())
        assert sequence
        identifier, number = IDENTIFIER.search(sequence[0]), re.search(r"<r:MessageNumber>(\d+)<", sequence[0])
        assert identifier
        assert number
        key = identifier[1], int(number[1])
        if key[0] not in self.open:
            return self.fault(asked, "UnknownSequence")
        if key not in self.kept:
            assert key[1] == 1 or (key[0], key[1] - 1) in self.kept, "a number came before the one before it was answered"
            self.judged.append((*key, asked.members.get("Otp", "")))
            self.kept[key] = self.issuer.usual(asked).body
        if mishap == "reply":
            raise Lost
        body = self.kept[key].decode().partition("<s:Body>")[2].partition("</s:Body>")[0]
        name = RM[self.version]
        place = f"<Identifier>{self.open[key[0]]}</Identifier><MessageNumber>{key[1]}</MessageNumber>"
        held = f'<Identifier>{key[0]}</Identifier><AcknowledgementRange Lower="1" Upper="{key[1]}"/>'
        blocks = (
            f'<Sequence xmlns="{name}">{place}</Sequence><SequenceAcknowledgement xmlns="{name}">{held}</SequenceAcknowledgement>'
        )
        return self.envelope(asked, body, blocks)

    def _closesequence(self, asked: Asked) -> Reply:
        return self.envelope(asked, f'<n:CloseSequenceResponse xmlns:n="{RM[self.version]}"/>')

    def _lastmessage(self, asked: Asked) -> Reply:
        assert "<r:LastMessage/>" in asked.body.decode()
        return Reply(202)

    def _terminatesequence(self, asked: Asked) -> Reply:
        found = re.search(r"<s:Body.*?<r:Identifier>([^<]+)<", asked.body.decode())
        assert found
        self.ended.append(found[1])
        return Reply(202)


@pytest.fixture(params=["1.0", "1.1"])
def destination(issuer: ForeignIssuer, request: pytest.FixtureRequest) -> Destination:
    return Destination(issuer, request.param)


@pytest.fixture
def policy(issuer: ForeignIssuer, destination: Destination) -> Policy:
    return Policy("iss-1", issuer.url, RemoteProtocol.SOAP, reliability=ReliableVersion(destination.version))


@pytest.mark.parametrize("mishaps", [["request"], ["reply"], ["reply", "request"], ["receiver", "reply"], ["request"] * 4])
async def test_a_question_that_is_lost_is_sent_again_under_its_number_and_judged_once(
    lines: RemoteIssuers, issuer: ForeignIssuer, policy: Policy, destination: Destination, mishaps: list[str]
):
    destination.mishaps += mishaps
    assert (await lines.line(policy).authenticate_otp(PAN, OTP)).is_right
    sent = issuer.asked_for("authenticateotp")
    assert len(sent) == len(mishaps) + 1
    assert len({one.body for one in sent}) == 1, "the same bytes each time"
    assert destination.judged == [("urn:theirs:0", 1, CODE)]


async def test_a_sequence_is_used_again_and_its_answers_are_acknowledged(
    lines: RemoteIssuers, issuer: ForeignIssuer, policy: Policy, destination: Destination
):
    line = lines.line(policy)
    await line.validate_card(PAN)
    assert not (await line.authenticate_otp(PAN, WRONG)).is_right
    assert (await line.authenticate_otp(PAN, OTP)).is_right
    assert [(one[0], one[1]) for one in destination.judged] == [("urn:theirs:0", number) for number in (1, 2, 3)]
    thanked = [
        re.findall(r'Upper="(\d+)"', one.body.decode()) for one in issuer.asked if named(one) in ("ValidateCard", "AuthenticateOTP")
    ]
    assert thanked == [[], ["1"], ["2"]]
    await lines.close()
    assert destination.ended == ["urn:theirs:0"]
    end = "CloseSequence" if destination.version == "1.1" else "LastMessage"
    assert [named(one) for one in issuer.asked][-2:] == [end, "TerminateSequence"]
    assert destination.version == "1.0" or text_in(issuer.asked[-1], "LastMsgNumber") == "3"


async def test_of_a_sequence_that_the_issuer_forgot_the_question_goes_on_in_another(
    lines: RemoteIssuers, policy: Policy, destination: Destination
):
    line = lines.line(policy)
    await line.validate_card(PAN)
    destination.mishaps.append("forgets")
    assert (await line.authenticate_otp(PAN, OTP)).is_right
    assert [one[2] for one in destination.judged] == ["", CODE]


async def test_a_sequence_that_is_forgotten_after_a_try_of_which_nobody_knows_leaves_the_question_open(
    lines: RemoteIssuers, policy: Policy, destination: Destination
):
    destination.mishaps += ["reply", "forgets"]
    with pytest.raises(IssuerSilent):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    assert [one[2] for one in destination.judged] == [CODE], "and it was not put into another sequence"


async def test_an_issuer_that_keeps_no_sequence_at_all_is_unavailable(
    lines: RemoteIssuers, policy: Policy, destination: Destination
):
    destination.mishaps += ["forgets"] * 5
    with pytest.raises(IssuerUnavailable, match="no_sequence"):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    assert destination.judged == []


async def test_a_question_that_stays_open_ends_its_sequence_and_the_next_begins_another(
    pki: Pki, issuer: ForeignIssuer, policy: Policy, destination: Destination
):
    lines = RemoteIssuers(pki.identity(), frozenset({issuer.host}), pki.signer(), limit_seconds=0.5)
    destination.mishaps += ["reply"] * 50
    with pytest.raises(IssuerSilent):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    assert len(destination.judged) == 1
    destination.mishaps.clear()
    assert (await lines.line(policy).authenticate_otp(PAN, OTP)).is_right
    assert [one[:2] for one in destination.judged] == [("urn:theirs:0", 1), ("urn:theirs:1", 1)]
    await lines.close()
    assert sorted(destination.ended) == ["urn:theirs:0", "urn:theirs:1"]


def refuse(destination: Destination, code: str) -> Callable[[Asked], Reply]:
    return lambda asked: destination.fault(asked, code)


async def test_a_refused_question_or_sequence_was_not_judged(
    lines: RemoteIssuers, issuer: ForeignIssuer, policy: Policy, destination: Destination
):
    issuer.answers["authenticateotp"] = refuse(destination, "Client")
    with pytest.raises(IssuerUnavailable, match="fault"):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    issuer.answers[f"{RM[destination.version]}/CreateSequence".lower()] = refuse(destination, "CreateSequenceRefused")
    with pytest.raises(IssuerUnavailable):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    assert destination.judged == []


async def test_questions_at_once_have_a_sequence_each_and_wait_for_no_other(
    lines: RemoteIssuers, policy: Policy, destination: Destination
):
    line = lines.line(policy)
    for _ in range(3):
        destination.mishaps += ["reply", "", "request", "", ""] * 2
        said = await asyncio.gather(*(line.authenticate_otp(PAN, OTP) for _ in range(10)))
        assert all(one.is_right for one in said)
    assert Counter(one[:2] for one in destination.judged).most_common(1)[0][1] == 1
    assert len(destination.judged) == 30
    assert len(destination.open) == 10, "each is used again"


async def test_another_policy_ends_what_the_old_one_had_open(lines: RemoteIssuers, policy: Policy, destination: Destination):
    await lines.line(policy).validate_card(PAN)
    lines.line(Policy("iss-1", policy.url, RemoteProtocol.SOAP))
    await lines.close()
    assert destination.ended == ["urn:theirs:0"]
