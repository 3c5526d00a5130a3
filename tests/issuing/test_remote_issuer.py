"""What every keeper of the issuer port must do, in every wire form, against a real service over mutual TLS."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.issuing.breaker import FAILURES_IN_A_ROW, HELD_OFF_SECONDS
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, IssuerSilent, IssuerUnavailable, TokenType
from strongroom.issuing.registry import RemoteIssuers
from strongroom.kit.crypto import Secret
from tests.issuing.foreign_issuer import CARD, CODE, PHONE, Asked, Lost, Reply, said
from tests.issuing.pki import Pki

PAN, OTP, WRONG = Secret(CARD), Secret(CODE), Secret("000000")


def lost(_asked: Asked) -> Reply:
    raise Lost


def once(first, then):
    answers = iter([first])

    def answer(asked: Asked) -> Reply:
        return next(answers, then)(asked)

    return answer


async def test_a_card_with_a_token_is_found_with_all_that_drives_the_prompt(line):
    found = await line.validate_card(PAN)
    assert isinstance(found, CardPrompt)
    assert (found.token_type, found.additional_info, found.phone) == (TokenType.SMS, "Enter your otp", Secret(PHONE))


async def test_a_card_without_a_token_is_refused_with_the_issuers_code(line):
    assert await line.validate_card(Secret("5061810000000152055")) == CardRefused(IssuerCode.NO_USER)


@pytest.mark.parametrize("code", [code for code in IssuerCode if code is not IssuerCode.SUCCESSFUL])
async def test_every_code_of_the_contract_is_read(line, issuer, code):
    issuer.answers["authenticateotp"] = lambda asked: said(asked, {"ResponseCode": code})
    verdict = await line.authenticate_otp(PAN, OTP)
    assert (verdict.code, verdict.is_right) == (code, False)


async def test_a_code_that_is_in_no_table_is_an_unknown_error_and_never_a_yes(line, issuer):
    for code in ("90001", "0", "00", "9000", "OK"):
        issuer.answers["authenticateotp"] = lambda asked, code=code: said(asked, {"ResponseCode": code})
        assert (await line.authenticate_otp(PAN, OTP)).code is IssuerCode.UNKNOWN_ERROR


async def test_a_right_code_is_a_yes_and_a_wrong_one_a_no(line):
    assert (await line.authenticate_otp(PAN, OTP)).is_right
    assert (await line.authenticate_otp(PAN, WRONG)).code is IssuerCode.FAILED


async def test_the_issuer_sees_our_certificate(line, issuer, pki):
    await line.validate_card(PAN)
    assert hashlib.sha256(issuer.asked[0].certificate).digest() == pki.pin("hub")


async def test_unknown_members_and_another_root_are_read_over(line, issuer):
    members = {"Extra": "1", "ResponseCode": " 90000 ", "TokenType": "1", "More": "x"}
    issuer.answers["validatecard"] = lambda asked: said(asked, members, root="ValidateCardResponse")
    found = await line.validate_card(PAN)
    assert isinstance(found, CardPrompt)
    assert (found.token_type, found.phone) == (TokenType.HARDWARE, None)


async def test_an_issuers_words_reach_the_payer_as_one_plain_line(line, issuer):
    members = {"ResponseCode": "90000", "AdditionalInfo": "Enter \u202e your\notp " + "x" * 500}
    issuer.answers["validatecard"] = lambda asked: said(asked, members)
    found = await line.validate_card(PAN)
    assert isinstance(found, CardPrompt)
    assert found.additional_info.startswith("Enter your otp xxx")
    assert len(found.additional_info) == 200


async def test_a_code_whose_answer_was_lost_is_not_sent_again(line, issuer):
    issuer.answers["authenticateotp"] = lost
    with pytest.raises(IssuerSilent):
        await line.authenticate_otp(PAN, OTP)
    assert len(issuer.asked_for("authenticateotp")) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 204, 302])
async def test_an_answer_that_says_nothing_leaves_the_code_in_doubt(line, issuer, status):
    issuer.answers["authenticateotp"] = lambda _: Reply(status, b"<html>proxy</html>")
    with pytest.raises(IssuerSilent):
        await line.authenticate_otp(PAN, OTP)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("status", [400, 500])
async def test_a_yes_under_a_status_of_failure_is_not_believed(line, issuer, status):
    issuer.answers["authenticateotp"] = lambda asked: said(asked, {"ResponseCode": "90000"}, status)
    with pytest.raises((IssuerSilent, IssuerUnavailable)):
        await line.authenticate_otp(PAN, OTP)


async def test_a_no_may_come_under_a_status_of_failure(line, issuer):
    issuer.answers["authenticateotp"] = lambda asked: said(asked, {"ResponseCode": "80001"}, 400)
    assert (await line.authenticate_otp(PAN, OTP)).code is IssuerCode.FAILED


async def test_a_refused_request_was_not_judged(line, issuer):
    issuer.answers["authenticateotp"] = lambda _: Reply(403, b"no")
    with pytest.raises(IssuerUnavailable):
        await line.authenticate_otp(PAN, OTP)


async def test_an_answer_beyond_64_kib_is_not_read_to_its_end(line, issuer):
    issuer.answers["authenticateotp"] = lambda _: Reply(200, b"x" * 70_000)
    with pytest.raises(IssuerSilent, match="answer_too_large"):
        await line.authenticate_otp(PAN, OTP)


async def test_the_question_ends_with_its_time_and_the_code_stays_in_doubt(pki, issuer, policy):
    issuer.answers["authenticateotp"] = lambda asked: dataclasses.replace(said(asked, {"ResponseCode": "90000"}), delay_seconds=20)
    impatient = RemoteIssuers(pki.identity(), frozenset({issuer.host}), pki.signer(), limit_seconds=1)
    with pytest.raises(IssuerSilent):
        await impatient.line(policy).authenticate_otp(PAN, OTP)
    await impatient.close()
    assert len(issuer.asked) == 1


async def test_a_card_is_asked_about_again_where_the_hub_sends_the_messages(line, issuer):
    issuer.answers["validatecard"] = once(lost, issuer.usual)
    assert isinstance(await line.validate_card(PAN), CardPrompt)
    assert len(issuer.asked) == 2


async def test_a_card_is_not_asked_about_again_where_the_issuer_may_have_sent_a_message(lines, policy, issuer):
    issuer.answers["validatecard"] = once(lost, issuer.usual)
    with pytest.raises(IssuerSilent):
        await lines.line(dataclasses.replace(policy, sends_sms=True)).validate_card(PAN)
    assert len(issuer.asked) == 1


async def test_an_issuer_that_is_not_there_is_unavailable(line, issuer):
    await issuer.stop()
    for question in (line.validate_card(PAN), line.authenticate_otp(PAN, OTP)):
        with pytest.raises(IssuerUnavailable, match="unreachable"):
            await question


async def test_after_failures_in_a_row_the_issuer_is_left_alone_and_then_tried_once(line, issuer, clock):
    issuer.answers["authenticateotp"] = lost
    for _ in range(FAILURES_IN_A_ROW):
        with pytest.raises(IssuerSilent):
            await line.authenticate_otp(PAN, OTP)
    with pytest.raises(IssuerUnavailable, match="held_off"):
        await line.authenticate_otp(PAN, OTP)
    assert len(issuer.asked) == FAILURES_IN_A_ROW
    del issuer.answers["authenticateotp"]
    clock.seconds += HELD_OFF_SECONDS
    assert (await line.authenticate_otp(PAN, OTP)).is_right
    assert (await line.authenticate_otp(PAN, OTP)).is_right


async def test_one_issuer_that_fails_leaves_the_others_alone(lines, policy, issuer):
    other = lines.line(dataclasses.replace(policy, issuer_id="iss-2"))
    issuer.answers["authenticateotp"] = lost
    for _ in range(FAILURES_IN_A_ROW):
        with pytest.raises(IssuerSilent):
            await lines.line(policy).authenticate_otp(PAN, OTP)
    del issuer.answers["authenticateotp"]
    assert (await other.authenticate_otp(PAN, OTP)).is_right


async def test_a_service_with_another_certificate_than_the_pinned_is_told_nothing(lines, policy, issuer, pki):
    with pytest.raises(IssuerUnavailable):
        await lines.line(dataclasses.replace(policy, pinned=frozenset({pki.pin("next")}))).authenticate_otp(PAN, OTP)
    assert issuer.asked == []


async def test_old_and_new_certificate_may_be_pinned_together(lines, policy, pki):
    both = dataclasses.replace(policy, pinned=frozenset({pki.pin("issuer"), pki.pin("next")}))
    assert (await lines.line(both).authenticate_otp(PAN, OTP)).is_right


async def test_a_service_of_another_authority_is_told_nothing(issuer, policy, pki, tmp_path):
    stranger = Pki(tmp_path, "hub")
    lines = RemoteIssuers(
        dataclasses.replace(pki.identity(), ca=stranger.folder / "ca.pem"), frozenset({issuer.host}), pki.signer()
    )
    with pytest.raises(IssuerUnavailable):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    await lines.close()
    assert issuer.asked == []


async def test_a_renewed_certificate_of_ours_is_taken_up_without_a_restart(issuer, policy, tmp_path):
    own = Pki(tmp_path, "hub", "issuer")
    server = type(issuer)()
    server.signer = issuer.signer
    await server.start(own.server_context())
    lines = RemoteIssuers(own.identity(), frozenset({server.host}), own.signer())
    renewed = dataclasses.replace(policy, url=server.url)
    await lines.line(renewed).validate_card(PAN)
    own.issue("hub")
    await lines.line(renewed).validate_card(PAN)
    await lines.close()
    await server.stop()
    first, second = (hashlib.sha256(one.certificate).digest() for one in server.asked)
    assert first != second == own.pin("hub")


async def test_only_https_to_a_listed_host_is_called(pki, issuer, policy):
    lines = RemoteIssuers(pki.identity(), frozenset({issuer.host, "issuer.example"}), pki.signer())
    for url in (
        issuer.url.replace("https", "http"), issuer.url.replace("localhost", "127.0.0.1"), "https://issuer.example:8443/",
        "https://issuer.example@evil.example/", f"https://user:pass@{issuer.host}/isas", "https://[::1", "ftp://issuer.example/",
    ):  # fmt: skip
        with pytest.raises(IssuerUnavailable, match="address_forbidden"):
            await lines.line(dataclasses.replace(policy, url=url)).authenticate_otp(PAN, OTP)
    await lines.close()
    assert issuer.asked == []


async def test_without_a_certificate_of_ours_nobody_is_called(issuer, policy, pki):
    lines = RemoteIssuers(None, frozenset({issuer.host}), pki.signer())
    with pytest.raises(IssuerUnavailable, match="no_certificate"):
        await lines.line(policy).authenticate_otp(PAN, OTP)
    assert issuer.asked == []


def test_the_test_issuer_itself_lets_nobody_in_without_a_certificate(pki):
    assert pki.server_context().verify_mode is ssl.CERT_REQUIRED
    shown = x509.load_pem_x509_certificate(Path(pki.folder / "hub.pem").read_bytes())
    assert hashlib.sha256(shown.public_bytes(Encoding.DER)).digest() == pki.pin("hub")
