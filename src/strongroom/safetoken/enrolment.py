"""What the contract asks of a cardholder to be enrolled, and what each fault is called: pure rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import phonenumbers

from strongroom.kit.crypto import Secret
from strongroom.safetoken.cards import is_card_number
from strongroom.safetoken.members import MEMBERS

_MAX_LENGTH = 200
_CHANNELS = frozenset({"1", "9"})  # the document says 9, its sample and live software say 1
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
_SWITCHES = frozenset({"IsApprovedAndEnabled", "IsFailure"})  # what they say decides something here
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
_MAX_BANK_ID = 2**31 - 1
_PHONE_SHOWN = 2
_COUNTRY_CODE_SIZES, _LENGTHS = (1, 2, 3), range(2, 18)  # of a telephone number's two parts, in digits
_SHOWN_FIRST, _SHOWN_LAST, _SHOWN_LEAST = 6, 4, 13
_APART: Final = frozenset({"CardPan", "PrimaryMobileNumber", "AccountNumber"})  # kept in columns of their own
_JUDGED_ALONE: Final = frozenset({"BankId", "RegistrationChannel", "CardPan", "PrimaryMobileNumber"})
_JUDGED_BY_SHAPE: Final = tuple(member.name for member in MEMBERS if member.name not in _JUDGED_ALONE)
_MASK = "******"  # always six, whatever the number's length: as the contract writes it


@dataclass(frozen=True, slots=True)
class Registration:
    """A cardholder as an issuer's software sent them, with nothing wrong."""

    pan: Secret
    phone: str = field(repr=False)  # country code and number, digits only (E.164)
    account: Secret | None
    approved: bool  # the token may be used at once
    failed: bool  # only that a registration failed is to be recorded
    details: dict[str, str] = field(repr=False)  # every other member as it was sent


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed of a cardholder: only what was sent."""

    phone: str | None = field(repr=False)
    account: Secret | None
    approved: bool | None
    details: dict[str, str] = field(repr=False)


def mask_phone(number: str) -> str:
    """Return a telephone number as it may be shown: its last two digits."""
    return f"{'*' * (len(number) - _PHONE_SHOWN)}{number[-_PHONE_SHOWN:]}"


def mask_pan(text: str) -> str:
    """Return a card number as it may be shown: its first six digits, six stars and its last four."""
    if len(text) < _SHOWN_LEAST or not (text.isascii() and text.isdigit()):
        return _MASK
    return f"{text[:_SHOWN_FIRST]}{_MASK}{text[-_SHOWN_LAST:]}"


def invalid_pan(pan: str) -> str:
    """Return the fault of a card number, in the document's words."""
    return f"Invalid Card PAN: {mask_pan(pan)}"


def read_bank_id(members: Mapping[str, str]) -> int | None:
    """Return the BankId; None when it is missing (a WCF client sends 0 then) or no number."""
    text = members.get("BankId", "")
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_BANK_ID)) else 0
    return value if 0 < value <= _MAX_BANK_ID else None


def read_phone(members: Mapping[str, str], name: str = "PrimaryMobileNumber") -> str | None:
    """Return a number as E.164 digits; None when it cannot be one."""
    digits = members.get(name, "").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if any(len(digits) - size in _lengths_after(digits[:size]) for size in _COUNTRY_CODE_SIZES):
        return digits
    try:  # the library's whole reading is slow, and knows prefixes that people write after the country's code too
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return None
    return digits if phonenumbers.is_possible_number(parsed) else None


def judge(members: Mapping[str, str]) -> Registration | tuple[str, ...]:
    """Return the registration, or its faults in the order of the members."""
    phone = read_phone(members)
    if faults := tuple(_faults(members, phone)):
        return faults
    account = members.get("AccountNumber")
    return Registration(
        Secret(members["CardPan"]),
        phone or "",
        Secret(account) if account else None,
        _FLAGS[members.get("IsApprovedAndEnabled", "").lower()],
        _FLAGS[members.get("IsFailure", "").lower()],
        {name: value for name, value in members.items() if name not in _APART},
    )


def judge_name(members: Mapping[str, str]) -> tuple[str, ...]:
    """Return the faults of a request that only names a cardholder."""
    return (*_bank_id_faults(members), *_pan_faults(members))


def judge_change(members: Mapping[str, str]) -> tuple[str, ...]:
    """Return the faults of a request that changes a cardholder: what is sent must be of its kind."""
    faults = [*judge_name(members)]
    if members.get("PrimaryMobileNumber") and read_phone(members) is None:
        faults.append("Invalid PrimaryMobileNumber")
    return (*faults, *_misshapen(members))


def read_changes(members: Mapping[str, str]) -> Changes:
    """Return what a request without faults changes. An empty telephone or account number changes nothing."""
    account, approved = members.get("AccountNumber"), members.get("IsApprovedAndEnabled")
    return Changes(
        read_phone(members) if members.get("PrimaryMobileNumber") else None,
        Secret(account) if account else None,
        _FLAGS[approved.lower()] if approved else None,
        {name: value for name, value in members.items() if name not in _APART},
    )


def read_failure_reason(members: Mapping[str, str]) -> str:
    """Return the number of a failed registration; an empty text for anything else, which might tell of a person."""
    reason = members.get("FailureReason", "")
    return reason if _NUMBER.fullmatch(reason) else ""


def join_faults(faults: tuple[str, ...]) -> str:
    """Return the description of an answer: each fault followed by a comma and a blank, as the document's sample has it."""
    return "".join(f"{fault}, " for fault in faults)


@cache
def _lengths_after(code: str) -> frozenset[int]:
    """Return how many digits may follow a country's code; none where the text is no country's."""
    if code.startswith("0") or int(code) not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        return frozenset()
    some = {length: phonenumbers.PhoneNumber(int(code), int("1" * length)) for length in _LENGTHS}
    return frozenset(length for length, number in some.items() if phonenumbers.is_possible_number(number))


def _faults(members: Mapping[str, str], phone: str | None) -> Iterator[str]:
    if not members.get("TerminalId"):
        yield "TerminalId is required"
    yield from _bank_id_faults(members)
    yield from _pan_faults(members)
    if "City" not in members:
        yield "City is required"
    if phone is None:
        yield "Invalid PrimaryMobileNumber" if members.get("PrimaryMobileNumber") else "PrimaryMobileNumber is required"
    if (channel := members.get("RegistrationChannel", "0")) not in _CHANNELS:
        yield "Invalid RegistrationChannel" if channel not in ("", "0") else "RegistrationChannel is required"
    yield from _misshapen(members)


def _bank_id_faults(members: Mapping[str, str]) -> Iterator[str]:
    if read_bank_id(members) is None:
        yield "Invalid BankId" if members.get("BankId", "0") not in ("", "0") else "BankId is required"


def _pan_faults(members: Mapping[str, str]) -> Iterator[str]:
    pan = members.get("CardPan", "")
    if not is_card_number(pan):
        yield invalid_pan(pan) if pan else "CardPan is required"


def _misshapen(members: Mapping[str, str]) -> Iterator[str]:
    """Yield switches that say neither yes nor no, and what is too long to be kept. What decides nothing is kept as it came."""
    for name in _JUDGED_BY_SHAPE:
        value = members.get(name, "")
        if len(value) > _MAX_LENGTH or (name in _SWITCHES and value.lower() not in _FLAGS):
            yield f"Invalid {name}"
