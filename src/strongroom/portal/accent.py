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
# The surfaces of static/portal.css on which the accent is hardest to read: text in it, and text upon it, must stand there.
_LIGHT_SURFACE: Final = Colour(0xF0, 0xEE, 0xE8)
_DARK_SURFACE: Final = Colour(0x2A, 0x2D, 0x34)
_DARK_INK: Final = Colour(0x12, 0x13, 0x16)


def accent_css(accent: str) -> str:
    """Return the stylesheet of a firm whose accent is `#rrggbb`. Raise ValueError for anything else."""
    colour = parse_colour(accent)
    light = readable(colour, on=_LIGHT_SURFACE, lightness=0)
    dark = readable(colour, on=_DARK_SURFACE, lightness=1)
    return (
        f":root{{{_properties(light, on=_WHITE, hover=_shift(light, 0, _HOVER_SHARE))}}}\n"
        "@media (prefers-color-scheme:dark){"
        f":root{{{_properties(dark, on=_DARK_INK, hover=_shift(dark, 1, _HOVER_SHARE))}}}}}\n"
    )


def parse_colour(text: str) -> Colour:
    """Read `#rrggbb`. Raise ValueError for anything else."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text, re.ASCII):
        raise ValueError("a colour is written as # and six hexadecimal digits")
    return Colour(int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def readable(colour: Colour, *, on: Colour, lightness: int) -> Colour:
    """Move a colour towards lightness 0 (black) or 1 (white), no further than needed, until it has 4.5:1 on a surface."""
    shifted = (_shift(colour, lightness, step / _STEPS) for step in range(_STEPS + 1))
    return next(candidate for candidate in shifted if contrast(candidate, on) >= CONTRAST)


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


def _properties(accent: Colour, *, on: Colour, hover: Colour) -> str:
    return f"--accent:{accent};--accent-hover:{hover};--on-accent:{on}"
