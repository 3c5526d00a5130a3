"""How a purchase is opened: its code made and sent, asked of a device, or nobody's. Every way ends in the same statements."""

from __future__ import annotations

import re
from typing import Any

import phonenumbers

from strongroom.access.issuer_model import Issuer, SmsBy, UserIdSource
from strongroom.issuing.port import CardPrompt, CardRefused, IssuerCode, TokenType
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Tx
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.notify.model import Limited
from strongroom.notify.model import Purpose as MessagePurpose
from strongroom.notify.texts import Template, Texts
from strongroom.sca.challenges import Challenges
from strongroom.sca.model import Purpose
from strongroom.sca.purchasing import store
from strongroom.sca.purchasing.cards import Begun, Cards, Unusable
from strongroom.sca.purchasing.model import Judge, Linking, Opening, Purchase, show_money, shown_phone
from strongroom.sca.purchasing.states import PURCHASE, PurchaseEvent

SMS_PROMPT = "Enter the code that was sent to your phone"
DEVICE_PROMPT = "Enter the code that your device shows"
_TABLE = "purchases"
_DECOY_DIGITS = 13  # as long as a Nigerian number
_NIGERIA = "234"
_WRITTEN_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]*")


class NotSent(Exception):
    """The message may not be sent now, so that nothing of the newer challenge may stay."""


