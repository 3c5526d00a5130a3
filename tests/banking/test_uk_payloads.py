"""What we write keeps to the published schemas; what we read survives what banks really send."""

from __future__ import annotations

import csv
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from strongroom.banking.connectors import uk_payloads as payloads
from strongroom.banking.connectors.uk_words import plain_reason
from strongroom.banking.port import AccessOrder, ConsentStatus, PaymentStatus

STANDARDS = Path(__file__).parents[3] / "shared" / "standards" / "uk-open-banking"
published = pytest.mark.skipif(not STANDARDS.is_dir(), reason="the standard's published documents are not beside the project")


def faults(document: str, schema: str, body: bytes) -> list[str]:
    components = json.loads((STANDARDS / f"{document}-openapi-v4.0.json").read_text())["components"]
    validator = Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": components}, format_checker=FormatChecker()
    )
    return [error.message for error in validator.iter_errors(json.loads(body))]


@published
@pytest.mark.parametrize("purpose", ["fees", "deposit", "completion", "searches", "other", "something new"])
def test_a_payment_and_its_consent_keep_to_the_published_schema(order, purpose):
    order = dataclasses.replace(order, purpose=purpose)
    assert faults("payment-initiation", "OBWriteDomesticConsent4", payloads.consent_body(order)) == []
    assert faults("payment-initiation", "OBWriteDomestic2", payloads.payment_body(order, "consent-1")) == []


@published
@pytest.mark.parametrize(
    ("purpose", "meaning"),
    [
        ("fees", "PaymentOfFees"),
        ("searches", "PurchaseSaleOfServices"),
        ("deposit", "PropertyDeposit"),
        ("completion", "PropertyCompletionPayment"),
        ("other", "Other"),
    ],
)
def test_what_is_paid_for_is_said_in_the_published_code_of_that_meaning(order, purpose, meaning):
    with (STANDARDS / "ISO_External_CodeSet.csv").open(encoding="utf-8-sig") as file:
        names = {row[1]: row[2] for row in csv.reader(file) if row and row[0] == "ExternalPurpose1Code"}
    risk = json.loads(payloads.consent_body(dataclasses.replace(order, purpose=purpose)))["Risk"]
    assert names[risk["PaymentPurposeCode"]] == meaning


@published
def test_the_validator_would_notice_a_wrong_body(order):
    wrong = {**json.loads(payloads.consent_body(order)), "Extra": 1}
    wrong["Data"]["Initiation"]["InstructedAmount"]["Amount"] = "1,00"
    wrong["Risk"]["PaymentContextCode"] = "Deposit"
    assert len(faults("payment-initiation", "OBWriteDomesticConsent4", json.dumps(wrong).encode())) == 3


@published
def test_an_access_consent_keeps_to_the_published_schema(order):
    body = payloads.access_body(AccessOrder(datetime(2026, 1, 2, 3, 4, 5, 678, UTC), order.back))
    assert faults("account-info", "OBReadConsent1", body) == []
    assert json.loads(body)["Data"]["ExpirationDateTime"] == "2026-01-02T03:04:05+00:00"


@published
def test_every_published_payment_status_is_known_or_pending():
    with (STANDARDS / "OB_Internal_Codeset.csv").open(encoding="utf-8-sig") as file:
        codes = {row[1] for row in csv.reader(file) if row and row[0] == "ExternalPaymentTransactionStatus1Code"}
    assert codes >= {"ACCC", "ACSC", "RJCT"}
    final = {code: payloads.payment_status(code) for code in codes if payloads.payment_status(code) is not PaymentStatus.PENDING}
    assert final == {
        "ACSC": PaymentStatus.EXECUTED,
        "ACWP": PaymentStatus.EXECUTED,
        "ACCC": PaymentStatus.CREDITED,
        "BLCK": PaymentStatus.HELD,
        "RJCT": PaymentStatus.REJECTED,
    }


