"""The code that a customer scans to go on with their phone, drawn as SVG without any style of its own."""

from __future__ import annotations

import io

import segno
from markupsafe import Markup


def qr_svg(url: str) -> Markup:
    """Draw an address as a QR code: an `<svg>` of black modules, to be put on a white ground."""
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(drawn, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=2)
    return Markup(drawn.getvalue().decode("ascii").strip())  # noqa: S704 -- drawn here; holds paths, not the address
