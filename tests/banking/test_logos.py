"""A bank's logo: what may be served from our own address, and what is refused with the reason."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from strongroom.banking.directory import DirectoryError, read_all
from strongroom.banking.logos import MAX_BYTES, LogoRefused, read_logo
from strongroom.banking.registry import LOOK_SECONDS, Registry

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
GOOD = f'{HEAD}<title>Oak</title><g fill="url(#g)"><path d="M0 0h40v40z"/></g></svg>'


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 40, height: int = 40, after: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (min(width, 40) + 1) * min(height, 40))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"") + after


def written(folder: Path, body: bytes | str, name: str = "oak.svg") -> Path:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


def test_a_drawing_and_a_picture_are_taken_under_a_name_made_from_their_content(tmp_path):
    drawing, picture = read_logo(written(tmp_path, GOOD)), read_logo(written(tmp_path, png(), "oak.png"))
    assert (drawing.content_type, picture.content_type) == ("image/svg+xml", "image/png")
    assert drawing.name == read_logo(written(tmp_path, GOOD, "same.svg")).name
    assert drawing.name != read_logo(written(tmp_path, GOOD.replace("Oak", "Elm"))).name


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        ("<script>alert(1)</script>", "element script"),
        ('<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">x</p></foreignObject>', "element foreignObject"),
        ('<image href="https://elsewhere.example/x.png"/>', "element image"),
        ('<use href="#a"/>', "element use"),
        ('<a href="https://elsewhere.example"><path d="M0 0"/></a>', "element a"),
        ("<style>path{fill:url(https://elsewhere.example)}</style>", "element style"),
        ('<path d="M0 0" onload="alert(1)"/>', "attribute onload"),
        ('<path d="M0 0" style="fill:red"/>', "attribute style"),
        ('<path d="M0 0" fill="url(https://elsewhere.example/#a)"/>', "leads outside"),
        ('<path d="M0 0" fill="u\\72l(//elsewhere.example)"/>', "leads outside"),
        ('<path d="M0 0" fill="javascript:alert(1)"/>', "leads outside"),
        ('<animate attributeName="href" values="javascript:alert(1)"/>', "element animate"),
        ('<set attributeName="onload" to="alert(1)"/>', "element set"),
        ('<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>', "element script"),
        ('<path xmlns="http://www.w3.org/1999/xhtml" d="M0 0"/>', "element path"),
        ('<path d="M0 0" xlink:href="#a" xmlns:xlink="http://www.w3.org/1999/xlink"/>', "attribute href"),
        ("<path>", "not well-formed"),
    ],
)
def test_a_drawing_that_could_do_more_than_be_looked_at_is_refused_by_name(tmp_path, inside, says):
    with pytest.raises(LogoRefused, match=says):
        read_logo(written(tmp_path, f"{HEAD}{inside}</svg>"))


@pytest.mark.parametrize(
    ("body", "name", "says"),
    [
        ('<!DOCTYPE svg [<!ENTITY x "y">]>' + GOOD, "oak.svg", "document type"),
        ("<?xml-stylesheet href='https://elsewhere.example'?>" + GOOD, "oak.svg", "instruction"),
        (GOOD + " " * MAX_BYTES, "oak.svg", "larger than 32 KiB"),
        (GOOD.replace(' viewBox="0 0 40 40"', ""), "oak.svg", "no viewBox"),
        ("<html><svg/></html>", "oak.svg", "does not begin with the element svg"),
        ("GIF89a", "oak.svg", "neither SVG nor PNG"),
        ("", "oak.png", "neither SVG nor PNG"),
        (GOOD, "oak.png", "must end in .svg"),
        (png(), "oak.svg", "must end in .png"),
        (png(after=b"<script>"), "oak.png", "after its end"),
        (png()[:-4], "oak.png", "damaged"),
        (png().replace(b"IDAT", b"IDAR"), "oak.png", "damaged"),
        (png(width=1025), "oak.png", "1024"),
        (png(height=0), "oak.png", "without a size"),
    ],
    ids=range(14),
)
def test_another_file_is_refused_with_the_reason(tmp_path, body, name, says):
    with pytest.raises(LogoRefused, match=says):
        read_logo(written(tmp_path, body, name))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"logo": "missing.svg"}, "bank oak, logo missing.svg: No such file"),
        ({"logo": "bad.svg"}, "bank oak, logo bad.svg: it has the element script"),
        ({"logo": "x/../../oak.svg"}, "beside the directory"),
        ({"logo": "oak.gif"}, "bank oak, logo: It must be the name of a .svg or .png file"),
        ({"accent": "red"}, "bank oak, accent: It must be a colour"),
        ({"colour": "#ffffff"}, "bank oak: Object contains unknown field `colour`"),
        ({"payment_limit_minor": 100}, "unknown field `payment_limit_minor`"),
        ({"limits": {"personal_app": {"payment": 0}}}, "bank oak, limits.personal_app.payment: Expected `int` >= 1"),
        ({"limits": {"personal_app": {"payment": "25000"}}}, "bank oak, limits.personal_app.payment: Expected `int"),
        ({"limits": {"personal": {"payment": 1}}}, "bank oak, limits: Object contains unknown field `personal`"),
        ({"name": None}, "bank oak, name: Expected `str`"),
    ],
)
def test_a_slip_in_the_directory_is_named_by_bank_and_field(certificates, directory, change, says):
    (certificates.folder / "bad.svg").write_text(f"{HEAD}<script/></svg>")
    path = certificates.folder / "slip.json"
    path.write_text(json.dumps({**directory, "banks": [{**directory["banks"][0], **change}]}))
    with pytest.raises(DirectoryError, match=says.replace("(", r"\(")):
        read_all(path, 0)


async def test_a_new_logo_is_served_without_a_restart_and_a_bad_one_changes_nothing(certificates, directory, clock):
    logo, path = certificates.folder / "oak.svg", certificates.folder / "logos.json"
    logo.write_text(GOOD)
    path.write_text(json.dumps({**directory, "banks": [{**directory["banks"][0], "logo": "oak.svg"}]}))
    async with Registry(path, clock=clock) as registry:
        first = registry.get_listing("oak").logo_name
        assert first
        line = registry.get_bank("oak")
        logo.write_text(GOOD.replace("Oak", "Oak Bank"))
        clock.ahead_seconds += LOOK_SECONDS
        second = registry.get_listing("oak").logo_name
        assert second not in {None, first}
        assert registry.find_logo(second) is not None
        assert registry.find_logo(first) is None
        assert registry.get_bank("oak") is line
        logo.write_text("<svg/>")
        clock.ahead_seconds += LOOK_SECONDS
        assert registry.get_listing("oak").logo_name == second
