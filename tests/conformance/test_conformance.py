"""The official payment tests and our own of every rule pass on the model bank, and docs/conformance.md says exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.manifest import FOLDER
from tests.conformance.page import PAGE, render
from tests.conformance.run import run_all
from tests.modelbank.conftest import serving

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the official manifests are not here")


async def test_the_bank_conforms_and_the_page_says_so(postgres: Any, tmp_path: Any) -> None:
    with serving(tmp_path / "bank", postgres.dsn(f"conformance_{tmp_path.name}")) as bank:
        outcomes = await run_all(bank, lambda outcome: None)
    assert [outcome.line for outcome in outcomes if outcome.result == "failed"] == []
    assert [outcome.id for outcome in outcomes if outcome.part == "mandatory" and outcome.result != "passed"] == []
    assert render(outcomes) == PAGE.read_text(encoding="utf-8"), "Run make conformance."
