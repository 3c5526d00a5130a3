"""The cardholder operations: the document's `AddCardHolder`, and three of ours, over the cardholders of one issuer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from strongroom.access.issuer_model import Issuer
from strongroom.access.issuers import Issuers
from strongroom.kit.crypto import Secret
from strongroom.kit.db import Database, Tx
from strongroom.kit.errors import Conflict, NotFound
from strongroom.safetoken.codes import INVALID_DATA, SUCCESSFUL, USER_EXISTS, USER_UNKNOWN
from strongroom.safetoken.enrolment import (
    Registration,
    invalid_pan,
    join_faults,
    judge,
    judge_change,
    judge_name,
    mask_phone,
    read_bank_id,
    read_changes,
    read_failure_reason,
)
from strongroom.safetoken.results import Result
from strongroom.sca.cardholding.cardholders import Cardholders
from strongroom.sca.cardholding.model import AlreadyEnrolled, Cardholder, Enrolled, Enrolment

ADD: Final = "AddCardHolder"
UPDATE: Final = "UpdateCardHolder"
REMOVE: Final = "RemoveCardHolder"
GET: Final = "GetCardHolder"
NAMES: Final = (ADD, UPDATE, REMOVE, GET)
_DONE: Final = Result(SUCCESSFUL.number)
_REMOVED_NOW: Final = "The card was removed at this very moment; send the request again"


class ForeignBankId(Exception):
    """The BankId is not the calling client's: the caller is told 403, as for any resource that is not theirs."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: which operation, for which issuer, by whom, with what."""

    operation: str
    issuer: Issuer
    actor: str
    members: Mapping[str, str]

    @property
    def is_foreign(self) -> bool:
        """True when the BankId is a number, and another issuer's or nobody's."""
        return read_bank_id(self.members) not in (None, self.issuer.bank_id)


class CardholderOperations:
    """Answers calls; every answer is a result, also one that refuses."""

    def __init__(self, db: Database, issuers: Issuers, cardholders: Cardholders) -> None:
        self._db = db
        self._issuers = issuers
        self._cardholders = cardholders

    async def perform(self, call: Call) -> Result:
        """Answer a call in transactions of its own; an enrolment shares its commit with others. Raise ForeignBankId."""
        if call.is_foreign:
            raise ForeignBankId
        if call.operation != ADD:
            async with self._db.transaction(call.issuer.id) as tx:
                return await self._change(tx, call)
        judged = await self._judge(call)
        if isinstance(judged, Result):
            return judged
        if judged.failed:
            async with self._db.transaction(call.issuer.id) as tx:
                return await self._record_failure(tx, call)
        try:
            return _told(call, await self._cardholders.enrol(call.issuer.id, call.actor, _enrolment(judged)))
        except NotFound:
            raise Conflict(_REMOVED_NOW) from None

    async def prepare(self, call: Call) -> Callable[[Tx], Awaitable[Result]]:
        """Look at a call, with no transaction open, and return what answers it within one of the caller's.

        So its effect and the message are kept together. A foreign BankId is an answer here: a sequence must go on after it.
        """
        if call.is_foreign:
            return partial(answer_with, Result(INVALID_DATA.number, join_faults(("Invalid BankId",))))
        if call.operation != ADD:
            return partial(self._change, call=call)
        judged = await self._judge(call)
        if isinstance(judged, Result):
            return partial(answer_with, judged)
        return partial(self._add, call=call, judged=judged)

    async def _change(self, tx: Tx, call: Call) -> Result:
        """Answer a call that is about a cardholder who is enrolled."""
        if faults := judge_change(call.members) if call.operation == UPDATE else judge_name(call.members):
            return Result(INVALID_DATA.number, join_faults(faults))
        pan = Secret(call.members["CardPan"])
        try:
            if call.operation == UPDATE:
                return await self._update(tx, call, pan)
            if call.operation == REMOVE:
                await self._cardholders.remove(tx, call.issuer.id, call.actor, pan)
                return _DONE
            found = await self._cardholders.find(tx, call.issuer.id, pan)
        except NotFound:
            found = None
        return _shown(found) if found is not None else Result.of(USER_UNKNOWN)

    async def _add(self, tx: Tx, call: Call, judged: Registration) -> Result:
        if judged.failed:
            return await self._record_failure(tx, call)
        try:
            return _told(call, await self._cardholders.enrol_in(tx, call.issuer.id, call.actor, _enrolment(judged)))
        except NotFound:
            raise Conflict(_REMOVED_NOW) from None

    async def _judge(self, call: Call) -> Registration | Result:
        """Return the registration, or the answer that names its faults; another issuer's card is called invalid and no more."""
        judged = judge(call.members)
        if not isinstance(judged, Registration):
            return Result(INVALID_DATA.number, join_faults(judged))
        if await self._issuers.find_id_by_pan(judged.pan) != call.issuer.id:
            return Result(INVALID_DATA.number, join_faults((invalid_pan(judged.pan.reveal()),)))
        return judged

    async def _record_failure(self, tx: Tx, call: Call) -> Result:
        await self._cardholders.record_failure(tx, call.issuer.id, call.actor, read_failure_reason(call.members))
        return _DONE

    async def _update(self, tx: Tx, call: Call, pan: Secret) -> Result:
        changes = read_changes(call.members)
        await self._cardholders.change(
            tx, call.issuer.id, call.actor, pan, changes.details,
            phone=changes.phone, approved=changes.approved, account=changes.account,
        )  # fmt: skip
        return _DONE


async def answer_with(result: Result, _: Tx) -> Result:
    """Answer with a result that was known before the transaction began."""
    return result


def _enrolment(judged: Registration) -> Enrolment:
    return Enrolment(judged.pan, judged.phone, judged.details, judged.approved, judged.account)


def _told(call: Call, outcome: Enrolled | AlreadyEnrolled) -> Result:
    """Return the answer; the code of a duplicate is as printed, or as the issuer's settings have it."""
    if isinstance(outcome, Enrolled):
        return _DONE
    return Result(call.issuer.settings.duplicate_code, USER_EXISTS.text)


def _shown(found: Cardholder) -> Result:
    """Return what an issuer sees of its own cardholder: nothing that could be used elsewhere."""
    shown = {
        "CardPan": found.pan_shown,
        "EnrolledAt": found.created_at.isoformat(timespec="seconds"),
        "PrimaryMobileNumber": mask_phone(found.next_phone or found.phone),
        "Status": "Approved" if found.approved else "NotActivated",
    }
    return Result(SUCCESSFUL.number, None, shown)
