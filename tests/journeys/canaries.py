"""Canaries: texts that must not be found in anything the product writes, in plain or in disguise; and where it writes."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from strongroom.embedded import EmbeddedPostgres
from tests.journeys.conftest import House

FIRM_LOGS = ("*.log", "log/*", "postgres/*.log", "audit-roots.jsonl")


@dataclass
class Canaries:
    """What must not be found, by name."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, text: str) -> str:
        """Plant one more; return it."""
        assert len(text) >= 6, f"{name} is too short to be looked for"
        self.texts[name] = text
        return text

    def found_in(self, where: str, content: bytes) -> list[str]:
        """Return which canaries stand in some content, and how they are disguised."""
        return [
            f"{where}: {name} ({form})"
            for name, text in self.texts.items()
            for form, pattern in disguises(text)
            if re.search(pattern, content, re.IGNORECASE if form == "hex" else 0)
        ]


def disguises(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield how a text may be hidden, as patterns. Digits alone must not be part of a longer word: time and hashes hold many."""
    plain = text.encode()
    digits = text.isdigit()
    yield "plain", whole(plain, digits=digits)
    yield "reversed", whole(plain[::-1], digits=digits)
    yield "hex", re.escape(plain.hex().encode())
    for skipped in range(3):  # base64 has three ways to stand, and only whole groups of it are the text's own
        inner = plain[skipped : skipped + (len(plain) - skipped) // 3 * 3]
        yield "base64", whole(base64.b64encode(inner), digits=False)
        yield "base64", whole(base64.urlsafe_b64encode(inner), digits=False)
    for form in {quote(text, safe=""), quote_plus(text)} - {text}:
        yield "URL-encoded", re.escape(form.encode())
    for code in ("utf-16-le", "utf-16-be"):
        yield code, re.escape(text.encode(code))
    for gap in (b" ", b"-", b".", b"\\u0020"):
        yield "spaced", whole(gap.join(bytes([one]) for one in plain), digits=digits)
    if digits and len(text) in (6, 8):
        half = len(text) // 2
        yield "in two groups", whole(plain[:half] + b" " + plain[half:], digits=True)


def whole(text: bytes, *, digits: bool) -> bytes:
    """Return a pattern for a text; one of digits only where no letter, digit, dot or sign touches it."""
    return rb"(?<![\w.+\\])" + re.escape(text) + rb"(?![\w])" if digits else re.escape(text)


def written_by(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every log."""
    for path in sorted({path for pattern in FIRM_LOGS for path in house.folder.glob(pattern) if path.is_file()}):
        yield str(path.relative_to(house.folder)), path.read_bytes()


def dump_of(house: House, folder: Path) -> bytes:
    """Return the whole database as text."""
    program = EmbeddedPostgres(folder).bin("pg_dump")
    done = subprocess.run([program, "--inserts", "--dbname", house.postgres_dsn], check=True, capture_output=True, timeout=120)
    return done.stdout


def files_of(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file in which PostgreSQL keeps rows and its write-ahead log."""
    data = next(house.folder.glob("postgres/**/PG_VERSION")).parent
    for path in sorted(path for part in ("base", "global", "pg_wal") for path in (data / part).rglob("*") if path.is_file()):
        yield str(path.relative_to(data)), path.read_bytes()


def control(canaries: Canaries, places: dict[str, bytes]) -> None:
    """One line planted in a copy of each place is found, whichever canary and disguise."""
    for where, content in places.items():
        for name, text in canaries.texts.items():
            planted = content + f"\n2026-11-21 12:00:00.000000 [info] value={text} id=7\n".encode()
            assert canaries.found_in(where, planted[-len(text) - 100 :]), f"{name} planted in {where} was not found"
