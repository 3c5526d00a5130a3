"""What text messages refuse, where whoever asks may know why."""

from __future__ import annotations

from strongroom.kit.errors import Conflict, TooMany
from strongroom.notify.model import Limited, LimitedBy


class TooManyMessages(TooMany):
    """A limit on text messages was reached."""

    code, title = "too_many_messages", "Too many text messages were asked for; try again later"


class CountryNotServed(Conflict):
    """The number is of a country that text messages may not go to."""

    code, title = "country_not_served", "Text messages may not go to this number's country"


def refusal_of(limited: Limited) -> TooManyMessages | CountryNotServed:
    """Return the refusal that tells a known caller why nothing is sent. Which limit it was is the operator's to know."""
    if limited.limit is LimitedBy.NOT_SERVED:
        return CountryNotServed()
    return TooManyMessages(retry_after_seconds=limited.retry_after_seconds)
