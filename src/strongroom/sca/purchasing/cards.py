"""What purchases ask of the engine that keeps cardholders and their tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from strongroom.access.issuer_model import Issuer
from strongroom.issuing.port import IssuerCode
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Tx
from strongroom.sca.devices.model import CodeAccepted, Match
from strongroom.sca.model import Accepted, Locked, Matched, Rejected
from strongroom.sca.purchasing.model import Linking, Purchase


@dataclass(frozen=True, slots=True)
class Begun:
    """What the cardholder's token answers: a challenge, or for a device the purchase itself."""

    challenge_id: str | None
    cardholder_id: str
    linking: Linking
    sms_code: Secret | None = field(default=None, repr=False)  # to be sent; None for a device
    phone: Secret | None = field(default=None, repr=False)  # where it goes, in E.164 digits
    question: str | None = None  # what a device that signs is to be fed with


@dataclass(frozen=True, slots=True)
class Unusable:
    """The card has no token that could answer now, for a reason that only its issuer learns."""

    code: IssuerCode


class Cards(Protocol):
    """The engine, in a purchase's words."""

    async def begin(self, tx: Tx, issuer: Issuer, pan: Secret, purchase: Purchase) -> Begun | Unusable:
        """Look the card up and open a challenge bound to the purchase."""
        ...

    async def begin_again(self, tx: Tx, issuer: Issuer, purchase: Purchase) -> Begun | Unusable:
        """Open a newer challenge for the same cardholder; the one before counts no more."""
        ...

    async def try_code(self, actor: str, purchase: Purchase, typed: str) -> Matched | Match | Rejected | Locked | Unusable:
        """Charge a try, commit, compare."""
        ...

    async def accept(
        self, tx: Tx, actor: str, purchase: Purchase, matched: Matched | Match
    ) -> Accepted | CodeAccepted | Rejected | Unusable:
        """Use the code up in the caller's transaction, unless its cardholder was removed or disapproved meanwhile."""
        ...

    async def tell_locked(self, tx: Tx, purchase: Purchase, seconds: int) -> None:
        """Tell the cardholder that no code counts for so long."""
        ...

    async def find_account(self, tx: Tx, issuer_id: str, pan: Secret) -> Secret | None:
        """Return the account number that the card was enrolled with."""
        ...
