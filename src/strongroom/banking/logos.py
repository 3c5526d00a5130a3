"""A bank's logo: one small SVG or PNG file of the operator, judged before it is ever served from our own address.

An SVG may hold shapes, colours and words, nothing that runs, loads or links: what is not on the list is refused, by name.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from strongroom.soap.reading import Element, XmlRefused, read

MAX_BYTES: Final = 32 * 1024
MAX_PIXELS: Final = 1024  # of a PNG's side: more is decoded in vain in every customer's browser
_SVG: Final = "http://www.w3.org/2000/svg"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ELEMENTS: Final = frozenset({
    "svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan",
    "linearGradient", "radialGradient", "stop", "clipPath", "mask",
})  # fmt: skip
_ATTRIBUTES: Final = frozenset({
    "viewBox", "width", "height", "version", "baseProfile", "preserveAspectRatio", "id", "role", "aria-label", "aria-hidden",
    "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "fx", "fy", "dx", "dy", "points", "transform", "offset",
    "fill", "fill-rule", "fill-opacity", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit",
    "stroke-dasharray", "stroke-dashoffset", "stroke-opacity", "stop-color", "stop-opacity", "opacity", "color", "clip-path",
    "clip-rule", "mask", "gradientUnits", "gradientTransform", "spreadMethod", "clipPathUnits", "maskUnits", "maskContentUnits",
    "font-family", "font-size", "font-weight", "font-style", "letter-spacing", "text-anchor", "dominant-baseline",
})  # fmt: skip
_OWN_REFERENCE: Final = re.compile(r"url\(#[A-Za-z][\w.-]*\)")
_LOADS: Final = re.compile(r"url\s*\(|script:|data:|\\|@import", re.IGNORECASE)  # a backslash could spell any of them in CSS


class LogoRefused(ValueError):
    """The file is no logo that may be served; the text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A logo as it is served: under a name made from its content, so that browsers may keep it."""

    name: str  # `0f3a9c1b2d4e5f60.svg`
    body: bytes
    content_type: str


def read_logo(path: Path) -> Logo:
    """Read and judge a logo. Raise LogoRefused, or OSError when the file cannot be read."""
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise LogoRefused(f"it is larger than {MAX_BYTES // 1024} KiB")
    if body.startswith(_PNG):
        _check_png(body)
        kind, content_type = "png", "image/png"
    elif b"<svg" in body:
        _check_svg(body)
        kind, content_type = "svg", "image/svg+xml"
    else:
        raise LogoRefused("it is neither SVG nor PNG")
    if path.suffix.lower() != f".{kind}":
        raise LogoRefused(f"it is a {kind.upper()}, so its name must end in .{kind}")
    return Logo(f"{sha256(body).hexdigest()[:16]}.{kind}", body, content_type)


def _check_svg(body: bytes) -> None:
    try:
        root = read(body)
    except XmlRefused as error:
        raise LogoRefused(str(error)) from None
    if root.local != "svg":
        raise LogoRefused("it does not begin with the element svg")
    if root.get("viewBox") is None:
        raise LogoRefused("its svg element has no viewBox, so it cannot be drawn at another size")
    for element in root.within():
        _check_element(element)


def _check_element(element: Element) -> None:
    if element.namespace != _SVG or element.local not in _ELEMENTS:
        raise LogoRefused(f"it has the element {element.local}; only shapes, gradients and words are taken")
    for attribute in element.attributes:
        if attribute.namespace or attribute.local not in _ATTRIBUTES:
            raise LogoRefused(f"its element {element.local} has the attribute {attribute.local}, which is not taken")
        if _LOADS.search(_OWN_REFERENCE.sub("", attribute.value)):
            raise LogoRefused(f"its attribute {attribute.local} leads outside the file")


def _check_png(body: bytes) -> None:
    """Follow the chunks to the end, each with a right checksum (PNG, ISO/IEC 15948 §5)."""
    at = len(_PNG)
    kinds: list[bytes] = []
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        kind, data, checksum = body[at + 4 : at + 8], body[at + 8 : at + 8 + length], body[at + 8 + length : at + 12 + length]
        if len(checksum) < 4 or zlib.crc32(kind + data) != int.from_bytes(checksum, "big"):  # noqa: PLR2004  # a CRC-32
            raise LogoRefused("it is a damaged PNG")
        if not kinds:
            _check_size(kind, data)
        kinds.append(kind)
        at += 12 + length
        if kind == b"IEND":
            break
    if kinds[-1:] != [b"IEND"] or b"IDAT" not in kinds or at != len(body):
        raise LogoRefused("it is a damaged PNG, or has something after its end")


def _check_size(kind: bytes, data: bytes) -> None:
    width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    if kind != b"IHDR" or not (0 < width <= MAX_PIXELS and 0 < height <= MAX_PIXELS):
        raise LogoRefused(f"it is a PNG without a size, or larger than {MAX_PIXELS} by {MAX_PIXELS} pixels")
