"""The use cases of an issuer's service: a card is looked up and its code sent or asked for; a code is judged."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final

from strongroom.access.issuer_model import Issuer, SmsBy, UserIdSource
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, TokenType, Verdict
from strongroom.kit import audit
from strongroom.kit.clock import now_of
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.limits import take
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited
from strongroom.notify.model import Purpose as MessagePurpose
from strongroom.notify.texts import Template, Texts
from strongroom.sca.answering import store
from strongroom.sca.answering.judging import Judging
from strongroom.sca.answering.model import PER_CARD, Asked, AuditTag, Hub, hash_user, message_key
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Cardholder
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.model import Refused
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Locked, Purpose
from strongroom.sca.purchasing.enrolled import CODES

SMS_INFO: Final = "Enter your otp"
DEVICE_INFO: Final = "Enter the code that your device shows"
SIGNING_DEVICE_INFO: Final = "Type {} into your device and enter the code that it shows"


class _NotSent(Exception):
    """The text message may not be sent now, so that nothing of the question may stay."""


class Questions:
    """What hubs ask an issuer that keeps its tokens here."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        cardholders: Cardholders,
        verification: Verification,
        challenges: Challenges,
        messages: Messages,
        texts: Texts,
    ) -> None:
        self._db = db
        self._vault = vault
        self._cardholders = cardholders
        self._verification = verification
        self._challenges = challenges
        self._messages = messages
        self._texts = texts
        self._judging = Judging(db, vault, cardholders, verification, challenges, messages)

    async def validate_card(self, hub: Hub, pan: Secret) -> CardPrompt | CardRefused:
        """Say whether the card has a token and how its holder is asked; where messages are ours to send, send the code.

        A card about which too much was asked, or to whose telephone no message may go now, is an unknown error.
        """
        issuer_id = hub.issuer.id
        try:
            async with self._db.transaction(issuer_id) as tx:
                if not await take(tx, PER_CARD, self._vault.hash("card question", issuer_id, pan.reveal())):
                    return CardRefused(IssuerCode.UNKNOWN_ERROR)
                answer = await self._answer(tx, hub, pan)
                code = answer.code if isinstance(answer, CardRefused) else IssuerCode.SUCCESSFUL
                await audit.record(tx, issuer_id, hub.name, AuditTag.ASKED, issuer_id, {"code": str(code)})
        except _NotSent:
            return CardRefused(IssuerCode.UNKNOWN_ERROR)
        return answer

    async def authenticate_otp(self, hub: Hub, user_id: Secret, typed: Secret) -> Verdict:
        """Judge a code: charged before it is compared, and a right one counts once. Raise TooMany when too many wait."""
        return await self._judging.judge(hub, user_id, typed)

    async def _answer(self, tx: Tx, hub: Hub, pan: Secret) -> CardPrompt | CardRefused:
        issuer = hub.issuer
        holder = await self._cardholders.find(tx, issuer.id, pan)
        user_id = _user_id(issuer, holder, pan) if holder else None
        if holder is None or user_id is None:
            return CardRefused(IssuerCode.NO_USER)
        if not holder.approved:
            return CardRefused(IssuerCode.NOT_ACTIVATED)
        shown_id = user_id if issuer.settings.user_id_source is UserIdSource.RETURNED else None
        token = await self._verification.find_usable(tx, issuer.id, holder.id)
        if isinstance(token, Refused):
            return CardRefused(CODES[token.reason])
        if isinstance(token, Locked):
            return CardRefused(IssuerCode.LOCKED)
        if token is not None:
            await self._remember(tx, issuer, user_id, Asked(holder.id, token_serial=token.serial))
            question = await self._verification.ask(tx, token)
            info = DEVICE_INFO if question is None else SIGNING_DEVICE_INFO.format(question)
            return CardPrompt(TokenType.HARDWARE, info, user_id=shown_id)
        return await self._answer_by_sms(tx, hub, holder, pan, user_id, shown_id)

    async def _answer_by_sms(
        self, tx: Tx, hub: Hub, holder: Cardholder, pan: Secret, user_id: Secret, shown_id: Secret | None
    ) -> CardPrompt | CardRefused:
        """Send the code and keep the number to ourselves, or hand the number to the hub that sends codes of its own."""
        issuer = hub.issuer
        if issuer.settings.sms_by is SmsBy.HUB:
            await self._remember(tx, issuer, user_id, Asked(holder.id))
            return CardPrompt(TokenType.SMS, SMS_INFO, Secret(holder.phone), shown_id)
        card = self._vault.hash("purchase card", pan.reveal())  # wrong codes use up one budget, whichever door they come by
        if await self._challenges.locked_seconds(tx, issuer.id, card):
            return CardRefused(IssuerCode.LOCKED)
        life, digits = issuer.settings.otp_life_seconds, issuer.settings.otp_digits
        challenge_id = await self._challenges.begin(tx, issuer.id, Purpose.ISSUER, card, life_seconds=life)
        [code] = await self._challenges.give_codes(tx, issuer.id, challenge_id, 1, digits=digits)
        await self._remember(tx, issuer, user_id, Asked(holder.id, challenge_id=challenge_id))
        await self._send(tx, hub, holder, challenge_id, Secret(code))
        return CardPrompt(TokenType.SMS, SMS_INFO, user_id=shown_id)

    async def _remember(self, tx: Tx, issuer: Issuer, user_id: Secret, asked: Asked) -> None:
        """Let this question take the place of the one before, whose code counts no more."""
        user_hash = hash_user(self._vault, issuer, user_id)
        before = await store.find(tx, issuer.id, user_hash, lock=True)
        if before is not None and before.challenge_id is not None:
            await self._challenges.supersede(tx, issuer.id, before.challenge_id)
        await store.put(tx, issuer.id, user_hash, asked)

    async def _send(self, tx: Tx, hub: Hub, holder: Cardholder, challenge_id: str, code: Secret) -> None:
        issuer = hub.issuer
        now = (await now_of(tx)).astimezone(UTC)
        values = {"code": code.reveal(), "firm": issuer.name}
        queued = await self._messages.queue(
            tx,
            issuer.id,
            to=holder.phone,
            text=await self._texts.write(tx, issuer.id, Template.CARD_CODE, values),
            purpose=MessagePurpose.PURCHASE_CODE,
            valid_until=now + timedelta(seconds=issuer.settings.otp_life_seconds),
            key=message_key(challenge_id),
            sender=issuer.settings.sms_sender,
            countries=issuer.settings.sms_countries,
            client=hub.name,
        )
        if isinstance(queued, Limited):
            raise _NotSent


def _user_id(issuer: Issuer, holder: Cardholder, pan: Secret) -> Secret | None:
    """Return what the hub will call the cardholder, as the issuer's policy says."""
    match issuer.settings.user_id_source:
        case UserIdSource.PAN:
            return pan
        case UserIdSource.RETURNED:
            return Secret(holder.id)
        case UserIdSource.ACCOUNT:
            return holder.account
