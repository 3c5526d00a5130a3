"""The shapes of UK Open Banking v4.0: an exact writer of what we send, a tolerant reader of what banks send.

The reader takes v3.1 words too, and whatever is missing, misnamed or of the wrong kind is as if it were absent. No table here
turns the unknown into success.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from strongroom.banking.port import (
    AccessOrder,
    Account,
    ConsentReport,
    ConsentStatus,
    CustomerContext,
    Payee,
    PaymentOrder,
    PaymentReport,
    PaymentStatus,
)

Json: TypeAlias = Mapping[str, Any]

SORT_CODE_SCHEMES = frozenset({"UK.OBIE.SortCodeAccountNumber", "SortCodeAccountNumber"})
IBAN_SCHEMES = frozenset({"UK.OBIE.IBAN", "IBAN"})
PERMISSIONS = ("ReadAccountsDetail", "ReadParty")  # the least that shows number and holder
MAX_KEY_LENGTH = 40
MAX_ID_LENGTH = 128

PAYMENT_STATUS = {
    "ACSC": PaymentStatus.EXECUTED,
    "ACWP": PaymentStatus.EXECUTED,
    "ACCC": PaymentStatus.CREDITED,
    "BLCK": PaymentStatus.HELD,
    "RJCT": PaymentStatus.REJECTED,
    "AcceptedSettlementCompleted": PaymentStatus.EXECUTED,
    "AcceptedWithoutPosting": PaymentStatus.EXECUTED,
    "AcceptedCreditSettlementCompleted": PaymentStatus.CREDITED,
    "Rejected": PaymentStatus.REJECTED,
}
CONSENT_STATUS = {
    "AWAU": ConsentStatus.AWAITING,
    "AUTH": ConsentStatus.AUTHORISED,
    "RJCT": ConsentStatus.REJECTED,
    "COND": ConsentStatus.CONSUMED,
    "EXPD": ConsentStatus.GONE,
    "CANC": ConsentStatus.GONE,
    "AwaitingAuthorisation": ConsentStatus.AWAITING,
    "Authorised": ConsentStatus.AUTHORISED,
    "Rejected": ConsentStatus.REJECTED,
    "Consumed": ConsentStatus.CONSUMED,
    "Revoked": ConsentStatus.GONE,
}
# What is paid for, in the standard's words: context, category (ExternalCategoryPurpose1Code) and purpose (ExternalPurpose1Code). A
# bill for work done or to be done, or money for the purchase of a property, which has purposes of its own: PDEP and PCOM.
PURPOSES = {
    "fees": ("BillingGoodsAndServicesInArrears", "SUPP", "FEES"),
    "searches": ("BillingGoodsAndServicesInAdvance", "SUPP", "SCVE"),
    "deposit": ("TransferToThirdParty", "OTHR", "PDEP"),
    "completion": ("TransferToThirdParty", "OTHR", "PCOM"),
}
OTHER_PURPOSE = ("TransferToThirdParty", "OTHR", "OTHR")
ACCOUNT_TYPES = {
    **dict.fromkeys(("CACC", "TRAN", "SLRY", "CurrentAccount"), "current"),
    **dict.fromkeys(("SVGS", "LLSV", "MOMA", "Savings"), "savings"),
    **dict.fromkeys(("WALT", "EMoney"), "e-money"),
}
CANNOT_RECEIVE = frozenset({"CARD", "LOAN", "MORT", "CHAR", "CreditCard", "ChargeCard", "PrePaidCard", "Loan", "Mortgage"})


def consent_body(order: PaymentOrder) -> bytes:
    """Write the payment consent. The same order always gives the same bytes, so that its idempotency key may be used again."""
    data = {
        "ReadRefundAccount": "Yes",
        "Initiation": _initiation(order),
        "Authorisation": {"AuthorisationType": "Single"},
    }
    return msgspec.json.encode({"Data": data, "Risk": _risk(order)})


def payment_body(order: PaymentOrder, consent_id: str) -> bytes:
    """Write the payment itself, with the identical Initiation and Risk as its consent."""
    return msgspec.json.encode(
        {"Data": {"ConsentId": consent_id, "Initiation": _initiation(order)}, "Risk": _risk(order)},
    )


def access_body(order: AccessOrder) -> bytes:
    """Write the account access consent."""
    expires_at = order.expires_at.astimezone(UTC).isoformat(timespec="seconds")
    return msgspec.json.encode({"Data": {"Permissions": PERMISSIONS, "ExpirationDateTime": expires_at}, "Risk": {}})


def check_order(order: PaymentOrder) -> None:
    """Raise ValueError for an order that no bank could carry; funds never makes one."""
    limits = {
        "instruction_id": (order.instruction_id, 35),
        "end_to_end_id": (order.end_to_end_id, 31),
        "consent_idempotency_key": (order.consent_idempotency_key, MAX_KEY_LENGTH),
        "submit_idempotency_key": (order.submit_idempotency_key, MAX_KEY_LENGTH),
        "reference": (order.reference, 18),
        "payee.name": (order.payee.name, 350),
    }
    for name, (value, longest) in limits.items():
        if not value.strip() or len(value) > longest:
            raise ValueError(f"{name} must have 1 to {longest} characters")
    if order.currency != "GBP" or order.amount_minor <= 0:
        raise ValueError("the amount must be a positive number of pence")
    if not re.fullmatch(r"[0-9]{14}", order.payee.sort_code + order.payee.account_number):
        raise ValueError("the payee needs a sort code of 6 and an account number of 8 digits")


def customer_headers(customer: CustomerContext) -> dict[str, str]:
    """Write who is present into headers, leaving out whatever could not stand in one."""
    headers = {}
    if customer.ip_address is not None and _is_address(customer.ip_address):
        headers["x-fapi-customer-ip-address"] = customer.ip_address
    agent = re.sub(r"[^\x20-\x7e]", "", customer.user_agent or "").strip()[:256]
    if agent:
        headers["x-customer-user-agent"] = agent
    return headers


def read_object(body: bytes) -> Json | None:
    """Read a JSON object, or None: banks answer HTML, nothing at all, or a list."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def payment_status(bank_status: str) -> PaymentStatus:
    """Say where a payment stands. Total: what we do not know is pending."""
    return PAYMENT_STATUS.get(bank_status, PaymentStatus.PENDING)


