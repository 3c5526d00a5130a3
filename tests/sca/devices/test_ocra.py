"""The sums of RFC 6287, by all vectors of its appendix C and by a foreign library; and which suites are read and taken."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import oath
import pytest

from strongroom.sca.devices.ocra import Inputs, NotForSuite, answer, make_message, new_question
from strongroom.sca.devices.suites import NoSuchSuite, QuestionFormat, find_refusal, read_suite

SEED = b"1234567890" * 7
KEY20, KEY32, KEY64 = SEED[:20], SEED[:32], SEED[:64]
PIN = hashlib.sha1(b"1234").digest()  # noqa: S324  # the standard's vectors hash their PIN so
STEP = 0x132D0B6  # 25 March 2008, 12:06:30 UTC, in minutes


def sign(suite: str, key: bytes, question: str, **more: Any) -> str:
    return answer(key, read_suite(suite), Inputs(question, **more))


def repeated(digits: str) -> list[str]:
    return [digit * 8 for digit in digits]


# C.1, one-way challenge response


def test_the_codes_of_appendix_c1_for_a_question_alone_come_out() -> None:
    assert [sign("OCRA-1:HOTP-SHA1-6:QN08", KEY20, question) for question in repeated("0123456789")] == [
        "237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470",
    ]  # fmt: skip


def test_the_codes_of_appendix_c1_for_a_counter_and_a_pin_come_out() -> None:
    suite = "OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1"
    assert [sign(suite, KEY32, "12345678", counter=counter, pin_hash=PIN) for counter in range(10)] == [
        "65347737", "86775851", "78192410", "71565254", "10104329", "65983500", "70069104", "91771096", "75011558", "08522129",
    ]  # fmt: skip


def test_the_codes_of_appendix_c1_for_a_pin_come_out() -> None:
    suite = "OCRA-1:HOTP-SHA256-8:QN08-PSHA1"
    assert [sign(suite, KEY32, question, pin_hash=PIN) for question in repeated("01234")] == [
        "83238735", "01501458", "17957585", "86776967", "86807031",
    ]  # fmt: skip


def test_the_codes_of_appendix_c1_for_a_counter_come_out() -> None:
    suite = "OCRA-1:HOTP-SHA512-8:C-QN08"
    assert [sign(suite, KEY64, question, counter=int(question[0])) for question in repeated("0123456789")] == [
        "07016083", "63947962", "70123924", "25341727", "33203315", "34205738", "44343969", "51946085", "20403879", "31409299",
    ]  # fmt: skip


def test_the_codes_of_appendix_c1_for_the_time_come_out() -> None:
    suite = "OCRA-1:HOTP-SHA512-8:QN08-T1M"
    assert [sign(suite, KEY64, question, step=STEP) for question in repeated("01234")] == [
        "95209754", "55907591", "22048402", "24218844", "36209546",
    ]  # fmt: skip


# C.2, mutual challenge response: the server signs the client's question and its own, the client its own after the server's


@pytest.mark.parametrize(
    ("suite", "key", "codes"),
    [
        ("OCRA-1:HOTP-SHA256-8:QA08", KEY32, ["28247970", "01984843", "65387857", "03351211", "83412541"]),
        ("OCRA-1:HOTP-SHA512-8:QA08", KEY64, ["79496648", "76831980", "12250499", "90856481", "12761449"]),
    ],
)
def test_the_servers_codes_of_appendix_c2_come_out(suite: str, key: bytes, codes: list[str]) -> None:
    assert [sign(suite, key, f"CLI2222{n}SRV1111{n}") for n in range(5)] == codes


def test_the_clients_codes_of_appendix_c2_come_out() -> None:
    assert [sign("OCRA-1:HOTP-SHA256-8:QA08", KEY32, f"SRV1111{n}CLI2222{n}") for n in range(5)] == [
        "15510767", "90175646", "33777207", "95285278", "28934924",
    ]  # fmt: skip


def test_the_clients_codes_of_appendix_c2_with_a_pin_come_out() -> None:
    suite = "OCRA-1:HOTP-SHA512-8:QA08-PSHA1"
    assert [sign(suite, KEY64, f"SRV1111{n}CLI2222{n}", pin_hash=PIN) for n in range(5)] == [
        "18806276", "70020315", "01600026", "18951020", "32528969",
    ]  # fmt: skip


# C.3, plain signature


def test_the_signatures_of_appendix_c3_come_out() -> None:
    assert [sign("OCRA-1:HOTP-SHA256-8:QA08", KEY32, f"SIG1{n}000") for n in range(5)] == [
        "53095496", "04110475", "31331128", "76028668", "46554205",
    ]  # fmt: skip


def test_the_signatures_of_appendix_c3_with_the_time_come_out() -> None:
    assert [sign("OCRA-1:HOTP-SHA512-8:QA10-T1M", KEY64, f"SIG1{n}00000", step=STEP) for n in range(5)] == [
        "77537423", "31970405", "10235557", "95213541", "65360607",
    ]  # fmt: skip


# Beyond the vectors


def test_a_foreign_library_shows_the_same_codes_for_random_suites_and_questions() -> None:
    chance = random.Random(6287)  # the same cases at every run
    for _ in range(300):
        length = chance.randrange(4, 65)
        kind, alphabet = chance.choice([("N", "0123456789"), ("A", "0123456789ABCXYZabc"), ("H", "0123456789ABCDEFabcdef")])
        length += length % 2 if kind == "H" else 0  # the foreign library reads whole bytes of hex
        counts, hashed, timed = (chance.random() < 0.5 for _ in range(3))
        text = (
            f"OCRA-1:HOTP-{chance.choice(['SHA1', 'SHA256', 'SHA512'])}-{chance.randrange(4, 11)}:"
            f"{'C-' * counts}Q{kind}{length:02d}{'-PSHA256' * hashed}{'-T30S' * timed}"
        )
        question = "".join(chance.choice(alphabet) for _ in range(length))
        counter, pin, step = chance.randrange(2**63), hashlib.sha256(b"1234").digest(), chance.randrange(2**40)
        ours = sign(
            text, KEY32, question, counter=counter if counts else None, pin_hash=pin if hashed else None,
            step=step if timed else None,
        )  # fmt: skip
        theirs = oath.str2ocrasuite(text)(KEY32, C=counter, Q=question, P="1234", T_precomputed=step)
        assert ours == theirs, (text, question)


def test_a_code_that_is_not_truncated_is_the_whole_hmac() -> None:
    assert len(sign("OCRA-1:HOTP-SHA256-0:QN08", KEY32, "12345678")) == 64


def test_what_is_signed_is_the_suite_a_zero_and_every_input_at_its_full_length() -> None:
    suite = read_suite("OCRA-1:HOTP-SHA1-6:C-QH06-PSHA1-S064-T1H")
    inputs = Inputs("ABCDE", counter=1, pin_hash=PIN, session=b"session", step=2)
    question = bytes.fromhex("ABCDE0") + bytes(125)
    expected = (
        suite.text.encode(), b"\0", (1).to_bytes(8, "big"), question, PIN, b"session".rjust(64, b"\0"), (2).to_bytes(8, "big"),
    )  # fmt: skip
    assert make_message(suite, inputs) == b"".join(expected)


@pytest.mark.parametrize(
    ("suite", "inputs"),
    [
        ("QN08", {"question": "12345678", "counter": 0}),
        ("C-QN08", {"question": "12345678"}),
        ("QN08", {"question": "1234567A"}),
        ("QN08", {"question": ""}),
        ("QN08", {"question": "1" * 17}),
        ("QN08", {"question": "١٢٣٤٥٦٧٨"}),
        ("QA08", {"question": "with-dash"}),
        ("QH08", {"question": "WXYZ"}),
        ("QN08-PSHA1", {"question": "1", "pin_hash": bytes(32)}),
        ("QN08-S064", {"question": "1", "session": bytes(65)}),
    ],
)
def test_what_the_suite_does_not_want_is_refused(suite: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(NotForSuite):
        answer(KEY20, read_suite(f"OCRA-1:HOTP-SHA1-6:{suite}"), Inputs(**inputs))


def test_inputs_and_errors_show_neither_pin_nor_session() -> None:
    assert "1234" not in repr(Inputs("5", pin_hash=b"1234", session=b"1234"))


def test_a_random_question_has_the_length_asked_for() -> None:
    questions = {new_question(8) for _ in range(100)}
    assert len(questions) == 100
    assert all(len(question) == 8 and question.isdigit() for question in questions)


# Suites


def test_a_suite_is_read_whole() -> None:
    suite = read_suite("OCRA-1:HOTP-SHA512-10:C-QH40-PSHA256-S128-T24H")
    assert (suite.hash, suite.digits, suite.counts) == ("sha512", 10, True)
    assert (suite.question_format, suite.question_length) == (QuestionFormat.HEX, 40)
    assert (suite.pin_hash, suite.session_bytes, suite.step_seconds) == ("sha256", 128, 86_400)


def test_what_a_suite_leaves_out_is_what_the_standard_says() -> None:
    suite = read_suite("OCRA-1:HOTP-SHA1-6:Q-P-S-T")
    assert (suite.question_format, suite.question_length, suite.pin_hash) == (QuestionFormat.DIGITS, 8, "sha1")
    assert (suite.session_bytes, suite.step_seconds, suite.counts) == (64, 60, False)
    assert read_suite("OCRA-1:HOTP-SHA1-4:QH8-S512").question_length == 8, "as the standard itself writes it"


@pytest.mark.parametrize(
    "text",
    [
        "", "OCRA-1", "OCRA-2:HOTP-SHA1-6:QN08", "OCRA-1:TOTP-SHA1-6:QN08", "OCRA-1:HOTP-SHA3-6:QN08", "OCRA-1:HOTP-MD5-6:QN08",
        "OCRA-1:HOTP-SHA1-3:QN08", "OCRA-1:HOTP-SHA1-11:QN08", "OCRA-1:HOTP-SHA1-06:QN08", "OCRA-1:HOTP-SHA1-6:C",
        "OCRA-1:HOTP-SHA1-6:QN03", "OCRA-1:HOTP-SHA1-6:QN65", "OCRA-1:HOTP-SHA1-6:QX08", "OCRA-1:HOTP-SHA1-6:QN",
        "OCRA-1:HOTP-SHA1-6:QN08-C", "OCRA-1:HOTP-SHA1-6:QN08-T1M-PSHA1", "OCRA-1:HOTP-SHA1-6:QN08-PMD5",
        "OCRA-1:HOTP-SHA1-6:QN08-S000", "OCRA-1:HOTP-SHA1-6:QN08-S513", "OCRA-1:HOTP-SHA1-6:QN08-S64",
        "OCRA-1:HOTP-SHA1-6:QN08-T0H", "OCRA-1:HOTP-SHA1-6:QN08-T60S", "OCRA-1:HOTP-SHA1-6:QN08-T60M",
        "OCRA-1:HOTP-SHA1-6:QN08-T49H", "OCRA-1:HOTP-SHA1-6:QN08-T1D", "OCRA-1:HOTP-SHA1-6:QN08 ", "ocra-1:hotp-sha1-6:qn08",
        "OCRA-1:HOTP-SHA1-6:QN08\n", "OCRA-1:HOTP-SHA1-6:QN٠٨",
    ],
)  # fmt: skip
def test_what_is_no_suite_is_refused(text: str) -> None:
    with pytest.raises(NoSuchSuite):
        read_suite(text)


@pytest.mark.parametrize(
    "inputs", ["QN08", "C-QN08", "QN10-T1M", "QA08", "QH16", "C-QA12", "QN08-T30S", "QN16-T10M", "Q"]
)  # fmt: skip
def test_suites_that_a_token_may_have(inputs: str) -> None:
    assert find_refusal(read_suite(f"OCRA-1:HOTP-SHA256-8:{inputs}")) is None


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        ("HOTP-SHA1-0:QN08", "6 to 8 digits"),
        ("HOTP-SHA1-4:QN08", "6 to 8 digits"),
        ("HOTP-SHA1-10:QN08", "6 to 8 digits"),
        ("HOTP-SHA1-6:QN07", "binds no purchase"),
        ("HOTP-SHA1-6:QN17", "is not typed"),
        ("HOTP-SHA1-6:QN08-PSHA1", "PIN"),
        ("HOTP-SHA1-6:QN08-S064", "session"),
        ("HOTP-SHA1-6:C-QN08-T1M", "both a counter and the time"),
        ("HOTP-SHA1-6:QN08-T20S", "30 seconds to 10 minutes"),
        ("HOTP-SHA1-6:QN08-T1H", "30 seconds to 10 minutes"),
    ],
)
def test_suites_that_no_token_may_have_are_refused_with_the_reason(suite: str, reason: str) -> None:
    said = find_refusal(read_suite(f"OCRA-1:{suite}"))
    assert said is not None
    assert reason in said
