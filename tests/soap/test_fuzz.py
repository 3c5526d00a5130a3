"""F8: bent documents end in a refusal or are read as libxml2 reads them, within bounds of time and memory."""

from __future__ import annotations

import hashlib
import itertools
import resource
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from strongroom.soap.addressing import Wsa, write_addressing
from strongroom.soap.c14n import canonicalise
from strongroom.soap.envelopes import parse
from strongroom.soap.faults import SoapFault, Version
from strongroom.soap.reading import Element, XmlRefused, read
from strongroom.soap.security import Level, Policy
from strongroom.soap.signing import sign
from strongroom.soap.verifying import verify
from tests.soap.fuzzing import bent
from tests.soap.test_reading import facts as our_facts
from tests.soap.test_reading import lxml_facts
from tests.soap.test_signing import make_signer

FEW, SOAK_SECONDS = 10_000, 600
MAX_MILLISECONDS, TRIES = 50, 3  # what is slow once was held up by the collector of garbage
MAX_KILOBYTES = 65_536


def work(documents: Iterable[bytes], policy: Policy) -> Counter[str]:
    """Read, canonicalise and verify; return how the documents ended. Anything but a refusal of ours is raised."""
    ends: Counter[str] = Counter()
    for document in documents:
        times = []
        while not times or (min(times) > MAX_MILLISECONDS and len(times) < TRIES):
            began = time.process_time()
            end = judge(document, policy)
            times.append((time.process_time() - began) * 1000)
        ends[end] += 1
        ends["slow"] += min(times) > MAX_MILLISECONDS
    return ends


def judge(document: bytes, policy: Policy) -> str:
    try:
        root = read(document)
    except XmlRefused:
        return "refused"
    assert_settled(root)
    if not is_read_alike(document, root):
        return "read by us alone"
    try:
        verify(parse(document), policy)
    except (SoapFault, XmlRefused) as error:
        return type(error).__name__
    return "verified"


def assert_settled(root: Element) -> None:
    once = canonicalise(root)
    assert canonicalise(read(once, max_bytes=10 * len(once))) == once


def is_read_alike(document: bytes, root: Element) -> bool:
    """True when libxml2 reads the same; False when it reads nothing, as where a namespace is no URI."""
    try:
        theirs = etree.fromstring(document, PARSER)
    except etree.XMLSyntaxError:
        return False
    assert our_facts(root) == lxml_facts(theirs), document
    return True


PARSER = etree.XMLParser(remove_comments=True, resolve_entities=False, no_network=True)


@pytest.fixture(scope="module")
def signed() -> tuple[tuple[bytes, ...], Policy]:
    """Return signed messages, and the policy by which they hold."""
    signer = make_signer(rsa.generate_private_key(65537, 2048))
    blocks = write_addressing(Wsa.V2005, "urn:add", message_id="urn:uuid:1", to="urn:to")
    now = datetime.now(UTC)
    messages = tuple(sign(version, "<a>1</a>", blocks, signer, now).encode() for version in Version)
    trusted = hashlib.sha256(signer.certificate.public_bytes(Encoding.DER)).digest()
    return messages, Policy(Level.BODY, frozenset({trusted}))


def test_bent_documents_are_refused_or_read_as_libxml2_reads_them(signed: tuple[tuple[bytes, ...], Policy]) -> None:
    messages, policy = signed
    ends = work(itertools.islice(bent(2026, messages), FEW), policy)
    assert ends["refused"] > FEW // 10
    assert ends["SoapFault"] > FEW // 10
    assert ends["slow"] == 0


@pytest.mark.soak
def test_ten_minutes_of_bent_documents_find_no_crash(signed: tuple[tuple[bytes, ...], Policy]) -> None:
    """The processor's time, not the clock's: a loaded machine only takes longer. Seed and counts are printed (-s shows them)."""
    messages, policy = signed
    seed = time.time_ns() % 10**9
    documents = bent(seed, messages)
    work(itertools.islice(documents, FEW), policy)
    before, ends = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, Counter[str]()
    until = time.process_time() + SOAK_SECONDS
    while time.process_time() < until:
        ends += work(itertools.islice(documents, FEW), policy)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"seed {seed}: {sum(ends.values()) - ends['slow']} documents, {dict(ends)}, {grown} KiB grown")  # noqa: T201 - the figures are what the run is for
    assert ends["slow"] == 0
    assert grown < MAX_KILOBYTES
