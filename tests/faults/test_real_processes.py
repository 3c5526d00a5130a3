"""The product in real processes, killed with -9 at moments of a payment: one debit or none, and the truth within a minute."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import run_folder
from tests.faults.product import NotYet, Product
from tests.journeys.conftest import read_report, start, stop

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

TRUTH_SECONDS = 60.0
SLOW_BANK_SECONDS = 0.7
BEFORE_RETURN, AFTER_RETURN = "before the return", "after the return"


@dataclass(frozen=True)
class Death:
    """Who dies, and when."""

    victim: str
    moment: str
    seconds: float


@dataclass
class Trial:
    """One payment whose processes were killed."""

    death: Death
    request_id: str
    amount_minor: int
    killed_at: float = 0.0
    seen: str = ""
    took_seconds: float = -1.0


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    folder: Path = run_folder() / "faults" / "house"
    folder.mkdir(parents=True, mode=0o711)
    folder.parent.chmod(0o711)
    process = start(folder)
    try:
        yield Product(read_report(folder), process)
    finally:
        stop(process)


AMOUNTS = itertools.count(10_001)


def kill_during_payment(product: Product, case_id: str, death: Death) -> Trial:
    """Pay with processes that die at the named moment; a customer whom nobody answers tries again."""
    amount = next(AMOUNTS)
    asked = {"caseId": case_id, "reference": "PAY001.1", "description": "Fee", "amount": amount / 100}
    trial = Trial(death, product.call("POST", "/api/1.0/creditRequests", asked)["id"], amount)
    if death.moment == BEFORE_RETURN:
        killer = threading.Timer(death.seconds, strike, (product, trial))
        killer.start()
    try:
        product.come_back(product.visit_bank(product.agree(trial.request_id)))
    except NotYet:
        trial.seen = "the customer gave up"
    if death.moment == AFTER_RETURN:
        time.sleep(death.seconds)
        strike(product, trial)
    else:
        killer.join()
    return trial


def strike(product: Product, trial: Trial) -> None:
    trial.killed_at = time.monotonic()
    product.kill(trial.death.victim)


def find_truth(product: Product, trial: Trial) -> str:
    """Wait until our state says what the ledger says, a minute at most after the restart; return what is wrong, or nothing."""
    restarted_by = time.monotonic()
    while True:
        debits = product.debits(trial.amount_minor)
        status = product.call("GET", f"/api/1.0/creditRequests/{trial.request_id}")["status"]
        if (debits == 1 and status in {"completed", "received"}) or (debits == 0 and status == "requested"):
            trial.took_seconds = time.monotonic() - trial.killed_at
            return ""
        if debits > 1 or time.monotonic() - restarted_by > TRUTH_SECONDS:
            return f"{trial.death}: {debits} debits, yet {status} {trial.seen}"
        time.sleep(0.5)


def run(product: Product, deaths: list[Death]) -> list[Trial]:
    """Kill at every moment, then wait for the truth about all of them, then make sure that nothing is debited later."""
    people = [{"name": "Test Name", "email": "docs@example.com", "dateOfBirth": "1980-01-01", "phone": "447300000001"}]
    case = product.call("POST", "/api/1.0/cases", {"caseRef": f"F{time.time_ns()}", "customers": people})
    trials = []
    for death in deaths:
        product.lever(headless=True, delay_seconds=SLOW_BANK_SECONDS)  # a bank that was killed has forgotten its levers
        product.sign_in(case["id"], case["customers"][0]["id"])
        starts = product.worker_starts()
        trials.append(kill_during_payment(product, case["id"], death))
        product.wait_until_back(death.victim, starts)
    product.lever(delay_seconds=0)
    wrong = [said for trial in trials if (said := find_truth(product, trial))]
    assert wrong == [], product.last_lines()
    assert [trial.death for trial in trials if product.debits(trial.amount_minor) > 1] == []
    for trial in trials:
        sys.stdout.write(f"{trial.death} {product.debits(trial.amount_minor)} debits {trial.took_seconds:.1f} s {trial.seen}\n")
    return trials


def test_a_payment_during_which_each_part_was_killed_debits_once_or_not_at_all(product: Product) -> None:
    deaths = [
        Death("web", BEFORE_RETURN, 0.5),
        Death("postgres", AFTER_RETURN, 1.6),
        Death("worker", AFTER_RETURN, 2.0),
        Death("bank", AFTER_RETURN, 1.6),
    ]
    trials = run(product, deaths)
    assert any(product.debits(trial.amount_minor) for trial in trials), "no payment went through: the harness tests nothing"


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["web", "worker", "postgres", "bank"])
def test_every_moment_of_a_payment_for_every_part(product: Product, victim: str) -> None:
    before = [Death(victim, BEFORE_RETURN, 0.3 * n) for n in range(8)]
    after = [Death(victim, AFTER_RETURN, 0.3 * n) for n in range(16)]
    trials = run(product, before + after)
    assert any(product.debits(trial.amount_minor) for trial in trials)
