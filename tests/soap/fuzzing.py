"""Documents for the fuzz runs: messages that would be answered, bent at random. A seed gives the same ones again."""

from __future__ import annotations

import random
from collections.abc import Iterator

from strongroom.safetoken.samples import sample_request
from strongroom.soap.reading import MAX_BYTES
from tests.soap.c14n_differential import write_document
from tests.soap.test_reading import HOSTILE

PIECES = (
    b"<", b">", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x?>", b"<!DOCTYPE x>", b"<!DOCTYPE x [", b"&#0;", b"&amp;",
    b"&#x110000;", b"&x;", b"&", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\xbc", b"\xef\xbb\xbf", b"\xff\xfe", b'"', b"'", b'=""',
    b' xmlns=""', b' xmlns:s="urn:x"', b' xmlns:xml="urn:x"', b' Id="Body"', b' s:mustUnderstand="1"', b' i:nil="true"', b"-1",
    b"<s:Body/>", b"<s:Header/>", b"<s:Envelope>", b"<a>" * 40, b"<b/>" * 600, b' a="1"' * 3, b"x" * 70_000, b"9" * 20,
)  # fmt: skip


def bent(seed: int, messages: tuple[bytes, ...] = ()) -> Iterator[bytes]:
    """Yield documents without end: of `messages`, the contract's sample, hostile ones and random ones, each bent a few times."""
    chance = random.Random(seed)
    answered = (sample_request().encode(), *messages)
    hostile = [one for one in HOSTILE.values() if len(one) < MAX_BYTES]
    while True:
        whole = chance.choice(
            (chance.choice(answered), chance.choice(answered), chance.choice(hostile), write_document(chance).encode())
        )
        for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
            whole = _bend(chance, whole, chance.choice(answered))
        yield whole


def _bend(chance: random.Random, one: bytes, other: bytes) -> bytes:
    """Return a document changed in one place: cut off there, or a part of it gone, doubled, turned round, spoilt or replaced."""
    begin, start = chance.randint(0, len(one)), chance.randint(0, len(other))
    end = begin + chance.choice((0, 1, 1, 2, 8, 64, 512))
    head, part, tail = one[:begin], one[begin:end], one[end:]
    spoilt = bytes(byte ^ 1 << chance.randrange(8) for byte in part[:1]) + part[1:]
    foreign = other[start : start + chance.choice((8, 64, 512))]
    return chance.choice(
        (
            head,
            head + tail,
            head + part + part + tail,
            head + part[::-1] + tail,
            head + spoilt + tail,
            head + foreign + tail,
            head + chance.choice(PIECES) + tail,
        )
    )
