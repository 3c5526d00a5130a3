"""Cards that are enrolled here, confirmed by the cardholder's device or by a code that we send to their telephone.

Who has a device is asked for its code, and gets no message. The code of a device that signs is for a question made of amount and
payee. Any other device's code names no amount: it is bound to the purchase by our record alone. Using a code up and authenticating
the purchase are one commit.
"""

from __future__ import annotations

from typing import Final

from strongroom.access.issuer_model import Issuer
from strongroom.issuing.port import IssuerCode
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Tx
from strongroom.kit.vault import Vault
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Cardholder
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.model import CodeAccepted, Match, Reason, Refused, Token
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Accepted, Locked, Matched, Purpose, Rejected
from strongroom.sca.purchasing.cards import Begun, Unusable
from strongroom.sca.purchasing.linking import find_question, make_question
from strongroom.sca.purchasing.model import Linking, Purchase

CODES: Final = {
    Reason.NO_USER: IssuerCode.NO_USER,
    Reason.NO_TOKEN: IssuerCode.NO_TOKEN,
    Reason.NOT_ACTIVATED: IssuerCode.NOT_ACTIVATED,
    Reason.BLOCKED: IssuerCode.BLOCKED,
    Reason.NOT_ASSOCIATED: IssuerCode.NOT_ASSOCIATED,
}


class EnrolledCards:
    """The keeper of `cards.Cards`. The budget of wrong codes is the card's or the device's, whatever purchase they were for."""

    def __init__(self, vault: Vault, challenges: Challenges, cardholders: Cardholders, verification: Verification) -> None:
        self._vault = vault
        self._challenges = challenges
        self._cardholders = cardholders
        self._verification = verification

    async def begin(self, tx: Tx, issuer: Issuer, pan: Secret, purchase: Purchase) -> Begun | Unusable:
        """Look the card up and ask its device, or open a challenge for the purchase; a locked card gets no message."""
        holder = await self._cardholders.find(tx, issuer.id, pan)
        if holder is None:
            return Unusable(IssuerCode.NO_USER)
        if not holder.approved:
            return Unusable(IssuerCode.NOT_ACTIVATED)
        token = await self._verification.find_usable(tx, issuer.id, holder.id)
        if isinstance(token, Refused):
            return Unusable(CODES[token.reason])
        if isinstance(token, Token):
            return self._ask(token, holder, purchase)
        if token is not None or await self._challenges.locked_seconds(tx, issuer.id, purchase.card_hash):
            return Unusable(IssuerCode.LOCKED)
        return await self._begin(tx, issuer, holder, purchase)

    async def begin_again(self, tx: Tx, issuer: Issuer, purchase: Purchase) -> Begun | Unusable:
        """Open a newer challenge for the same cardholder; one who was removed or disapproved meanwhile gets no message."""
        if purchase.challenge_id:
            await self._challenges.supersede(tx, issuer.id, purchase.challenge_id)
        holder = await self._cardholders.find_by_id(tx, issuer.id, purchase.cardholder_id or "")
        if holder is None or not holder.approved:
            return Unusable(IssuerCode.NO_USER if holder is None else IssuerCode.NOT_ACTIVATED)
        return await self._begin(tx, issuer, holder, purchase)

    async def try_code(self, actor: str, purchase: Purchase, typed: str) -> Matched | Match | Rejected | Locked | Unusable:
        """Charge a try, commit, compare."""
        if purchase.challenge_id is not None:
            return await self._challenges.try_code(purchase.issuer_id, purchase.challenge_id, typed)
        question = find_question(self._vault, purchase)
        outcome = await self._verification.try_codes(
            purchase.issuer_id, actor, purchase.cardholder_id or "", [typed], question=question
        )
        return Unusable(CODES[outcome.reason]) if isinstance(outcome, Refused) else outcome

    async def accept(
        self, tx: Tx, actor: str, purchase: Purchase, matched: Matched | Match
    ) -> Accepted | CodeAccepted | Rejected | Unusable:
        """Use the code up in the caller's transaction, unless its cardholder was removed or disapproved meanwhile."""
        approved = await self._cardholders.hold_approved(tx, purchase.issuer_id, purchase.cardholder_id or "")
        if not approved:
            return Unusable(IssuerCode.NO_USER if approved is None else IssuerCode.NOT_ACTIVATED)
        if isinstance(matched, Match):
            return await self._verification.accept(tx, actor, matched)
        return await self._challenges.accept(tx, matched)

    async def tell_locked(self, tx: Tx, purchase: Purchase, seconds: int) -> None:
        """Tell the cardholder that no code counts for so long."""
        await self._cardholders.tell_locked(tx, purchase.issuer_id, purchase.cardholder_id or "", seconds)

    async def find_account(self, tx: Tx, issuer_id: str, pan: Secret) -> Secret | None:
        """Return the account number that the card was enrolled with."""
        holder = await self._cardholders.find(tx, issuer_id, pan)
        return holder.account if holder else None

    def _ask(self, token: Token, holder: Cardholder, purchase: Purchase) -> Begun:
        if token.suite is None:
            return Begun(None, holder.id, Linking.SERVER)
        return Begun(None, holder.id, Linking.CODE, question=make_question(self._vault, purchase, token.suite.question_length))

    async def _begin(self, tx: Tx, issuer: Issuer, holder: Cardholder, purchase: Purchase) -> Begun:
        challenge_id = await self._challenges.begin(tx, purchase.issuer_id, Purpose.PURCHASE, purchase.card_hash)
        digits = issuer.settings.otp_digits  # the purchase ends with the issuer's time for a code, and takes none after
        [code] = await self._challenges.give_codes(tx, purchase.issuer_id, challenge_id, 1, digits=digits)
        return Begun(challenge_id, holder.id, Linking.CODE, Secret(code), Secret(holder.phone))
