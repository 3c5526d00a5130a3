"""What banks signed about payments: kept sealed, given as a file, checked by people who have nothing of ours."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.banking.evidence import Answer, EvidenceFile, EvidenceUnreadable, judge, read_file
from strongroom.banking.port import PaymentStatus
from strongroom.cli import REFUSED, run
from strongroom.funds.evidence import PaymentEvidence
from strongroom.kit.errors import Conflict, NotFound
from strongroom.kit.rootkeys import TextKeeper
from tests.faults.till import Till, open_till
from tests.funds.house import random_keys
from tests.funds.scripted_bank import SIGNED_AS, sign

ROOT = Path(__file__).parents[2]


@pytest.fixture
def keys() -> TextKeeper:
    return random_keys()


@pytest.fixture
async def till(database: Any, keys: TextKeeper) -> AsyncIterator[Till]:
    async with open_till(database, keys=keys) as opened:
        yield opened


async def given(till: Till, payment_id: str, firm_id: str | None = None) -> EvidenceFile:
    evidence = PaymentEvidence(till.house.app, till.house.customers)
    return await evidence.give("operator:ann", firm_id or till.house.firm_id, payment_id)


async def paid(till: Till) -> tuple[str, EvidenceFile]:
    """Pay, until the money has arrived; return (payment, evidence)."""
    payment_id = await till.pay(await till.ask())
    till.bank.next("payment_report", PaymentStatus.CREDITED)
    await till.wait(10)
    return payment_id, await given(till, payment_id)


def checked_as_documented(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the script that the operators' guide gives to people without our software."""
    script = (ROOT / "docs/operate/evidence.md").read_text().split("```python\n")[1].split("```")[0]
    return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)


async def test_each_word_of_the_bank_is_kept_once_in_the_order_in_which_it_came(till: Till) -> None:
    payment_id = await till.pay(await till.ask())
    for word in (PaymentStatus.PENDING, PaymentStatus.PENDING, PaymentStatus.EXECUTED, PaymentStatus.CREDITED):
        till.bank.next("payment_report", word)
        await till.wait(10)
    file = await given(till, payment_id)
    assert [json.loads(answer.body)["Data"]["Status"] for answer in file.answers] == ["pending", "executed", "credited"]


async def test_somebody_without_our_software_can_check_the_file(till: Till, tmp_path: Path) -> None:
    _, file = await paid(till)
    path = tmp_path / "evidence.json"
    path.write_bytes(msgspec.json.encode(file))
    checked = await asyncio.to_thread(checked_as_documented, path)
    assert [line.split()[-1] for line in checked.stdout.splitlines()] == ["pending", "credited"], checked.stderr
    path.write_bytes(path.read_bytes().replace(b"Ann Example", b"Eve Example"))
    assert "InvalidSignature" in (await asyncio.to_thread(checked_as_documented, path)).stderr


async def test_the_database_keeps_nothing_of_it_in_the_clear(till: Till) -> None:
    await paid(till)
    rows = await till.owner.fetch("SELECT * FROM payment_evidence")
    assert len(rows) == 2
    assert not any(b"Ann Example" in row["answer_sealed"] or b"Status" in row["answer_sealed"] for row in rows)


async def test_the_audit_keeps_who_was_given_evidence(till: Till) -> None:
    payment_id, _ = await paid(till)
    found = await till.owner.fetch("SELECT actor, subject FROM audit_entries WHERE tag = 'funds:payment:evidence_given'")
    assert [(row[0], row[1]) for row in found] == [("operator:ann", payment_id)]


async def test_another_firm_is_told_that_there_is_no_such_payment(till: Till) -> None:
    payment_id, _ = await paid(till)
    with pytest.raises(NotFound):
        await given(till, payment_id, "frm-other")


async def test_a_payment_about_which_the_bank_signed_nothing_has_no_evidence(till: Till) -> None:
    begun = await till.begin(await till.ask())
    with pytest.raises(Conflict, match="signed nothing"):
        await given(till, begun.payment_id)


