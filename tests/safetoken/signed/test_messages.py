"""WS-Security over mutual TLS and HTTP: what a signed message must be like, and every way in which it may be wrong."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.kit.db import Database as KitDatabase
from strongroom.kit.edge import Edge
from strongroom.safetoken.store import replays
from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.envelopes import parse
from strongroom.soap.faults import Version
from strongroom.soap.security import Level, Policy, Signer
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify_answer
from strongroom.wiring import WORKER_ROLE, House
from tests.conftest import Database
from tests.safetoken.authorities import Identity
from tests.safetoken.conftest import ACTOR, Bank, next_bank, open_bank, prefix_of
from tests.safetoken.served import Served
from tests.safetoken.signed.bank import PATH, SigningBank, is_signed, is_signed_without_body, open_signing, said
from tests.safetoken.signed.by_hand import SERVICES, SOAP, WSA, WSSE, WSU, Message, enrolment

PASSWORDS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Spoil = Callable[[SigningBank], Message | str]


async def is_enrolled(signing: SigningBank, message: Message) -> bool:
    """Ask, signed, whether the card of a message is enrolled."""
    pan = re.search(r"<CardPan>(\d+)<", message.operation)
    assert pan
    asked = enrolment({"BankId": str(signing.bank.issuer.bank_id), "CardPan": pan[1]}, "GetCardHolder")
    return said(await signing.send(signing.message(operation=asked), action="GetCardHolder")) == "90000"


async def test_a_signed_message_takes_effect_and_is_answered_with_a_signed_answer(signing: SigningBank):
    message = signing.message()
    answer = await signing.send(message)
    assert (answer.status_code, said(answer)) == (200, "90000")
    assert is_signed(signing.served, answer)
    assert await is_enrolled(signing, message)


async def test_an_elliptic_curve_signs_too(served: Served, bank: Bank, signer: Identity):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = served.authority.certify("a curve", key.public_key())
    hash_ = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    async with open_signing(served, bank, signer, caller_signer_hashes=[signer.hash, hash_]) as signing:
        assert said(await signing.send(signing.message(certificate=certificate, key=key))) == "90000"


async def test_addressing_headers_are_signed_and_answered(signing: SigningBank):
    answer = await signing.send(signing.message(action=f"{SERVICES}AddCardHolder"))
    assert said(answer) == "90000"
    assert is_signed(signing.served, answer)
    assert "AddCardHolderResponse</a:Action>" in answer.text


@pytest.mark.parametrize("level", [Level.TIMESTAMP, Level.BODY])
async def test_what_we_sign_ourselves_as_a_source_is_answered_and_the_answer_holds(
    served: Served, bank: Bank, signer: Identity, level: Level
):
    async with open_signing(served, bank, signer, caller_security=level.value) as signing:
        blocks = write_addressing(Wsa.V2005, f"{SERVICES}AddCardHolder", message_id="urn:uuid:1", to=f"{served.tls_url}{PATH}")
        ours = Signer(signer.certificate, signer.key)
        text = sign(Version.SOAP_11, enrolment(signing.members()), blocks, ours, datetime.now(UTC), level)
        answer = await signing.send(text)
    assert said(answer) == "90000"
    policy = Policy(level, frozenset({bytes.fromhex(served.identity.hash)}))
    assert verify_answer(parse(answer.content), policy, "urn:uuid:1", datetime.now(UTC))


# What is refused. Each spoils one thing about a message that would have been answered.


def tampered(signing: SigningBank) -> Message:
    message = signing.message()
    return message.but(sent_body=message.body.replace("2347908516601", "2347908516602"))


def wrapped(signing: SigningBank) -> str:
    """The signed Body is put away in the Header; another stands in its place."""
    message = signing.message()
    other = message.but(operation=enrolment(signing.members()), body_id="B2").body
    return message.but(sent_body=other, extra_header=f'<x:Old xmlns:x="urn:x">{message.body}</x:Old>').write()


def wrapped_in_the_body(signing: SigningBank) -> Message:
    """The signed Body stands inside the one that would be read."""
    message = signing.message()
    fresh = enrolment(signing.members()).replace("</request>", f"</request><old>{message.body}</old>")
    return message.but(sent_body=f'<s:Body xmlns:s="{SOAP}">{fresh}</s:Body>')


def wrapped_beside(signing: SigningBank) -> Message:
    """Two Bodies, the signed one last."""
    message = signing.message()
    return message.but(sent_body=f'<s:Body xmlns:s="{SOAP}">{enrolment(signing.members())}</s:Body>{message.body}')


def wrapped_timestamp(signing: SigningBank) -> str:
    """The signed Timestamp is an old one, put away; a fresh one stands where it is looked for."""
    old = signing.message(created=datetime.now(UTC) - timedelta(days=1))
    fresh = signing.message().timestamp.replace('u:Id="T"', 'u:Id="T2"')
    put_away = f'<x:Old xmlns:x="urn:x">{old.timestamp}</x:Old>'
    return old.but(has_timestamp=False, extra_security=fresh, extra_header=put_away).write()


def with_an_id_twice(signing: SigningBank) -> Message:
    message = signing.message()
    return message.but(extra_header=f'<x:Old xmlns:x="urn:x" xmlns:u="{WSU}" u:Id="B"></x:Old>')


def with_an_id_of_another_kind_twice(signing: SigningBank) -> Message:
    return signing.message(extra_header='<x:Old xmlns:x="urn:x" Id="B"></x:Old>')


def with_two_security_headers(signing: SigningBank) -> Message:
    return signing.message(extra_header=f'<o:Security xmlns:o="{WSSE}"></o:Security>')


def with_a_header_that_is_not_signed(signing: SigningBank) -> Message:
    return signing.message(extra_header=f'<a:MessageID xmlns:a="{WSA}">urn:uuid:1</a:MessageID>')


def with_something_signed_elsewhere(signing: SigningBank) -> Message:
    """An element inside a header block is signed: nobody reads it, and what nobody reads should not be covered."""
    inner = f'<x:In xmlns:u="{WSU}" xmlns:x="urn:x" u:Id="E"></x:In>'
    return signing.message(elsewhere={"E": inner}, extra_header=f'<x:Old xmlns:x="urn:x">{inner}</x:Old>')


def with_two_timestamps(signing: SigningBank) -> Message:
    message = signing.message()
    return message.but(extra_security=message.timestamp.replace('u:Id="T"', 'u:Id="T2"'))


def by_a_stranger(signing: SigningBank) -> Message:
    stranger = signing.served.authority.issue("stranger who signs")
    return signing.message(certificate=stranger.certificate, key=stranger.key)


def with_a_certificate_that_is_none(signing: SigningBank) -> str:
    """A certificate of version 19, over which a parser may stumble."""
    text = signing.message().write()
    token = re.search(r"(MII[^<]+)</o:Binary", text)
    assert token
    raw = b64decode(token[1])
    return text.replace(token[1], b64encode(raw.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x12", 1)).decode())


def with_a_stolen_certificate(signing: SigningBank) -> Message:
    """The pinned certificate, and a signature by another key."""
    return signing.message(key=signing.served.authority.issue("thief").key)


def with_a_username(kind: str) -> str:
    password = f'<o:Password Type="{PASSWORDS}#{kind}">weYI3nXd8LjMNVksCKFV8t3rgHh3Rw==</o:Password>'
    return f'<o:UsernameToken xmlns:o="{WSSE}"><o:Username>host</o:Username>{password}</o:UsernameToken>'


REFUSED: dict[str, tuple[Spoil, str]] = {
    "a Body that was changed": (tampered, "FailedCheck"),
    "a Body that was wrapped": (wrapped, "FailedCheck"),
    "a Body wrapped in a Body": (wrapped_in_the_body, "FailedCheck"),
    "a second Body": (wrapped_beside, "Client"),
    "a Timestamp that was wrapped": (wrapped_timestamp, "FailedCheck"),
    "an Id twice": (with_an_id_twice, "InvalidSecurity"),
    "an Id twice, of two kinds": (with_an_id_of_another_kind_twice, "InvalidSecurity"),
    "two Security headers": (with_two_security_headers, "Client"),
    "an addressing header that is not signed": (with_a_header_that_is_not_signed, "FailedCheck"),
    "a Body that is not signed": (lambda one: one.message(signs=("T",)), "FailedCheck"),
    "a Timestamp that is not signed": (lambda one: one.message(signs=("B",)), "FailedCheck"),
    "a Body that is signed twice": (lambda one: one.message(signs=("T", "B", "B")), "FailedCheck"),
    "something signed elsewhere": (with_something_signed_elsewhere, "FailedCheck"),
    "two Timestamps": (with_two_timestamps, "InvalidSecurity"),
    "a reference to a key elsewhere": (lambda one: one.message(key_info="#Y"), "SecurityTokenUnavailable"),
    "an encrypted key": (lambda one: one.message(extra_security='<x:EncryptedKey xmlns:x="urn:x"/>'), "UnsupportedSecurityToken"),
    "no Timestamp": (lambda one: one.message(has_timestamp=False, signs=("B",)), "InvalidSecurity"),
    "an expired Timestamp": (lambda one: one.message(created=ago(minutes=6)), "MessageExpired"),
    "a Timestamp of tomorrow": (lambda one: one.message(created=ago(days=-1)), "MessageExpired"),
    "a Timestamp that lasts an hour": (lambda one: one.message(life=timedelta(hours=1)), "MessageExpired"),
    "a Timestamp that ends before it begins": (lambda one: one.message(life=timedelta(seconds=-1)), "MessageExpired"),
    "digests by SHA-1": (lambda one: one.message(digest="sha1"), "UnsupportedAlgorithm"),
    "a signature by SHA-1": (lambda one: one.message(method="sha1"), "UnsupportedAlgorithm"),
    "digests by SHA-256": (lambda one: one.message(digest="sha256"), "UnsupportedAlgorithm"),
    "a signature by SHA-256": (lambda one: one.message(method="sha256"), "UnsupportedAlgorithm"),
    "a signer nobody knows": (by_a_stranger, "FailedAuthentication"),
    "a certificate that is none": (with_a_certificate_that_is_none, "FailedAuthentication"),
    "a known certificate with another's key": (with_a_stolen_certificate, "FailedCheck"),
    "a PasswordDigest": (lambda one: one.message(extra_security=with_a_username("PasswordDigest")), "FailedAuthentication"),
    "a PasswordText": (lambda one: one.message(extra_security=with_a_username("PasswordText")), "UnsupportedSecurityToken"),
    "nothing signed at all": (lambda one: f'<s:Envelope xmlns:s="{SOAP}">{one.message().body}</s:Envelope>', "InvalidSecurity"),
}


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


@pytest.mark.parametrize("name", REFUSED)
async def test_a_message_with_one_thing_wrong_is_refused_and_has_no_effect(signing: SigningBank, name: str):
    spoil, fault = REFUSED[name]
    spoilt = spoil(signing)
    answer = await signing.send(spoilt)
    assert (answer.status_code, said(answer).rpartition(":")[2]) == (500, fault)
    text = spoilt if isinstance(spoilt, str) else spoilt.write()
    for pan in re.findall(r"<CardPan>(\d+)<", text):
        assert pan not in answer.text
        assert not await is_enrolled(signing, signing.message(operation=f"<CardPan>{pan}<"))


async def test_a_message_counts_once_however_often_and_how_simultaneously_it_is_sent(signing: SigningBank):
    message = signing.message().write()
    answers = await asyncio.gather(*(signing.send(message) for _ in range(10)))
    assert sorted(map(said, answers)) == ["90000", *["wsse:FailedCheck"] * 9]
    assert all(is_signed(signing.served, answer) for answer in answers)
    assert said(await signing.send(message)) == "wsse:FailedCheck"


async def test_a_curves_signature_written_in_another_way_is_the_same_message(served: Served, bank: Bank, signer: Identity):
    """(r, n - s) signs what (r, s) signs: a memory of signatures would take it for a new message."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = served.authority.certify("a curve", key.public_key())
    hash_ = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    async with open_signing(served, bank, signer, caller_signer_hashes=[hash_]) as signing:
        text = signing.message(certificate=certificate, key=key).write()
        [value] = re.findall(r"<d:SignatureValue>([^<]+)<", text)
        raw = b64decode(value)
        other = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:])).to_bytes(32)
        assert said(await signing.send(text)) == "90000"
        assert said(await signing.send(text.replace(value, b64encode(other).decode()))) == "wsse:FailedCheck"


