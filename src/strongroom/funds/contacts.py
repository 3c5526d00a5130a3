"""Read how a customer is reached and recognised: e-mail address, telephone number, date of birth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from strongroom.kit.body import Unacceptable

MAX_EMAIL = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets
MAX_PHONE = 32
MIN_AGE_YEARS, MAX_AGE_YEARS = 16, 120
HOME_REGION = "GB"

_PHONE = re.compile(r"\+?[0-9 ().\-]+")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_NO_TEXTS = frozenset(
    {
        phonenumbers.PhoneNumberType.PREMIUM_RATE,
        phonenumbers.PhoneNumberType.SHARED_COST,
        phonenumbers.PhoneNumberType.TOLL_FREE,
        phonenumbers.PhoneNumberType.PAGER,
        phonenumbers.PhoneNumberType.UAN,
        phonenumbers.PhoneNumberType.VOICEMAIL,
    }
)


class UnacceptableContact(Unacceptable):
    """The text is no e-mail address, telephone number or date of birth that we can use."""


@dataclass(frozen=True, slots=True)
class Email:
    """An address as it was given, and the form in which two spellings of it are the same."""

    given: str
    normal: str


def parse_email(text: str) -> Email:
    """Read an address without asking the DNS; no mail is ever sent to it. Raise UnacceptableContact.

    Capitals, Unicode compositions and the two spellings of an international domain make no difference to `normal`.
    """
    if len(text) > MAX_EMAIL:
        raise UnacceptableContact(f"may have at most {MAX_EMAIL} characters")
    try:
        # The flag admits the reserved domain .test, which sandboxes use.
        found = validate_email(text, check_deliverability=False, strict=True, test_environment=True)
    except EmailNotValidError as error:
        raise UnacceptableContact("is not a valid e-mail address") from error
    return Email(text, f"{found.local_part.lower()}@{(found.ascii_domain or found.domain).lower()}")


def parse_phone(text: str) -> str:
    """Return the E.164 digits without `+`. Raise UnacceptableContact when no text message can reach such a number.

    `07…` is a number of the United Kingdom; every other number begins with its country code, with or without `+` or `00`.
    Length and country are checked, not whether the range is in use: that list is never complete.
    """
    if len(text) > MAX_PHONE or not _PHONE.fullmatch(text.strip(" ")):
        raise UnacceptableContact("must be a telephone number such as 447300000001 or +44 7300 000001")
    digits = re.sub("[^0-9]", "", text).removeprefix("00")
    national = digits.startswith("0") and not text.strip(" ").startswith("+")
    try:
        number = phonenumbers.parse(digits if national else f"+{digits}", HOME_REGION)
    except phonenumbers.NumberParseException as error:
        raise UnacceptableContact("is not a telephone number of any country") from error
    if not _has_length_of_a_mobile(number):
        raise UnacceptableContact("has too few or too many digits for its country")
    if phonenumbers.number_type(number) in _NO_TEXTS:
        raise UnacceptableContact("is a number that cannot receive text messages")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def _has_length_of_a_mobile(number: phonenumbers.PhoneNumber) -> bool:
    reason = phonenumbers.is_possible_number_for_type_with_reason(number, phonenumbers.PhoneNumberType.MOBILE)
    return bool(reason == phonenumbers.ValidationResult.IS_POSSIBLE)


def parse_born_on(text: str, today: date) -> date:
    """Read `YYYY-MM-DD` as the date of birth of someone aged 16 to 120 on `today`. Raise UnacceptableContact."""
    found = _DATE.fullmatch(text)
    if not found:
        raise UnacceptableContact("must be a date written YYYY-MM-DD")
    try:
        born_on = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError as error:
        raise UnacceptableContact("is a day that does not exist") from error
    if born_on >= today:
        raise UnacceptableContact("must be in the past")
    if not MIN_AGE_YEARS <= age_years(born_on, today) <= MAX_AGE_YEARS:
        raise UnacceptableContact(f"must give an age from {MIN_AGE_YEARS} to {MAX_AGE_YEARS} years")
    return born_on


def age_years(born_on: date, today: date) -> int:
    """Return the completed years; who was born on 29 February completes one on 1 March of common years."""
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))