async def test_an_answer_that_was_changed_or_is_about_another_payment_proves_nothing(till: Till) -> None:

    _, file = await paid(till)
    assert [one.fault for one in judge(file)] == [None, None]
    first = file.answers[0]
    changed = msgspec.structs.replace(first, body=first.body.replace("100.00", "900.00"))
    assert "does not verify" in judge_one(file, changed)
    body = json.loads(first.body)
    body["Data"]["Initiation"]["InstructedAmount"]["Amount"] = "900.00"
    assert judge_one(file, signed(body)) == "the bank signed it about another payment: Amount differs"
    body = json.loads(first.body)
    body["Data"]["DomesticPaymentId"] = "another"
    assert judge_one(file, signed(body)) == "the bank signed it about another payment: DomesticPaymentId differs"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({"alg": "none"}, "the algorithm is not allowed"),
        ({"alg": "RS256"}, "the algorithm is not allowed"),
        ({"crit": []}, "crit does not list"),
        ({"http://openbanking.org.uk/iss": 7}, "bears no name"),
        ({"http://openbanking.org.uk/iat": "now"}, "time is missing"),
        ({"http://openbanking.org.uk/iat": 1e300}, "time is missing"),
        ({"http://openbanking.org.uk/iat": float("nan")}, "time is missing"),
        ({"b64": False}, "RFC 7797"),
        ({"x5c": []}, "names that do not belong"),
    ],
)
async def test_a_header_that_breaks_the_standards_rules_proves_nothing(till: Till, header: dict, fault: str) -> None:
    _, file = await paid(till)
    assert fault in judge_one(file, signed(json.loads(file.answers[0].body), **header))


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"format":"x"}', b"[" * 2000, b"\xff", b" " * 5_000_000])
def test_a_file_that_is_no_evidence_is_refused(raw: bytes) -> None:
    with pytest.raises(EvidenceUnreadable):
        read_file(raw)


async def test_from_the_command_to_a_check_without_any_settings(
    till: Till, keys: TextKeeper, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    payment_id, file = await paid(till)
    path, jwks, other = tmp_path / "evidence.json", tmp_path / "jwks.json", tmp_path / "other.json"
    with monkeypatch.context() as environment:
        for name, value in settings(database.dsn, keys, tmp_path).items():
            environment.setenv(f"STRONGROOM_{name}", value)
        for arguments in ([payment_id, "--output", str(path)], [payment_id, "--output", str(path)], ["pay-none"]):
            code = await asyncio.to_thread(run, ["audit", "evidence", *arguments])
            out, err = capsys.readouterr()
            if arguments == ["pay-none"]:
                assert code == REFUSED
            elif code:
                assert "File exists" in err
            else:
                assert out.startswith("2 signed answers")
    assert path.stat().st_mode & 0o777 == 0o600
    jwks.write_text(json.dumps({"keys": [file.answers[0].jwk]}))
    other.write_text(json.dumps({"keys": [json.loads(sign({}, rsa.generate_private_key(65_537, 2048)))["jwk"]]}))

    def check(*arguments: str) -> tuple[int, str]:
        code = run(["audit", "check-evidence", str(path), *arguments])
        return code, capsys.readouterr().out

    code, said = await asyncio.to_thread(check)
    assert (code, said.count(SIGNED_AS["iss"]), "compare" in said) == (0, 2, True)
    code, said = await asyncio.to_thread(check, "--jwks", str(jwks))
    assert (code, said.splitlines()[-1]) == (0, "All 2 signatures verify, and the bank publishes these keys.")
    code, said = await asyncio.to_thread(check, "--jwks", str(other))
    assert (code, said.count("not among those that the bank publishes")) == (1, 2)
    path.write_text(path.read_text().replace("100.00", "100.01"))
    code, said = await asyncio.to_thread(check)
    assert (code, said.count("proves nothing")) == (1, 2)


def settings(dsn: str, keys: TextKeeper, folder: Path) -> dict[str, str]:
    held = folder / "keys.json"
    held.touch(0o600)
    root = keys.load()
    encoded = {str(version): base64.b64encode(key.material).decode() for version, key in root.keys.items()}
    held.write_text(json.dumps({"active": 1, "index": base64.b64encode(root.index).decode(), "keys": encoded}))
    return {
        "ENVIRONMENT": "test",
        "BASE_URL": "http://localhost:8000",
        "DATABASE_URL": dsn,
        "KEYS_FILE": str(held),
        "AUDIT_ROOTS_FILE": str(folder / "roots.jsonl"),
        "SMS_GATEWAY": "inbox",
        "INBOX_URL": "http://127.0.0.1:8025",
    }


def signed(body: dict[str, Any], **header: Any) -> Any:

    return msgspec.json.decode(sign(body, **header), type=Answer)


def judge_one(file: EvidenceFile, answer: Any) -> str:

    fault = judge(msgspec.structs.replace(file, answers=[answer]))[0].fault
    assert fault is not None
    return fault
