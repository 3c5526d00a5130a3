"""What a bank lets its customers pay through us, channel by channel, as the operator knows it; amounts in whole pounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec

from strongroom.kit.money import PENCE_PER_POUND

Pounds = Annotated[int, msgspec.Meta(gt=0, le=1_000_000_000)]


class PayChannel(StrEnum):
    """Where a customer agrees at their bank; each often has a limit of its own."""

    PERSONAL_APP = "personal_app"
    PERSONAL_WEB = "personal_web"
    BUSINESS = "business"


class ChannelLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that one payment may have, and all of a day, in pounds; None where it is not known."""

    payment: Pounds | None = None
    day: Pounds | None = None

    @property
    def most_minor(self) -> int | None:
        """Return the most that one payment can have, in pence."""
        known = [pounds for pounds in (self.payment, self.day) if pounds is not None]
        return min(known) * PENCE_PER_POUND if known else None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bank's limits. A channel that is left out has none that we know of."""

    personal_app: ChannelLimit = ChannelLimit()
    personal_web: ChannelLimit = ChannelLimit()
    business: ChannelLimit = ChannelLimit()

    def known(self) -> dict[PayChannel, int]:
        """Return the most that one payment can have, in pence, for each channel with a known limit."""
        channels = {
            PayChannel.PERSONAL_APP: self.personal_app,
            PayChannel.PERSONAL_WEB: self.personal_web,
            PayChannel.BUSINESS: self.business,
        }
        return {channel: most for channel, limit in channels.items() if (most := limit.most_minor) is not None}

    def judge(self, amount_minor: int) -> LimitWarning | None:
        """Say which channels would stop this amount and which would do it; None where no known limit is in the way."""
        known = self.known()
        too_low = {channel: most for channel, most in known.items() if most < amount_minor}
        if not too_low:
            return None
        would_do = tuple(channel for channel, most in known.items() if most >= amount_minor)
        return LimitWarning(tuple(too_low.items()), would_do)

    @property
    def most_personal_minor(self) -> int | None:
        """Return the most that a private customer can pay at once, in the channel that lets most through; None if not known."""
        known = self.known()
        personal = [most for channel, most in known.items() if channel is not PayChannel.BUSINESS]
        return max(personal) if personal else known.get(PayChannel.BUSINESS)


@dataclass(frozen=True, slots=True)
class LimitWarning:
    """An amount is above a limit: of these channels, each with its limit in pence; these others would do it."""

    too_low: tuple[tuple[PayChannel, int], ...]
    would_do: tuple[PayChannel, ...]

    @property
    def most_minor(self) -> int:
        """Return the highest of the limits that are too low."""
        return max(most for _, most in self.too_low)
