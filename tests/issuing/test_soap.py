"""What only SOAP has: envelopes as the WSDL says, faults, and signatures in both directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.access.issuer_model import MessageSecurity, RemoteProtocol
from strongroom.issuing.model import Policy
from strongroom.issuing.port import CardPrompt, IssuerSilent, IssuerUnavailable
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit.crypto import Secret
from strongroom.soap import security
from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.envelopes import parse
from strongroom.soap.faults import FaultCode, SoapFault, Version
from strongroom.soap.security import Level
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify
from tests.issuing.foreign_issuer import CARD, CODE, ISSUER, SOAP, Asked, ForeignIssuer, Reply, said
from tests.issuing.pki import Pki

PAN, OTP = Secret(CARD), Secret(CODE)


@pytest.fixture
def plain(issuer: ForeignIssuer) -> Policy:
    return Policy("iss-1", issuer.url, RemoteProtocol.SOAP)


@pytest.fixture
def signed(plain: Policy, issuer: ForeignIssuer, pki: Pki) -> Policy:
    issuer.signer = pki.signer("issuer").current()
    return dataclasses.replace(plain, security=MessageSecurity.BODY, signers=frozenset({pki.pin("issuer")}))


async def test_a_question_is_the_envelope_of_the_wsdl(lines: RemoteIssuers, issuer: ForeignIssuer, plain: Policy):
    await lines.line(plain).authenticate_otp(Secret("a<b"), OTP)
    [asked] = issuer.asked
    assert asked.path == "/isas"
    assert (asked.headers["content-type"], asked.headers["soapaction"]) == ("text/xml; charset=utf-8", '"AuthenticateOTP"')
    assert asked.body.decode() == (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><AuthenticateOTP xmlns="{ISSUER}"><RequestDetails><UserId>a&lt;b</UserId>'
        f"<Otp>{CODE}</Otp></RequestDetails></AuthenticateOTP></s:Body></s:Envelope>"
    )


def fault(code: FaultCode) -> Callable[[Asked], Reply]:
    body = SoapFault(code, "No").body(Version.SOAP_11)
    return lambda _: Reply(500, f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode())


async def test_of_a_senders_fault_nothing_was_judged_and_of_a_receivers_nobody_knows(
    lines: RemoteIssuers, issuer: ForeignIssuer, plain: Policy
):
    for code, word in ((FaultCode.SENDER, IssuerUnavailable), (FaultCode.RECEIVER, IssuerSilent)):
        issuer.answers["authenticateotp"] = fault(code)
        with pytest.raises(word):
            await lines.line(plain).authenticate_otp(PAN, OTP)
    assert len(issuer.asked) == 2


@pytest.mark.parametrize("level", [MessageSecurity.BODY, MessageSecurity.TIMESTAMP])
async def test_our_signature_covers_what_the_level_says(
    lines: RemoteIssuers, issuer: ForeignIssuer, signed: Policy, pki: Pki, level: MessageSecurity
):
    assert isinstance(await lines.line(dataclasses.replace(signed, security=level)).validate_card(PAN), CardPrompt)
    envelope = parse(issuer.asked[0].body)
    trusts = security.Policy(Level(level), frozenset({pki.pin("hub")}))
    assert verify(envelope, trusts)
    assert envelope.addressing.to == issuer.url
    tampered = issuer.asked[0].body.replace(CARD.encode(), b"5061810000000152055")
    if level is MessageSecurity.BODY:
        with pytest.raises(SoapFault):
            verify(parse(tampered), trusts)


def signed_by(pki: Pki, name: str = "issuer", *, age: timedelta = timedelta(), relates_to: str | None = None):
    """Return an answer that says yes, signed by somebody, some time ago, to this or another question."""

    def answer(asked: Asked) -> Reply:
        inner = said(asked, {"ResponseCode": "90000"}).body.decode().partition("<s:Body>")[2].partition("</s:Body>")[0]
        blocks = write_addressing(Wsa.V2005, "urn:answer", relates_to=relates_to or parse(asked.body).addressing.message_id)
        made = datetime.now(UTC) - age
        return Reply(200, b"\n" + sign(Version.SOAP_11, inner, blocks, pki.signer(name).current(), made).encode())

    return answer


async def test_a_signed_answer_to_this_question_is_believed(lines: RemoteIssuers, issuer: ForeignIssuer, signed: Policy, pki: Pki):
    issuer.answers["authenticateotp"] = signed_by(pki)
    assert (await lines.line(signed).authenticate_otp(PAN, OTP)).is_right


@pytest.mark.parametrize("wrong", ["unsigned", "another's", "late", "to another question", "changed"])
async def test_an_answer_that_is_not_signed_as_it_must_be_is_no_answer(
    lines: RemoteIssuers, issuer: ForeignIssuer, signed: Policy, pki: Pki, wrong: str
):
    answers = {
        "unsigned": lambda asked: dataclasses.replace(said(asked, {"ResponseCode": "90000"}), body=b" " + yes(asked)),
        "another's": signed_by(pki, "next"),
        "late": signed_by(pki, age=timedelta(minutes=6)),
        "to another question": signed_by(pki, relates_to="urn:uuid:another"),
        "changed": lambda asked: Reply(200, signed_by(pki)(asked).body.replace(b"<ResponseCode>90000", b"<ResponseCode> 90000")),
    }
    issuer.answers["authenticateotp"] = answers[wrong]
    with pytest.raises(IssuerSilent):
        await lines.line(signed).authenticate_otp(PAN, OTP)
    assert len(issuer.asked) == 1


def yes(asked: Asked) -> bytes:
    return said(asked, {"ResponseCode": "90000"}).body


async def test_what_the_policy_asks_for_and_cannot_be_done_is_not_left_out(pki: Pki, issuer: ForeignIssuer, signed: Policy):
    without = RemoteIssuers(pki.identity(), frozenset({issuer.host}))
    with pytest.raises(IssuerUnavailable, match="no_signer"):
        await without.line(signed).authenticate_otp(PAN, OTP)
    await without.close()
    assert issuer.asked == []