def consent_status(bank_status: str) -> ConsentStatus:
    """Say where a consent stands. Total."""
    return CONSENT_STATUS.get(bank_status, ConsentStatus.UNKNOWN)


def read_consent_id(answer: Json) -> str | None:
    """Find the id of the consent that an answer is about."""
    return _id(_part(answer, "Data"), "ConsentId")


def read_payment(answer: Json, evidence: bytes) -> PaymentReport | None:
    """Read an answer about a payment; None when it does not say which payment it is about."""
    data = _part(answer, "Data")
    payment_id = _id(data, "DomesticPaymentId")
    if payment_id is None:
        return None
    bank_status = _text(data, "Status") or ""
    reason_code, reason = _reason(data)
    return PaymentReport(
        bank_payment_id=payment_id,
        status=payment_status(bank_status),
        bank_status=bank_status,
        reason_code=reason_code,
        reason=reason,
        payer=_payer(data),
        status_at=_time(data, "StatusUpdateDateTime"),
        evidence=evidence,
    )


def read_consent(answer: Json, consent_id: str) -> ConsentReport:
    """Read an answer about a consent."""
    data = _part(answer, "Data")
    reason_code, reason = _reason(data)
    return ConsentReport(consent_id, consent_status(_text(data, "Status") or ""), reason_code, reason)


def read_accounts(answer: Json) -> tuple[Account, ...]:
    """Read one page of accounts; entries without an id cannot be spoken of and are left out."""
    return tuple(account for item in _parts(_part(answer, "Data"), "Account") if (account := _account(item)) is not None)


def read_next_page(answer: Json) -> str | None:
    """Find the link to the next page."""
    return _text(_part(answer, "Links"), "Next")


def read_holder(answer: Json) -> str | None:
    """Read the name of an account's one party, or the names of its parties joined by `and`."""
    party = _part(answer, "Data").get("Party")
    parties = party if isinstance(party, list) else [party]
    names = (_text(each, "FullLegalName") or _text(each, "Name") for each in parties if isinstance(each, dict))
    return " and ".join(dict.fromkeys(name for name in names if name)) or None


def read_error_codes(answer: Json) -> tuple[str, ...]:
    """Read every error code of an error body, v4 (`U011`, `AC17`) or v3 (`UK.OBIE.…`)."""
    return tuple(code for item in _parts(answer, "Errors") if (code := _text(item, "ErrorCode")))


