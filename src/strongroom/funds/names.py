"""Compare a customer's name with the names of an account's holders. `docs/integrate/name-matching.md` has the cases."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from strongroom.funds.name_comparison import OTHER_KIND, compare_organisations, compare_people
from strongroom.funds.name_reading import MAX_HOLDERS, Holder, Organisation, Person, read_holders

if TYPE_CHECKING:
    from collections.abc import Iterable

EXACT_FROM, SAME_PERSON_FROM, CLOSE_FROM = 95, 80, 60
OTHER_PERSON_BELOW = 40
MAX_CUSTOMERS = 4  # a customer's name that names several people


class Outcome(StrEnum):
    """How well the names agree."""

    EXACT = "exact"
    CLOSE = "close"
    NONE = "none"
    UNAVAILABLE = "unavailable"


class ThirdParty(StrEnum):
    """Whether somebody other than the customer paid."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The outcome, a score of 0–100, and the holders' names it was found among, as the bank wrote them."""

    outcome: Outcome
    score: int
    compared: tuple[str, ...]

    @property
    def review_required(self) -> bool:
        """True when a person at the firm should look: no agreement, or nothing to compare."""
        return self.outcome in (Outcome.NONE, Outcome.UNAVAILABLE)


def match_names(customer_name: str, holder_names: str | Iterable[str | None] | None) -> NameMatch:
    """Compare one customer with every holder of an account; the best holder counts. Texts of any length are safe.

    `holder_names` is what the bank told: one text, which may name joint holders, several texts, or nothing.
    """
    texts = [holder_names] if isinstance(holder_names, str) or holder_names is None else list(holder_names)[:MAX_HOLDERS]
    holders = [holder for text in texts if text for holder in read_holders(text, by_bank=True)][:MAX_HOLDERS]
    customers = read_holders(customer_name, by_bank=False)[:MAX_CUSTOMERS]
    compared = tuple(dict.fromkeys(holder.text for holder in holders))
    if not holders or not customers:
        return NameMatch(Outcome.UNAVAILABLE, 0, compared)
    score = _score(customers, holders)
    return NameMatch(_outcome(score), score, compared)


def find_third_party(customer_names: str | Iterable[str], payer_name: str | None) -> ThirdParty:
    """Say whether the payer is none of the customers. A doubt that proves neither is `unknown`."""
    names = [customer_names] if isinstance(customer_names, str) else list(customer_names)
    matches = [match_names(name, payer_name) for name in names]
    best = max((match.score for match in matches), default=0)
    if best >= SAME_PERSON_FROM:
        return ThirdParty.NO
    if not matches or any(match.outcome is Outcome.UNAVAILABLE for match in matches):
        return ThirdParty.UNKNOWN
    return ThirdParty.YES if best < OTHER_PERSON_BELOW else ThirdParty.UNKNOWN


def _score(customers: tuple[Holder, ...], holders: list[Holder]) -> int:
    """Compare each customer of a joint name; when only some are holders the match is the weakest that is close."""
    best = [max(_compare(customer.read_as, holder.read_as) for holder in holders) for customer in customers]
    if min(best) < CLOSE_FROM <= max(best):
        return CLOSE_FROM
    return min(best)


def _compare(one: Person | Organisation, other: Person | Organisation) -> int:
    if isinstance(one, Person) and isinstance(other, Person):
        return compare_people(one, other)
    if isinstance(one, Organisation) and isinstance(other, Organisation):
        return compare_organisations(one, other)
    return 100 - OTHER_KIND


def _outcome(score: int) -> Outcome:
    if score >= EXACT_FROM:
        return Outcome.EXACT
    return Outcome.CLOSE if score >= CLOSE_FROM else Outcome.NONE