class Openings:
    """Opens purchases in the caller's transaction, which acts for the purchase's issuer."""

    def __init__(self, vault: Vault, challenges: Challenges, cards: Cards, messages: Messages, texts: Texts) -> None:
        self._vault = vault
        self._challenges = challenges
        self._cards = cards
        self._messages = messages
        self._texts = texts

    async def open_here(self, tx: Tx, issuer: Issuer | None, purchase: Purchase, pan: Secret) -> None:
        """Open a purchase whose card has its token here, or nowhere; of the second nothing is told."""
        found = Unusable(IssuerCode.NO_USER) if issuer is None else await self._cards.begin(tx, issuer, pan, purchase)
        if issuer is None or isinstance(found, Unusable):
            assert isinstance(found, Unusable)  # noqa: S101  # without an issuer it is
            await self._open_for_nobody(tx, purchase, found.code)
        elif found.linking is Linking.SERVER and issuer.settings.refuse_server_linking:
            await self._refuse(tx, purchase)
        else:
            code = await self._send(tx, issuer, purchase, found.phone, found.sms_code, found.challenge_id)
            await self._open(tx, purchase, _by_token(found, purchase, code))

    async def open_remote(self, tx: Tx, issuer: Issuer, purchase: Purchase, pan: Secret, answer: CardPrompt | CardRefused) -> None:
        """Open a purchase as its issuer's own service answered."""
        if isinstance(answer, CardRefused):
            await self._open_refused(tx, purchase, answer.code)
            return
        user_id = await self._user_id(tx, issuer, pan, answer)
        if user_id is None:
            await self._open_for_nobody(tx, purchase, IssuerCode.NO_USER)
        elif answer.token_type is TokenType.SMS and issuer.settings.sms_by is SmsBy.HUB and answer.phone is not None:
            if (number := find_e164(answer.phone.reveal())) is None:  # as unreadable as an answer without a code: declined
                await self._open_refused(tx, purchase, IssuerCode.UNKNOWN_ERROR)
            else:
                await self._open_with_own_code(tx, issuer, purchase, answer, Secret(number))
        elif issuer.settings.refuse_server_linking:
            await self._refuse(tx, purchase)
        else:
            await self._open_at_issuer(tx, purchase, answer, user_id)

    async def send_again(self, tx: Tx, issuer: Issuer | None, purchase: Purchase) -> None:
        """Send a fresh code; the one before counts no more. Where nobody has a code nothing is sent, and it looks the same.

        Raise NotSent where the message may not be sent: with what this transaction did undone, the code before counts on.
        """
        if issuer is None:
            return
        if purchase.judge == Judge.CARD:
            found = await self._cards.begin_again(tx, issuer, purchase)
            if isinstance(found, Begun) and found.challenge_id is not None:
                await store.set_challenge(tx, issuer.id, purchase.id, found.challenge_id)
                await self._send_or_undo(tx, issuer, purchase, found.phone, found.sms_code, found.challenge_id)
        elif sealed := (await store.sealed_columns(tx, issuer.id, purchase.id))["phone_sealed"]:
            keys = await self._vault.tenant(tx, issuer.id)
            phone = Secret(keys.unseal_text(_TABLE, "phone_sealed", purchase.id, sealed))
            if purchase.challenge_id:
                await self._challenges.supersede(tx, issuer.id, purchase.challenge_id)
            challenge_id, code = await self._own_code(tx, issuer, purchase)
            await store.set_challenge(tx, issuer.id, purchase.id, challenge_id)
            await self._send_or_undo(tx, issuer, purchase, phone, code, challenge_id)

    async def _open_refused(self, tx: Tx, purchase: Purchase, code: IssuerCode) -> None:
        if code is IssuerCode.UNKNOWN_ERROR:
            await PURCHASE.move(tx, purchase.issuer_id, purchase.id, PurchaseEvent.ISSUER_FAILED, sets={"code": code})
        else:
            await self._open_for_nobody(tx, purchase, code)

    async def _open_for_nobody(self, tx: Tx, purchase: Purchase, code: IssuerCode) -> None:
        """Open a purchase that no code can finish, by the statements of one that waits for a message."""
        challenge_id = await self._challenges.begin(tx, purchase.issuer_id, Purpose.PURCHASE, purchase.card_hash)
        tail = int.from_bytes(self._vault.hash("decoy number", purchase.card_hash)[:4]) % 100
        shown = "*" * (_DECOY_DIGITS - 2) + f"{tail:02d}"
        await self._open(
            tx,
            purchase,
            Opening(
                Judge.CODE, TokenType.SMS, SMS_PROMPT, Linking.CODE, challenge_id=challenge_id, phone_shown=shown, code=code
            ),
        )  # fmt: skip

    async def _open_with_own_code(self, tx: Tx, issuer: Issuer, purchase: Purchase, answer: CardPrompt, number: Secret) -> None:
        """Open a purchase of a remote issuer's card whose message is ours to send, and so is its code."""
        challenge_id, code = await self._own_code(tx, issuer, purchase)
        why = await self._send(tx, issuer, purchase, number, code, challenge_id)
        keys = await self._vault.tenant(tx, issuer.id)
        await self._open(
            tx,
            purchase,
            Opening(
                Judge.CODE, TokenType.SMS, answer.additional_info or SMS_PROMPT, Linking.CODE,
                challenge_id=challenge_id, phone_shown=shown_phone(number.reveal()), code=why,
            ),
            phone_sealed=keys.seal_text(_TABLE, "phone_sealed", purchase.id, number.reveal()),
        )  # fmt: skip

    async def _open_at_issuer(self, tx: Tx, purchase: Purchase, answer: CardPrompt, user_id: Secret) -> None:
        """Open a purchase whose code goes to the issuer."""
        is_sms = answer.token_type is TokenType.SMS
        keys = await self._vault.tenant(tx, purchase.issuer_id)
        await self._open(
            tx,
            purchase,
            Opening(
                Judge.ISSUER, answer.token_type, answer.additional_info or (SMS_PROMPT if is_sms else DEVICE_PROMPT),
                Linking.SERVER, phone_shown=shown_phone(answer.phone.reveal()) if is_sms and answer.phone else None,
            ),
            user_id_sealed=keys.seal_text(_TABLE, "user_id_sealed", purchase.id, user_id.reveal()),
            user_hash=self._vault.hash("remote user", purchase.issuer_id, user_id.reveal()),
        )  # fmt: skip

    async def _own_code(self, tx: Tx, issuer: Issuer, purchase: Purchase) -> tuple[str, Secret | None]:
        challenge_id = await self._challenges.begin(tx, purchase.issuer_id, Purpose.PURCHASE, purchase.card_hash)
        digits = issuer.settings.otp_digits
        codes = await self._challenges.give_codes(tx, purchase.issuer_id, challenge_id, 1, digits=digits)
        return challenge_id, Secret(codes[0]) if codes else None

    async def _user_id(self, tx: Tx, issuer: Issuer, pan: Secret, answer: CardPrompt) -> Secret | None:
        """Return what the issuer calls the cardholder, as its policy says."""
        match issuer.settings.user_id_source:
            case UserIdSource.PAN:
                return pan
            case UserIdSource.RETURNED:
                return answer.user_id
            case UserIdSource.ACCOUNT:
                return await self._cards.find_account(tx, issuer.id, pan)

    async def _open(self, tx: Tx, purchase: Purchase, opening: Opening, **sealed: Any) -> None:
        await PURCHASE.move(tx, purchase.issuer_id, purchase.id, PurchaseEvent.OPENED, sets={**opening.columns(), **sealed})

    async def _refuse(self, tx: Tx, purchase: Purchase) -> None:
        """End a purchase whose code would not name amount and payee, because its issuer wants one that does."""
        await PURCHASE.move(
            tx,
            purchase.issuer_id,
            purchase.id,
            PurchaseEvent.REFUSED,
            sets={"code": IssuerCode.UNKNOWN_ERROR, "linking": Linking.SERVER},
        )

    async def _send_or_undo(
        self, tx: Tx, issuer: Issuer, purchase: Purchase, phone: Secret | None, code: Secret | None, challenge_id: str | None
    ) -> None:
        if await self._send(tx, issuer, purchase, phone, code, challenge_id):
            raise NotSent

    async def _send(
        self, tx: Tx, issuer: Issuer, purchase: Purchase, phone: Secret | None, code: Secret | None, challenge_id: str | None
    ) -> IssuerCode | None:
        """Queue the message: the code first, then amount and payee (RTS Art. 5), in one segment. A device needs none.

        Return why it may not be sent, for the issuer's eyes; to all others the purchase looks like one whose payer has the code.
        """
        if phone is None or code is None or challenge_id is None:
            return None
        values = {
            "code": code.reveal(), "amount": show_money(purchase.amount_minor, purchase.currency), "payee": purchase.payee,
            "firm": issuer.name,
        }  # fmt: skip
        queued = await self._messages.queue(
            tx,
            issuer.id,
            to=phone.reveal(),
            text=await self._texts.write(tx, issuer.id, Template.PURCHASE_CODE, values),
            purpose=MessagePurpose.PURCHASE_CODE,
            valid_until=purchase.expires_at,
            key=message_key(challenge_id),
            sender=issuer.settings.sms_sender,
            countries=issuer.settings.sms_countries,
            client=f"client:{purchase.client_id}",
        )
        return IssuerCode.UNKNOWN_ERROR if isinstance(queued, Limited) else None


