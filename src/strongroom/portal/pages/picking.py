"""The list of banks as a customer meets it: who is shown, in which order, and what is said of each before it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from strongroom.banking.registry import BankListing
from strongroom.portal import paths
from strongroom.portal.views.paying import BankChoice, BankList, BankLook, InTrouble, OutOfReach, OverLimit, PayChannel

_MOST_USED = 6


@dataclass(frozen=True, slots=True)
class Asking:
    """The amount that a customer is about to take to a bank, and the banks that have lately refused it."""

    amount_minor: int
    currency: str
    refusing: frozenset[str]

    def warn(self, choice: BankChoice, bank: BankListing) -> BankChoice:
        """Return the choice with its warning, if there is one."""
        over = over_limit(bank, self.amount_minor)
        return replace(choice, over=over, currency=self.currency, refused_lately=bank.bank_id in self.refusing)


def bank_list(
    banks: Sequence[BankListing],
    query: str,
    search_url: str,
    last: str | None,
    url_of: Callable[[str], str],
    asking: Asking | None = None,
) -> BankList:
    """Return the banks that match what was searched for: the last used on top, then the most used, then the others.

    How a bank is doing hides none and moves none into another group: within its group it comes after those that are well.
    """
    wanted = query.strip().casefold()
    choices = [_choice(bank, url_of(bank.bank_id), asking) for bank in banks if wanted in bank.name.casefold()]
    last_used = next((choice for choice in choices if choice.id == last), None)
    rest = [choice for choice in choices if choice is not last_used]
    most_used, others = (tuple(sorted(group, key=_standing)) for group in (rest[:_MOST_USED], rest[_MOST_USED:]))
    return BankList(search_url, query, last_used, most_used, others)


def over_limit(bank: BankListing, amount_minor: int) -> OverLimit | None:
    """Return what a bank's known limits say against this amount."""
    found = bank.limits.judge(amount_minor)
    if found is None:
        return None
    return OverLimit(tuple((PayChannel(channel), most) for channel, most in found.too_low), tuple(map(PayChannel, found.would_do)))


def trouble_of(bank: BankListing) -> InTrouble | None:
    """Return what is wrong with a bank at the moment."""
    trouble = bank.health.trouble
    return InTrouble(trouble) if trouble else None


def look_of(bank: BankListing) -> BankLook:
    """Return how a bank is recognised."""
    logo_url = paths.bank_logo(bank.logo_name) if bank.logo_name else None
    return BankLook(bank.bank_id, bank.name, logo_url, has_colour=bank.accent is not None)


def _choice(bank: BankListing, url: str, asking: Asking | None) -> BankChoice:
    if bank.is_closed:
        reason = OutOfReach.MAINTENANCE
        return BankChoice(bank.bank_id, bank.name, url, reason, since=bank.unavailable_since, look=look_of(bank))
    trouble = trouble_of(bank)
    since = bank.unavailable_since if trouble is InTrouble.DOWN else None
    choice = BankChoice(bank.bank_id, bank.name, url, trouble=trouble, since=since, look=look_of(bank))
    return asking.warn(choice, bank) if asking else choice


def _standing(choice: BankChoice) -> int:
    """Return how far down its group a bank stands: well, in trouble, closed. The rest of the order stays."""
    return 2 if choice.out_of_reach else int(choice.trouble is not None)
