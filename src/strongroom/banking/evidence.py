"""Payment evidence: a file with what a bank signed about a payment, which anybody can check without us and without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from strongroom.banking.signing import SignedBy, Untrusted, read_detached

FORMAT = "strongroom-payment-evidence-1"
MAX_FILE_BYTES = 4 * 1024 * 1024


class EvidenceUnreadable(Exception):
    """The file is no payment evidence; the message says what is wrong with it."""


class Answer(msgspec.Struct, frozen=True):
    """One answer of the bank: `body` is the exact text that was signed, `jwk` the bank's public key that verified it."""

    body: str
    signature: str = msgspec.field(name="x-jws-signature")
    jwk: dict[str, Any]
    received_at: datetime | None = None

    def __repr__(self) -> str:
        return "Answer([signed])"


class EvidenceFile(msgspec.Struct, frozen=True, rename="camel"):
    """Everything a third party needs. Amounts as banks write them (`100.00`)."""

    format: str
    payment_id: str
    bank_id: str
    bank_payment_id: str | None
    end_to_end_identification: str
    amount: str
    currency: str
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of one answer: what it says, who signed it, with which key (RFC 7638); or why it proves nothing."""

    status: str | None
    signed_by: SignedBy | None
    thumbprint: str | None
    fault: str | None


def read_file(raw: bytes) -> EvidenceFile:
    """Read a file of evidence. Raise EvidenceUnreadable."""
    if len(raw) > MAX_FILE_BYTES:
        raise EvidenceUnreadable(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        file = msgspec.json.decode(raw, type=EvidenceFile)
    except msgspec.MsgspecError as error:
        raise EvidenceUnreadable(str(error)) from error
    if file.format != FORMAT:
        raise EvidenceUnreadable(f"its format is not {FORMAT}")
    return file


def judge(file: EvidenceFile, published: Sequence[str] | None = None) -> list[Judged]:
    """Check every answer of a file; `published` are the thumbprints of the bank's keys as somebody got them from the bank."""
    return [_judge(file, answer, published) for answer in file.answers]


def thumbprints(jwks: bytes) -> list[str]:
    """Return the thumbprints of the RSA keys in a bank's published key set. Raise EvidenceUnreadable."""
    try:
        keys = json.loads(jwks)["keys"]
        return [RSAKey.import_key(key).thumbprint() for key in keys if key.get("kty") == "RSA"]
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        raise EvidenceUnreadable("it is not a JSON Web Key Set") from error


def _judge(file: EvidenceFile, answer: Answer, published: Sequence[str] | None) -> Judged:
    try:
        key = RSAKey.import_key(answer.jwk)
        thumbprint = key.thumbprint()
        signed_by = read_detached(answer.body.encode(), answer.signature, key)
    except (Untrusted, JoseError, ValueError, TypeError, KeyError) as error:
        return Judged(None, None, None, str(error) if isinstance(error, Untrusted) else "the key is not an RSA key")
    said = json.loads(answer.body)
    fault = _about_another(file, said)
    if fault is None and published is not None and thumbprint not in published:
        fault = "the key is not among those that the bank publishes"
    return Judged(str(_part(said, "Data").get("Status")), signed_by, thumbprint, fault)


def _about_another(file: EvidenceFile, said: Mapping[str, Any]) -> str | None:
    """Say what shows that an answer speaks of another payment; what a bank leaves out cannot show it."""
    data = _part(said, "Data")
    initiation = _part(data, "Initiation")
    amount = _part(initiation, "InstructedAmount")
    stated = {
        "DomesticPaymentId": (data.get("DomesticPaymentId"), file.bank_payment_id),
        "EndToEndIdentification": (initiation.get("EndToEndIdentification"), file.end_to_end_identification),
        "Amount": (amount.get("Amount"), file.amount),
        "Currency": (amount.get("Currency"), file.currency),
    }
    differing = [name for name, (theirs, ours) in stated.items() if theirs is not None and theirs != ours]
    return f"the bank signed it about another payment: {', '.join(differing)} differs" if differing else None


def _part(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}
