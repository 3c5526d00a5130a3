"""The banks' colours as one stylesheet: behind each logo's place and, where there is none, under its initials.

A bank's colour is the bank's; what we answer for is that it is read. As a fill it carries text at 4.5:1 or more, and as a line it
stands out from the page at 3:1 or more (WCAG 2.2 §1.4.3, §1.4.11), on light and on dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from strongroom.portal.accent import DARK, LIGHT, Ground, filled, parse_colour, readable

LINE_CONTRAST: Final = 3.0


def brands_css(colours: Mapping[str, str]) -> str:
    """Return the stylesheet: a class `brand-<bank>` for each bank's id with its `#rrggbb`; CSS takes such ids as they are."""
    light = "".join(_rule(bank_id, accent, LIGHT) for bank_id, accent in colours.items())
    dark = "".join(_rule(bank_id, accent, DARK) for bank_id, accent in colours.items())
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}\n"


def _rule(bank_id: str, accent: str, ground: Ground) -> str:
    colour = parse_colour(accent)
    fill, on_fill = filled(colour, ground)
    line = readable(colour, on=ground.surface, lightness=ground.away, ratio=LINE_CONTRAST)
    return f".brand-{bank_id}{{--brand:{fill};--on-brand:{on_fill};--brand-line:{line}}}\n"
