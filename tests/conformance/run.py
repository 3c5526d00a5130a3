"""The whole run: the official manifest, then one attempt to break every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from tests.conformance import authorising, decoupling, funding, messages, paying, reading, sharing
from tests.conformance.manifest import load_suite
from tests.conformance.official import OfficialRun
from tests.conformance.outcomes import Outcome
from tests.conformance.rule import Rule, Stage
from tests.modelbank.conftest import Running
from tests.modelbank.foreign_client import Browser, Tpp

SECTIONS: dict[str, Sequence[Rule]] = {
    "2 authorise": authorising.RULES,
    "3 headers": messages.HEADERS,
    "4 signatures": messages.SIGNATURES,
    "5 payments": paying.RULES,
    "6 accounts": sharing.RULES,
    "7 resources": reading.RULES,
    "8 decoupled": decoupling.RULES,
    "9 funds": funding.RULES,
}


async def run_all(bank: Running, tell: Callable[[Outcome], Any]) -> list[Outcome]:
    """Run everything against a bank that was started for this alone: its clock is moved."""
    async with AsyncExitStack() as stack:
        tpp = Tpp(bank.folder, "mulberry")
        other = Tpp(bank.folder, "mulberry", transport="other-transport", client_id="other-client")
        other.about = {**other.about, "org_id": "OTHERORG"}
        browser = Browser(bank.pages_port, "mulberry")
        for client in (tpp, other, browser):
            stack.push_async_callback(client.close)
        await bank.control("bank", {"bank": "mulberry", "headless": True})
        outcomes = await OfficialRun(load_suite(), tpp, browser).run()
        await bank.control("bank", {"bank": "mulberry", "headless": False})
        for outcome in outcomes:
            tell(outcome)
        stage = Stage(bank, tpp, other, browser)
        for section, rules in SECTIONS.items():
            for number, rule in enumerate(rules, 1):
                outcome = await rule.outcome(section, number, stage)
                tell(outcome)
                outcomes.append(outcome)
    return outcomes
