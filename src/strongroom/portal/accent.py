"""A firm's accent colour, made readable on light and on dark (WCAG 2.2 §1.4.3: at least 4.5:1), as a small stylesheet.

The stylesheet is a route of its own because the Content-Security-Policy forbids inline styles.
"""

from __future__ import annotations

import re
from colorsys import hls_to_rgb, rgb_to_hls
from typing import Final, NamedTuple

CONTRAST: Final = 4.5
DEFAULT_ACCENT: Final = "#1b5e52"
_STEPS: Final = 100
_HOVER_SHARE: Final = 0.16


class Colour(NamedTuple):
    """A colour in sRGB, each part from 0 to 255."""

    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        """Write it as CSS does."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


_WHITE: Final = Colour(255, 255, 255)


class Ground(NamedTuple):
    """One colour scheme of static/portal.css, by the colours that decide how an accent reads."""

    surface: Colour  # where the accent, as text, is hardest to read
    ink: Colour  # dark text upon a bright fill
    away: int  # the lightness that stands out from the surface: 0 or 1
    apart: float  # the least contrast between a fill and the surface


LIGHT: Final = Ground(Colour(0xF0, 0xEE, 0xE8), Colour(0x1B, 0x1D, 0x22), away=0, apart=1.2)
DARK: Final = Ground(Colour(0x24, 0x27, 0x2D), Colour(0x12, 0x13, 0x16), away=1, apart=2.5)


def accent_css(accent: str) -> str:
    """Return the stylesheet of a firm whose accent is `#rrggbb`. Raise ValueError for anything else."""
    colour = parse_colour(accent)
    return f":root{{{_properties(colour, LIGHT)}}}\n@media (prefers-color-scheme:dark){{:root{{{_properties(colour, DARK)}}}}}\n"


def parse_colour(text: str) -> Colour:
    """Read `#rrggbb`. Raise ValueError for anything else."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text, re.ASCII):
        raise ValueError("a colour is written as # and six hexadecimal digits")
    return Colour(int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def readable(colour: Colour, *, on: Colour, lightness: int, ratio: float = CONTRAST) -> Colour:
    """Move a colour towards lightness 0 (black) or 1 (white), no further than needed, until it stands out on a surface."""
    shifted = (_shift(colour, lightness, step / _STEPS) for step in range(_STEPS + 1))
    return next(candidate for candidate in shifted if contrast(candidate, on) >= ratio)


def filled(colour: Colour, ground: Ground) -> tuple[Colour, Colour]:
    """Return the fill of a button and the text upon it: a bright colour stays and takes dark text, others take white."""
    if contrast(colour, ground.ink) >= CONTRAST and contrast(colour, ground.surface) >= ground.apart:
        return colour, ground.ink
    fill = readable(colour, on=_WHITE, lightness=0)
    return readable(fill, on=ground.surface, lightness=ground.away, ratio=ground.apart), _WHITE


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 -- sRGB's own figures


def _shift(colour: Colour, lightness: int, share: float) -> Colour:
    hue, own, saturation = rgb_to_hls(*(part / 255 for part in colour))
    parts = hls_to_rgb(hue, own + (lightness - own) * share, saturation)
    red, green, blue = (round(part * 255) for part in parts)
    return Colour(red, green, blue)


def _properties(colour: Colour, ground: Ground) -> str:
    accent = readable(colour, on=ground.surface, lightness=ground.away)
    fill, on_fill = filled(colour, ground)
    hover = _shift(fill, 0 if on_fill == _WHITE else 1, _HOVER_SHARE)
    return f"--accent:{accent};--fill:{fill};--fill-hover:{hover};--on-fill:{on_fill}"
