"""What the members of an issuer's answer say, in whichever form they came."""

from __future__ import annotations

import re
from collections.abc import Mapping

from strongroom.issuing.port import (
    CardPrompt,
    CardRefused,
    IssuerCode,
    IssuerSilent,
    IssuerUnavailable,
    TokenType,
    Verdict,
    code_of,
)
from strongroom.issuing.transport import CLIENT_FAULTS, SERVER_FAULTS
from strongroom.kit.crypto import Secret

_MAX_INFO, _MAX_VALUE = 200, 256
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069<>]+")


class Unreadable(ValueError):
    """The answer is not one of those that the contract knows."""


def card_answer(members: Mapping[str, str]) -> CardPrompt | CardRefused:
    """Return what the answer to ValidateCard says. Raise Unreadable when it has no code."""
    code = _code(members)
    if code is not IssuerCode.SUCCESSFUL:
        return CardRefused(code)
    phone, user_id = (_value(members, name) for name in ("PhoneNumber", "UserId"))
    given = members.get("TokenType", "").strip()
    is_sms = given == TokenType.SMS or (not given and phone is not None)
    return CardPrompt(TokenType.SMS if is_sms else TokenType.HARDWARE, plain(members.get("AdditionalInfo", "")), phone, user_id)


def verdict(members: Mapping[str, str]) -> Verdict:
    """Return what the answer to AuthenticateOTP says. Raise Unreadable when it has no code."""
    return Verdict(_code(members))


def plain(text: str) -> str:
    """Return an issuer's words as a payer may be shown them: one line, no control characters, at most 200 characters."""
    return " ".join(_NOT_PLAIN.sub(" ", text).split())[:_MAX_INFO]


def without_code(status: int) -> IssuerUnavailable | IssuerSilent:
    """Choose the word for an answer without a code: a refused request was not judged; of anything else nobody knows."""
    if CLIENT_FAULTS <= status < SERVER_FAULTS:
        return IssuerUnavailable(f"http_{status}", "The issuer refused the request")
    return IssuerSilent(f"http_{status}", "The issuer's answer cannot be read")


def _code(members: Mapping[str, str]) -> IssuerCode:
    if not members.get("ResponseCode", "").strip():
        raise Unreadable("no code")
    return code_of(members["ResponseCode"])


def _value(members: Mapping[str, str], name: str) -> Secret | None:
    text = members.get(name, "").strip()
    return Secret(text) if 0 < len(text) <= _MAX_VALUE else None
