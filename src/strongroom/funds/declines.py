"""Why a customer came back from a bank without its approval."""

from __future__ import annotations

from strongroom.banking.port import Bank, BankRefused, BankSilent, BankUnavailable, ConsentStatus, Declined
from strongroom.funds.model import Failure, failure_for

_DECLINED_AS = {
    "cancelled": Failure.CANCELLED_AT_BANK,
    "invalid_return": Failure.INVALID_RETURN,
    "bank_error": Failure.BANK_UNAVAILABLE,
    "not_finished": Failure.TIMED_OUT,
}


async def why_declined(bank: Bank, memory: str, outcome: Declined) -> Failure:
    """Say what a return without a code means; a bank that sends customers back without a word is asked about the consent."""
    if outcome.code != "unsaid":
        return _DECLINED_AS.get(outcome.code) or failure_for(outcome.code, Failure.REFUSED_BY_BANK)
    try:
        report = await bank.consent_report(memory)
    except (BankUnavailable, BankSilent, BankRefused):
        return Failure.NOT_COMPLETED
    if report.status is ConsentStatus.REJECTED:
        return failure_for(report.reason_code, Failure.CANCELLED_AT_BANK)
    return Failure.NOT_COMPLETED