def message_key(challenge_id: str) -> str:
    """Return what the message with a challenge's code is known by."""
    return f"purchase:{challenge_id}"


def find_e164(phone: str) -> str | None:
    """Return a number as an issuer gives it in E.164 digits; a national one is Nigerian (`080…`). None for what is none."""
    if not _WRITTEN_NUMBER.fullmatch(phone):  # masked, or with an extension: its digits alone would be somebody else's number
        return None
    digits = "".join(c for c in phone if c.isdigit()).removeprefix("00")
    e164 = f"{_NIGERIA}{digits[1:]}" if digits.startswith("0") else digits
    try:
        return e164 if phonenumbers.is_possible_number(phonenumbers.parse(f"+{e164}")) else None
    except phonenumbers.NumberParseException:
        return None


def _by_token(found: Begun, purchase: Purchase, code: IssuerCode | None) -> Opening:
    is_sms = found.sms_code is not None
    return Opening(
        Judge.CARD,
        TokenType.SMS if is_sms else TokenType.HARDWARE,
        SMS_PROMPT if is_sms else _device_prompt(found.question, purchase),
        found.linking,
        challenge_id=found.challenge_id,
        cardholder_id=found.cardholder_id,
        phone_shown=shown_phone(found.phone.reveal()) if is_sms and found.phone else None,
        question=found.question,
        code=code,
    )


def _device_prompt(question: str | None, purchase: Purchase) -> str:
    """Return what to ask the holder of a device; beside a question stand amount and payee, which it is made of (RTS Art. 5)."""
    if question is None:
        return DEVICE_PROMPT
    amount = show_money(purchase.amount_minor, purchase.currency)
    return f"To pay {amount} to {purchase.payee}, type {question} into your device and enter the code that it shows"
