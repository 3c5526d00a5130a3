"""Judging the codes that hubs bring: charged and committed before anything is compared, used up once, and every answer audited.

Codes of devices that come while others are in flight share two commits with them: one that charges, one that records. What takes
a closer look (a text message's code, a device that signs, is locked or about to be, or of which another try is in flight) is judged
alone, by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from strongroom.access.issuer_model import Issuer, UserIdSource
from strongroom.issuing.port import IssuerCode, Verdict
from strongroom.kit import audit
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.groupcommit import GroupCommit
from strongroom.kit.ids import is_id
from strongroom.kit.vault import Vault
from strongroom.notify.messages import Messages
from strongroom.sca.answering import store
from strongroom.sca.answering.model import Asked, AuditTag, Hub, hash_user, message_key
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import Cardholder
from strongroom.sca.challenges import Challenges
from strongroom.sca.devices.model import Charged, CodeAccepted, Match, Refused, Wanted
from strongroom.sca.devices.verification import Verification
from strongroom.sca.model import Accepted, Locked, Matched, Rejected
from strongroom.sca.purchasing.enrolled import CODES


@dataclass(slots=True)
class _Try:
    """A code to be charged in company; `charged` stays None when it takes a closer look."""

    user_hash: bytes
    named_id: str | None  # the cardholder's, where the UserId is one of ours
    typed: str = field(repr=False)
    cardholder_id: str = ""
    charged: Charged | Rejected | None = None


@dataclass(slots=True)
class _Outcome:
    """A judged code to be recorded in company; `code` stays None when it takes a closer look."""

    hub: str
    cardholder_id: str
    judged: Match | Rejected | Locked
    code: IssuerCode | None = None


class Judging:
    """Has codes judged for an issuer that keeps its tokens here."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        cardholders: Cardholders,
        verification: Verification,
        challenges: Challenges,
        messages: Messages,
    ) -> None:
        self._db = db
        self._vault = vault
        self._cardholders = cardholders
        self._verification = verification
        self._challenges = challenges
        self._messages = messages
        # One batch at a time: nothing in it waits for a lock, and the more come together the less each costs.
        self._charging: GroupCommit[_Try] = GroupCommit(db, self._charge_batch, lanes=1)
        self._recording: GroupCommit[_Outcome] = GroupCommit(db, self._record_batch, lanes=1)

    async def judge(self, hub: Hub, user_id: Secret, typed: Secret) -> Verdict:
        """Judge a code: the try is charged and committed before anything is compared, and a right code counts once.

        Raise TooMany when too many wait.
        """
        issuer, named = hub.issuer, user_id.reveal()
        is_ours = issuer.settings.user_id_source is UserIdSource.RETURNED and is_id(named)
        one = _Try(hash_user(self._vault, issuer, user_id), named if is_ours else None, typed.reveal())
        await self._charging.submit(issuer.id, one)
        if one.charged is None:
            return await self._judge_alone(hub, user_id, one.typed)
        outcome = _Outcome(hub.name, one.cardholder_id, self._compare(one.charged, one.typed))
        await self._recording.submit(issuer.id, outcome)
        if outcome.code is not None:
            return Verdict(outcome.code)
        return await self._record_device(hub, one.cardholder_id, outcome.judged)

    # --- in company

    async def _charge_batch(self, tx: Tx, issuer_id: str, tries: list[_Try]) -> None:
        """Charge those of the tries that are plain: a cardholder who is approved, and a device that is free."""
        asked = await store.find_many(tx, issuer_id, [one.user_hash for one in tries])
        by_device: list[tuple[_Try, Wanted]] = []
        for one in tries:
            one.charged = None
            found = asked.get(one.user_hash) or (Asked(one.named_id) if one.named_id else None)
            if found is not None and found.challenge_id is None:
                one.cardholder_id = found.cardholder_id
                by_device.append((one, Wanted(found.cardholder_id, found.token_serial, one.typed)))
        approved = await self._cardholders.find_approved(tx, issuer_id, [wanted.cardholder_id for _, wanted in by_device])
        first = {one.cardholder_id: (one, wanted) for one, wanted in reversed(by_device) if one.cardholder_id in approved}
        charged = await self._verification.charge_many(tx, issuer_id, [wanted for _, wanted in first.values()])
        for cardholder_id, (one, _) in first.items():
            one.charged = charged.get(cardholder_id)

    async def _record_batch(self, tx: Tx, issuer_id: str, outcomes: list[_Outcome]) -> None:
        """Use up what was right, and note what came of everything."""
        right = [one.judged for one in outcomes if isinstance(one.judged, Match)]
        accepted = {id(match) for match in await self._verification.accept_many(tx, issuer_id, right)}
        for one in outcomes:
            if isinstance(one.judged, Rejected):
                one.code = IssuerCode.FAILED
            else:
                one.code = IssuerCode.SUCCESSFUL if id(one.judged) in accepted else None
        done = [_entry(one.hub, one.cardholder_id, one.code) for one in outcomes if one.code is not None]
        await audit.record_many(tx, issuer_id, done)

    def _compare(self, charged: Charged | Rejected, typed: str) -> Match | Rejected | Locked:
        return self._verification.compare(charged, [typed]) if isinstance(charged, Charged) else charged

    # --- alone

    async def _judge_alone(self, hub: Hub, user_id: Secret, typed: str) -> Verdict:
        async with self._db.transaction(hub.issuer.id) as tx:
            found = await self._find_asked(tx, hub.issuer, user_id)
            if isinstance(found, IssuerCode):
                return Verdict(found)
            asked, holder = found
            by_device = asked.challenge_id is None
            charged = (
                await self._verification.charge(tx, hub.name, holder, [typed], serial=asked.token_serial) if by_device else None
            )
        if asked.challenge_id is not None:
            return await self._judge_sent(hub, asked, asked.challenge_id, typed)
        assert charged is not None  # noqa: S101  # a question without a challenge is answered by a device
        outcome = self._compare(charged, typed) if isinstance(charged, Charged) else charged
        return await self._record_device(hub, asked.cardholder_id, outcome)

    async def _find_asked(self, tx: Tx, issuer: Issuer, user_id: Secret) -> tuple[Asked, Cardholder] | IssuerCode:
        """Return whose code a UserId brings; a hub that did not ask about the card first is answered where it can be."""
        asked = await store.find(tx, issuer.id, hash_user(self._vault, issuer, user_id))
        source, named = issuer.settings.user_id_source, user_id.reveal()
        if asked is not None:
            holder = await self._cardholders.find_by_id(tx, issuer.id, asked.cardholder_id)
        elif source is UserIdSource.PAN:
            holder = await self._cardholders.find(tx, issuer.id, user_id)
        elif source is UserIdSource.RETURNED and is_id(named):
            holder = await self._cardholders.find_by_id(tx, issuer.id, named)
        else:
            holder = None
        if holder is None:
            return IssuerCode.NO_USER
        return (asked or Asked(holder.id), holder) if holder.approved else IssuerCode.NOT_ACTIVATED

    async def _judge_sent(self, hub: Hub, asked: Asked, challenge_id: str, typed: str) -> Verdict:
        outcome = await self._challenges.try_code(hub.issuer.id, challenge_id, typed)
        async with self._db.transaction(hub.issuer.id) as tx:
            if isinstance(outcome, Matched):
                accepted = await self._challenges.accept(tx, outcome)
                if isinstance(accepted, Accepted):
                    await self._messages.note_used(tx, hub.issuer.id, message_key(challenge_id))
                    return await self._record(tx, hub, asked.cardholder_id, IssuerCode.SUCCESSFUL)
                outcome = accepted
            await self._tell_if_locked(tx, hub, asked.cardholder_id, outcome)
            return await self._record(tx, hub, asked.cardholder_id, _code_of(outcome))

    async def _record_device(self, hub: Hub, cardholder_id: str, outcome: Match | Rejected | Locked | Refused) -> Verdict:
        async with self._db.transaction(hub.issuer.id) as tx:
            judged = await self._verification.accept(tx, hub.name, outcome) if isinstance(outcome, Match) else outcome
            await self._tell_if_locked(tx, hub, cardholder_id, judged)
            return await self._record(tx, hub, cardholder_id, _code_of(judged))

    async def _tell_if_locked(self, tx: Tx, hub: Hub, cardholder_id: str, outcome: object) -> None:
        if isinstance(outcome, Locked) and outcome.just_now:
            await self._cardholders.tell_locked(tx, hub.issuer.id, cardholder_id, outcome.seconds)

    async def _record(self, tx: Tx, hub: Hub, cardholder_id: str, code: IssuerCode) -> Verdict:
        await audit.record_many(tx, hub.issuer.id, [_entry(hub.name, cardholder_id, code)])
        return Verdict(code)


def _entry(hub: str, cardholder_id: str, code: IssuerCode) -> audit.Noted:
    tag = AuditTag.AUTHENTICATED if code is IssuerCode.SUCCESSFUL else AuditTag.REJECTED
    return audit.Noted(hub, tag, cardholder_id, {"code": str(code)})


def _code_of(outcome: CodeAccepted | Rejected | Locked | Refused) -> IssuerCode:
    match outcome:
        case CodeAccepted():
            return IssuerCode.SUCCESSFUL
        case Locked():
            return IssuerCode.LOCKED
        case Refused(reason):
            return CODES[reason]
        case Rejected():
            return IssuerCode.FAILED