async def test_sha256_counts_where_the_issuers_setting_allows_it_and_sha1_never(served: Served, bank: Bank, signer: Identity):
    async with open_signing(served, bank, signer, allow_sha256=True) as signing:
        assert said(await signing.send(signing.message(digest="sha256", method="sha256"))) == "90000"
        assert said(await signing.send(signing.message())) == "90000"
        for spoilt in ({"digest": "sha1"}, {"method": "sha1"}):
            assert said(await signing.send(signing.message(**spoilt))) == "wsse:UnsupportedAlgorithm"


async def test_another_issuers_signer_is_a_stranger_to_this_caller(
    served: Served, bank: Bank, signing: SigningBank, application: tuple[House, Edge]
):
    number = next_bank()
    other_issuer = await bank.house.issuers.create(ACTOR, "Other", number, [prefix_of(number)])
    identity = served.authority.issue("another bank that signs")
    async with open_bank(*application, other_issuer) as other, open_signing(served, other, identity) as stranger:
        message = stranger.message()
        assert said(await signing.send(message.but(operation=enrolment(signing.members())))) == "wsse:FailedAuthentication"
        assert said(await stranger.send(message)) == "90000"


async def test_a_caller_without_a_registered_certificate_signs_in_vain(served: Served, bank: Bank, signing: SigningBank):
    token = (await bank.bearer())["authorization"]
    for http in (signing.http, httpx.AsyncClient(base_url=served.url, trust_env=False)):
        headers = {"content-type": "text/xml", "authorization": token}
        answer = await http.post(PATH, content=signing.message().write(), headers=headers)
        assert said(answer) == "wsse:FailedAuthentication"