@given(st.text())
def test_an_unknown_status_is_pending_and_never_success(word):
    if word not in payloads.PAYMENT_STATUS:
        assert payloads.payment_status(word) is PaymentStatus.PENDING
    if word not in payloads.CONSENT_STATUS:
        assert payloads.consent_status(word) is ConsentStatus.UNKNOWN


@pytest.mark.parametrize("near", ["accc", "ACCC ", "Accc", "", "ACSP", "Completed", "SUCCESS", "ok"])
def test_what_only_looks_like_success_is_pending(near):
    assert payloads.payment_status(near) is PaymentStatus.PENDING


def test_the_payment_repeats_initiation_and_risk_of_its_consent_to_the_letter(order):
    consent, payment = json.loads(payloads.consent_body(order)), json.loads(payloads.payment_body(order, "c"))
    assert json.dumps(consent["Data"]["Initiation"]) == json.dumps(payment["Data"]["Initiation"])
    assert json.dumps(consent["Risk"]) == json.dumps(payment["Risk"])
    assert consent["Data"]["ReadRefundAccount"] == "Yes"
    assert consent["Data"]["Authorisation"] == {"AuthorisationType": "Single"}


@pytest.mark.parametrize(
    ("minor", "text"), [(1, "0.01"), (99, "0.99"), (100, "1.00"), (10_000, "100.00"), (123_456_789, "1234567.89")]
)
def test_amounts_are_written_with_two_places(order, minor, text):
    body = json.loads(payloads.consent_body(dataclasses.replace(order, amount_minor=minor)))
    assert body["Data"]["Initiation"]["InstructedAmount"] == {"Amount": text, "Currency": "GBP"}


@pytest.mark.parametrize(
    "change",
    [
        {"instruction_id": "x" * 36},
        {"instruction_id": ""},
        {"end_to_end_id": "x" * 32},
        {"consent_idempotency_key": "x" * 41},
        {"submit_idempotency_key": " "},
        {"reference": "x" * 19},
        {"currency": "EUR"},
        {"amount_minor": 0},
        {"amount_minor": -1},
    ],
)
def test_an_order_no_bank_could_carry_is_refused_before_it_is_sent(order, change):
    payloads.check_order(order)
    with pytest.raises(ValueError, match=r"must|needs"):
        payloads.check_order(dataclasses.replace(order, **change))


def test_a_payee_without_numbers_is_refused(order):
    with pytest.raises(ValueError, match="sort code"):
        payloads.check_order(dataclasses.replace(order, payee=dataclasses.replace(order.payee, sort_code="11-22-33")))


# --- reading -------------------------------------------------------------------------------------------------------------

IDENTIFICATIONS = {
    "14 digits": ("UK.OBIE.SortCodeAccountNumber", "11223312345678", ("112233", "12345678", None)),
    "spaces and dashes": ("UK.OBIE.SortCodeAccountNumber", "11-22-33 12345678", ("112233", "12345678", None)),
    "v3 scheme": ("SortCodeAccountNumber", "11223312345678", ("112233", "12345678", None)),
    "a dash": ("UK.OBIE.SortCodeAccountNumber", "-", (None, None, None)),
    "the word undefined": ("UK.OBIE.SortCodeAccountNumber", "undefined12345678", (None, None, None)),
    "masked": ("UK.OBIE.SortCodeAccountNumber", "******12345678", (None, None, None)),
    "other digits": ("UK.OBIE.SortCodeAccountNumber", "١١٢٢٣٣١٢٣٤٥٦٧٨", (None, None, None)),
    "British IBAN": ("UK.OBIE.IBAN", "GB82 WEST 1234 5698 7654 32", ("123456", "98765432", "GB82WEST12345698765432")),
    "foreign IBAN": ("UK.OBIE.IBAN", "DE89370400440532013000", (None, None, "DE89370400440532013000")),
    "IBAN with a slip": ("UK.OBIE.IBAN", "GB82WEST12345698765433", (None, None, None)),
    "card": ("UK.OBIE.PAN", "5555555555554444", (None, None, None)),
}


