"""F1 over HTTP: a hostile document ends in a fault, and costs the process that reads it little time and no memory to speak of."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from strongroom.safetoken.samples import SAMPLE, sample_request
from tests.safetoken.conftest import Bank
from tests.safetoken.served import Served
from tests.soap.fuzzing import bent
from tests.soap.test_reading import BOMB, HOSTILE

ROUNDS = 5
SOAK_SECONDS = 600
MAX_MILLISECONDS = 50
MAX_KILOBYTES = 32_768
_ENDS = re.compile(r"<ResponseCode[^>]*>\d+<|<faultcode>s:(Client|VersionMismatch|MustUnderstand)<")
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ADD = '<AddCardHolder xmlns="http://services.interswitchng.com/">{}</AddCardHolder>'


def envelope(inside: str, before: str = "", header: str = "") -> bytes:
    """Return an envelope that would be answered but for what is hostile in it."""
    return f'{before}<s:Envelope xmlns:s="{_SOAP}">{header}<s:Body>{_ADD.format(inside)}</s:Body></s:Envelope>'.encode()


ENVELOPES = {
    "an envelope with a bomb": envelope("&z;", BOMB.decode().partition("<a>")[0]),
    "an envelope with an outside entity": envelope("&x;", '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "an envelope with a parameter entity": envelope("", '<!DOCTYPE s [<!ENTITY % x SYSTEM "http://192.0.2.1/"> %x;]>'),
    "an envelope in UTF-16": envelope("").decode().encode("utf-16"),
    "an envelope that says it is in Latin-1": envelope("", '<?xml version="1.0" encoding="ISO-8859-1"?>'),
    "an envelope ten thousand levels deep": envelope("<a>" * 10_000 + "</a>" * 10_000),
    "an envelope with a hundred thousand attributes": envelope("<a" + "".join(f' a{n}=""' for n in range(100_000)) + "/>"),
    "an envelope of ten megabytes": envelope("<a>" + "x" * 10_000_000 + "</a>"),
    "an envelope cut off": envelope("<a>")[:-40],
    "an envelope with a second header": envelope("", header="<s:Header/><s:Header/>"),
}


@pytest.fixture
async def caller(served: Served, bank: Bank) -> httpx.Client:
    headers = {"content-type": "text/xml", "soapaction": "AddCardHolder"} | await bank.bearer()
    return httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=60)


def processor_seconds(pid: int) -> float:
    """Return what a process has used of a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_kilobytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def in_parts(document: bytes) -> Iterator[bytes]:
    """Return a document as a stream, whose length nobody is told beforehand."""
    for at in range(0, len(document), 16_384):
        yield document[at : at + 16_384]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
def test_a_hostile_document_is_answered_with_a_fault_and_costs_the_server_little(served: Served, caller: httpx.Client):
    assert caller.post("/api/v1/safetoken", content=envelope("")).status_code == 200  # what is not hostile is answered
    pid, costs = served.process.pid, dict[str, float]()
    peak = peak_kilobytes(pid)
    for name, document in (HOSTILE | ENVELOPES).items():
        began = processor_seconds(pid)
        for turn in range(ROUNDS):
            content = in_parts(document) if turn % 2 else document
            answer = caller.post("/api/v1/safetoken", content=content)
            assert (answer.status_code, "<faultcode>s:Client<" in answer.text) == (500, True), name
            assert "root:" not in answer.text
        costs[name] = (processor_seconds(pid) - began) * 1000 / ROUNDS
    assert {name: cost for name, cost in costs.items() if cost >= MAX_MILLISECONDS} == {}
    assert peak_kilobytes(pid) - peak < MAX_KILOBYTES


@pytest.mark.parametrize("content_type", ["text/xml; charset=utf-16", "text/xml; charset=iso-8859-1", 'text/xml; charset="x"'])
def test_another_charset_is_a_fault(caller: httpx.Client, content_type: str):
    answer = caller.post("/api/v1/safetoken", content=envelope(""), headers={"content-type": content_type})
    assert (answer.status_code, "Only UTF-8 is read" in answer.text) == (500, True)


@pytest.mark.parametrize(
    ("content_type", "status", "answered_as"),
    [
        ("text/xml", 500, "text/xml"),
        ("application/soap+xml", 400, "application/soap+xml"),
        ("application/json", 413, "application/json"),
    ],
)
def test_what_is_too_large_is_refused_in_the_callers_own_form(
    caller: httpx.Client, content_type: str, status: int, answered_as: str
):
    answer = caller.post("/api/v1/safetoken", content=b" " * 100_000, headers={"content-type": content_type})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, answered_as)


def send_bent(caller: httpx.Client, documents: Iterator[bytes]) -> Counter[str]:
    """Send bent documents; return how they ended. Anything but a result or a fault of the sender's is an error."""
    ends: Counter[str] = Counter()
    for document in documents:
        answer = caller.post("/api/v1/safetoken", content=document)
        if answer.status_code == HTTPStatus.FORBIDDEN:  # the bent BankId is another's
            ends["foreign"] += 1
            continue
        found = _ENDS.search(answer.text)
        assert found, (document, answer.status_code, answer.text)
        ends[str(answer.status_code)] += 1
    return ends


def test_bent_documents_end_in_a_result_or_a_fault_of_the_senders(caller: httpx.Client, bank: Bank):
    sample = sample_request(members=SAMPLE | {"BankId": str(bank.issuer.bank_id)}).encode()
    ends = send_bent(caller, itertools.islice(bent(2026, (sample, envelope(""))), 400))
    assert min(ends["200"], ends["500"]) > 0


@pytest.mark.soak
def test_ten_minutes_of_bent_documents_over_http_find_no_crash(served: Served, caller: httpx.Client, bank: Bank):
    sample = sample_request(members=SAMPLE | {"BankId": str(bank.issuer.bank_id)}).encode()
    seed = time.time_ns() % 10**9
    documents, ends, peak = bent(seed, (sample, envelope(""))), Counter[str](), 0
    until = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < until:
        ends += send_bent(caller, itertools.islice(documents, 1_000))
        peak = peak or peak_kilobytes(served.process.pid)
    grown = peak_kilobytes(served.process.pid) - peak
    print(f"seed {seed}: {sum(ends.values())} documents, {dict(ends)}, {grown} KiB grown")  # noqa: T201 - what the run is for
    assert grown < MAX_KILOBYTES