def _initiation(order: PaymentOrder) -> Json:
    return {
        "InstructionIdentification": order.instruction_id,
        "EndToEndIdentification": order.end_to_end_id,
        "InstructedAmount": {"Amount": _amount(order.amount_minor), "Currency": order.currency},
        "CreditorAccount": _creditor(order.payee),
        "RemittanceInformation": {"Structured": [{"CreditorReferenceInformation": {"Reference": order.reference}}]},
    }


def _creditor(payee: Payee) -> Json:
    return {
        "SchemeName": "UK.OBIE.SortCodeAccountNumber",
        "Identification": payee.sort_code + payee.account_number,
        "Name": payee.name,
    }


def _risk(order: PaymentOrder) -> Json:
    context, category, purpose = PURPOSES.get(order.purpose, OTHER_PURPOSE)
    return {
        "PaymentContextCode": context,
        "ContractPresentIndicator": True,
        "BeneficiaryPrepopulatedIndicator": True,
        "PaymentPurposeCode": purpose,
        "CategoryPurposeCode": category,
        "BeneficiaryAccountType": "Business",
    }


def _amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _account(item: Json) -> Account | None:
    account_id = _id(item, "AccountId")
    if account_id is None:
        return None
    kind = _text(item, "AccountTypeCode") or _text(item, "AccountSubType")
    entries = _parts(item, "Account")
    found = _identified(account_id, entries)
    numbered = found.sort_code is not None or found.iban is not None
    return replace(
        found,
        account_type=ACCOUNT_TYPES.get(kind, "other") if kind else None,
        currency=_text(item, "Currency"),
        can_receive=kind not in CANNOT_RECEIVE and (numbered or not entries),
    )


def _identified(account_id: str, entries: Iterable[Json]) -> Account:
    """Put together what the identifications of one account say; `-`, masked and cut numbers say nothing."""
    numbers = iban = name = None
    for entry in entries:
        scheme, identification = _text(entry, "SchemeName"), _text(entry, "Identification") or ""
        if scheme in SORT_CODE_SCHEMES:
            numbers = numbers or _split_numbers(identification)
        elif scheme in IBAN_SCHEMES:
            iban = iban or _checked_iban(identification)
        name = name or _text(entry, "Name")
    sort_code, account_number = numbers or _numbers_in(iban)
    return Account(account_id, name, sort_code, account_number, iban)


def _split_numbers(identification: str) -> tuple[str, str] | None:
    digits = re.sub(r"[ -]", "", identification)
    return (digits[:6], digits[6:]) if re.fullmatch(r"[0-9]{14}", digits) else None


def _checked_iban(identification: str) -> str | None:
    """Return the IBAN without spaces if its check digits hold (ISO 13616)."""
    iban = identification.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban):
        return None
    as_number = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return iban if int(as_number) % 97 == 1 else None


def _numbers_in(iban: str | None) -> tuple[str | None, str | None]:
    """Read sort code and account number out of a British IBAN: GB, 2 check digits, 4 letters, 6 and 8 digits."""
    found = re.fullmatch(r"GB[0-9]{2}[A-Z]{4}([0-9]{6})([0-9]{8})", iban or "")
    return (found[1], found[2]) if found else (None, None)


def _payer(data: Json) -> Account | None:
    """Read who paid: the debtor as the bank names it, else the account to refund; the two are never mixed."""
    told = [part for part in (_part(data, "Debtor"), _part(_part(data, "Refund"), "Account")) if part]
    payers = [_identified(_text(part, "Identification") or "payer", [part]) for part in told]
    complete = [payer for payer in payers if payer.name and payer.sort_code]
    return next(iter(complete or payers), None)


def _reason(data: Json) -> tuple[str | None, str | None]:
    reason = data.get("StatusReason")
    if isinstance(reason, str):  # v3: one word
        return reason or None, None
    first = next(iter(_parts(data, "StatusReason")), {})
    return _text(first, "StatusReasonCode"), _text(first, "StatusReasonDescription")


def _part(value: Json, name: str) -> Json:
    part = value.get(name)
    return part if isinstance(part, dict) else {}


def _parts(value: Json, name: str) -> list[Json]:
    parts = value.get(name)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(value: Json, name: str) -> str | None:
    text = value.get(name)
    return text.strip()[:500] or None if isinstance(text, str) else None


def _id(value: Json, name: str) -> str | None:
    text = value.get(name)
    return text if isinstance(text, str) and 0 < len(text) <= MAX_ID_LENGTH else None


def _time(value: Json, name: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(value, name) or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