async def test_where_the_body_is_not_signed_the_addressing_headers_are(served: Served, bank: Bank, signer: Identity):
    async with open_signing(served, bank, signer, caller_security="timestamp") as signing:
        action = f"{SERVICES}AddCardHolder"
        message = signing.message(signs=("T",), action=action)
        answer = await signing.send(message)
        assert said(answer) == "90000"
        assert is_signed_without_body(served, answer, message)
        assert said(await signing.send(signing.message(signs=("T",)))) == "wsse:InvalidSecurity"
        assert said(await signing.send(signing.message(signs=("T",), action=f"{SERVICES}RemoveCardHolder"))) == "s:Client"
        assert said(await signing.send(tampered(signing).but(action=action))) == "wsse:FailedCheck"  # what is signed must hold


async def test_where_signing_is_left_to_the_caller_what_is_signed_must_hold(served: Served, bank: Bank, signer: Identity):
    async with open_signing(served, bank, signer, caller_security="optional") as signing:
        unsigned = await signing.send(f'<s:Envelope xmlns:s="{SOAP}">{signing.message().body}</s:Envelope>')
        assert said(unsigned) == "90000"
        assert "Security" not in unsigned.text
        signed = await signing.send(signing.message())
        assert said(signed) == "90000"
        assert is_signed(served, signed)
        assert said(await signing.send(tampered(signing))) == "wsse:FailedCheck"


async def test_where_signing_is_off_a_security_header_that_must_be_understood_is_not(served: Served, bank: Bank, signer: Identity):
    async with open_signing(served, bank, signer, caller_security="off") as signing:
        assert said(await signing.send(signing.message())) == "s:MustUnderstand"


async def test_what_is_remembered_of_messages_goes_when_their_time_is_over(signing: SigningBank, shared_database: Database):
    assert said(await signing.send(signing.message())) == "90000"
    owner = await asyncpg.connect(shared_database.dsn)
    issuer = signing.bank.issuer.id
    assert await owner.fetchval("SELECT count(*) FROM message_replays WHERE issuer_id = $1", issuer) == 1
    worker = await KitDatabase.connect(shared_database.worker_dsn, role=WORKER_ROLE)
    async with worker.transaction() as tx:
        await replays.forget_old(tx)
    assert await owner.fetchval("SELECT count(*) FROM message_replays WHERE issuer_id = $1", issuer) == 1
    await owner.execute("UPDATE message_replays SET expires_at = expires_at - interval '7 minutes' WHERE issuer_id = $1", issuer)
    async with worker.transaction() as tx:
        assert await replays.forget_old(tx) == 1
    await worker.close()
    await owner.close()