@pytest.mark.parametrize("name", IDENTIFICATIONS)
def test_an_identification_says_what_it_says_or_nothing(name):
    scheme, identification, expected = IDENTIFICATIONS[name]
    entry = {"AccountId": "a", "Account": [{"SchemeName": scheme, "Identification": identification}]}
    (account,) = payloads.read_accounts({"Data": {"Account": [entry]}})
    assert (account.sort_code, account.account_number, account.iban) == expected


@pytest.mark.parametrize(
    ("fields", "kind", "can_receive"),
    [
        ({"AccountTypeCode": "CACC"}, "current", True),
        ({"AccountSubType": "CurrentAccount", "AccountType": "Personal"}, "current", True),
        ({"AccountTypeCode": "SVGS"}, "savings", True),
        ({"AccountSubType": "EMoney"}, "e-money", True),
        ({"AccountTypeCode": "CARD"}, "other", False),
        ({"AccountSubType": "CreditCard"}, "other", False),
        ({"AccountTypeCode": "MORT"}, "other", False),
        ({}, None, True),
        ({"Account": [{"SchemeName": "UK.OBIE.PAN", "Identification": "5555"}]}, None, False),
    ],
)
def test_an_account_says_whether_it_can_receive(fields, kind, can_receive):
    (account,) = payloads.read_accounts({"Data": {"Account": [{"AccountId": "a", **fields}]}})
    assert (account.account_type, account.can_receive) == (kind, can_receive)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"Data": None},
        {"Data": {"Account": {"AccountId": "a"}}},
        {"Data": {"Account": [None, 1, {"AccountId": 7}, {"AccountId": ""}, {"AccountId": "x" * 200}]}},
    ],
)
def test_pages_of_another_shape_hold_no_accounts(value):
    assert payloads.read_accounts(value) == ()


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False)
NAMES = st.sampled_from(
    [
        *("Data", "Account", "AccountId", "Status", "StatusReason", "StatusUpdateDateTime", "Debtor", "Refund", "Name"),
        *("Identification", "SchemeName", "DomesticPaymentId", "ConsentId", "Links", "Next", "Party", "Errors", "ErrorCode"),
    ]
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=20)


@given(st.dictionaries(NAMES, JSON))
def test_no_shape_makes_a_reader_raise(value):
    payloads.read_accounts(value)
    payloads.read_next_page(value)
    payloads.read_holder(value)
    payloads.read_error_codes(value)
    payloads.read_consent(value, "c")
    report = payloads.read_payment(value, b"")
    assert report is None or report.status in PaymentStatus


def test_the_payer_is_the_debtor_or_else_the_refund_account_and_never_a_mixture():
    numbers = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "11223312345678"}
    other = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "99887712345678", "Name": "B"}

    def payer(**data: object):
        report = payloads.read_payment({"Data": {"DomesticPaymentId": "p", **data}}, b"")
        return (report.payer.name, report.payer.sort_code) if report.payer else None

    assert payer() is None
    assert payer(Debtor={**numbers, "Name": "A"}, Refund={"Account": other}) == ("A", "112233")
    assert payer(Debtor=numbers, Refund={"Account": other}) == ("B", "998877")
    assert payer(Debtor=numbers) == (None, "112233")
    assert payer(Refund={"Account": other}) == ("B", "998877")


def test_reasons_are_read_in_both_versions():
    v4 = {"Status": "RJCT", "StatusReason": [{"StatusReasonCode": "AM04", "StatusReasonDescription": "No funds"}]}
    v3 = {"Status": "Rejected", "StatusReason": "ProprietaryRejection"}
    reports = [payloads.read_consent({"Data": data}, "c") for data in (v4, v3)]
    assert [(report.status, report.reason_code) for report in reports] == [
        (ConsentStatus.REJECTED, "AM04"),
        (ConsentStatus.REJECTED, "ProprietaryRejection"),
    ]
    assert plain_reason("AM04", "No funds") == "There is not enough money in the account"
    assert plain_reason("ZZ99", "Their\r\nwords") == "Theirwords"
    assert plain_reason(None) is None
