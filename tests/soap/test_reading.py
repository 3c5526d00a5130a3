"""F1–F3: hostile documents cost little and end in a refusal; what is read has one meaning."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lxml import etree

from strongroom.soap.reading import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, Element, XmlRefused, read

BOMB = b'<!DOCTYPE a [<!ENTITY x "' + b"y" * 99 + b'"><!ENTITY z "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&z;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
OPEN = b"<a>" * 10_000

HOSTILE = {
    "an external entity": OUTSIDE,
    "an entity bomb": BOMB,
    "a document type": b"<!DOCTYPE a><a/>",
    "a document type from elsewhere": b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
    "a document type in UTF-16": BOMB.decode().encode("utf-16"),
    "a document type in UTF-16 without a mark": BOMB.decode().encode("utf-16-le"),
    "a document type in UTF-32": BOMB.decode().encode("utf-32"),
    "a document type in EBCDIC": BOMB.decode().encode("cp500"),
    "a document type in UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
    "ten megabytes": b"<a>" + b"x" * 10_000_000 + b"</a>",
    "ten thousand levels": OPEN + b"</a>" * 10_000,
    "ten thousand levels that stay open": OPEN,
    "a hundred thousand attributes": b"<a" + b"".join(b' a%d=""' % number for number in range(100_000)) + b"/>",
    "as many attributes as fit": b"<a" + b"".join(b' a%d=""' % number for number in range(6_000)) + b"/>",
    "as many namespaces as fit": b"<a" + b"".join(b' xmlns:a%d="u"' % number for number in range(3_500)) + b"/>",
    "an element too many": b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>",
    "a level too many": b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
    "cut off": b"<a><b>text</b>",
    "cut off in a name": b"<a><lo",
    "nothing": b"",
    "not XML": b"hello",
    "JSON": b'{"a": 1}',
    "two roots": b"<a/><b/>",
    "an undeclared prefix": b"<p:a/>",
    "the same attribute twice": b'<a x="1" x="2"/>',
    "the same attribute twice by two prefixes": b'<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>',
    "a processing instruction": b"<a><?php echo ?></a>",
    "a stylesheet": b'<?xml-stylesheet href="x"?><a/>',
    "an encoding that is declared": b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
    "a byte that is not UTF-8": b"<a>\xff</a>",
    "an overlong form": b"<a>\xc0\xbcscript\xc0\xbe</a>",
    "half a surrogate": b"<a>\xed\xa0\x80</a>",
    "a null": b"<a>\x00</a>",
    "a null by number": b"<a>&#0;</a>",
    "XML 1.1": b'<?xml version="1.1"?><a/>',
    "an entity that nobody declared": b"<a>&nbsp;</a>",
    "a namespace with a space": b'<p:a xmlns:p="u v"/>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_and_nothing_of_it_is_shown(name: str) -> None:
    with pytest.raises(XmlRefused) as refused:
        read(HOSTILE[name])
    assert len(str(refused.value)) < 200
    assert "passwd" not in str(refused.value)


def test_a_hostile_document_costs_less_than_fifty_milliseconds_and_no_memory_to_speak_of() -> None:
    """CPU time and memory of a process of its own that does nothing else, so that a loaded machine changes nothing."""
    code = (
        "import resource, time\n"
        "from tests.soap.test_reading import HOSTILE, read, XmlRefused\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "worst = 0.0\n"
        "for raw in HOSTILE.values():\n"
        "    times = []\n"
        "    for _ in range(3):\n"
        "        began = time.process_time()\n"
        "        try: read(raw)\n"
        "        except XmlRefused: pass\n"
        "        times.append(time.process_time() - began)\n"
        "    worst = max(worst, min(times))\n"
        "print(worst * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    milliseconds, kilobytes = float(said[0]), int(said[1])
    assert milliseconds < 50
    assert kilobytes < 20_000


def test_names_of_strangers_are_not_kept() -> None:
    """The reason for expat: libxml2 keeps every name for the life of its thread."""
    code = (
        "import resource, secrets\n"
        "from strongroom.soap.reading import read\n"
        "def turn():\n"
        "    for _ in range(150):\n"
        "        read(b'<a>' + b''.join(b'<e%s/>' % secrets.token_hex(25).encode() for _ in range(500)) + b'</a>')\n"
        "turn()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "turn(); turn()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    kilobytes = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert kilobytes < 4_000


@pytest.mark.parametrize("text", ["5061<!-- -->9", "<!---->1", "1<b/>2", "<b>1</b>"])
def test_a_text_that_readers_would_not_agree_on_is_no_text(text: str) -> None:
    with pytest.raises(XmlRefused):
        _ = read(f"<a>{text}</a>".encode()).text


def test_a_text_is_read_whole() -> None:
    assert read("<a>1<![CDATA[<2>]]>&amp;3é\r\n</a>".encode()).text == "1<2>&3é\n"
    assert read(b"\xef\xbb\xbf<a/>").text == ""


def test_a_document_at_the_limits_is_read() -> None:
    assert len(read(b"<a>" + b"<b/>" * (MAX_ELEMENTS - 1) + b"</a>").within()) == MAX_ELEMENTS
    assert len(read(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH).within()) == MAX_DEPTH
    assert read(b"<a>" + b"x" * (MAX_BYTES - 7) + b"</a>").text[0] == "x"


DIFFERENTLY_READ = [
    '<a xmlns="u"><b xmlns=""/><c/></a>',
    '<a xmlns:p="u" p:x="1" x="2" xml:lang="en"><p:b xmlns:p="v" p:x="1"/></a>',
    "<a> <b>&lt;&#x41;</b>\r\n<!-- no --> tail<![CDATA[]]></a>",
    '<p:a xmlns:p="techquest.interswitchng.com" xmlns="urn:x:y"><p:b i="&#10;&#9; x"/></p:a>',
]


@pytest.mark.parametrize("text", DIFFERENTLY_READ)
def test_two_parsers_read_the_same_names_attributes_and_texts(text: str) -> None:
    assert facts(read(text.encode())) == lxml_facts(etree.fromstring(text.encode(), etree.XMLParser(remove_comments=True)))


def facts(element: Element) -> tuple[object, ...]:
    named = sorted((f"{{{one.namespace}}}{one.local}", one.value) for one in element.attributes)
    texts = "".join(child for child in element.children if isinstance(child, str))
    return f"{{{element.namespace}}}{element.local}", named, texts, [facts(child) for child in element.elements]


def lxml_facts(element: etree._Element) -> tuple[object, ...]:
    def full(name: str) -> str:
        return name if name.startswith("{") else f"{{}}{name}"

    named = sorted((full(str(name)), str(value)) for name, value in element.attrib.items())
    texts = (element.text or "") + "".join(child.tail or "" for child in element)
    return full(str(element.tag)), named, texts, [lxml_facts(child) for child in element]
