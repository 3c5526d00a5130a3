"""What the guides take from the code is what the code says; `UPDATE_DOCS=1` writes it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.rules.documents import DOCUMENTS, Document, metrics_table, refusals_table, settings_table
from tests.rules.source import ROOT, read

WRITTEN = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path.name)
def test_a_guide_says_what_the_code_says(document: Document) -> None:
    renewed = document.renewed()
    if os.environ.get("UPDATE_DOCS"):
        document.path.write_text(renewed)
    assert document.path.read_text() == renewed, "run UPDATE_DOCS=1 pytest tests/rules/test_documents.py"
    assert all(f"<!-- made from the code: {part} -->" in renewed for part in document.parts)


def test_a_guide_that_the_code_has_left_behind_is_found(tmp_path: Path) -> None:
    old = tmp_path / "old.md"
    old.write_text("Before.\n<!-- made from the code: settings -->\n| old |\n<!-- end -->\nAfter.\n")
    renewed = Document(old, {"settings": settings_table}).renewed()
    assert "| old |" not in renewed
    assert renewed.startswith("Before.\n")
    assert renewed.endswith("After.\n")


def test_the_tables_hold_settings_metrics_and_refusals() -> None:
    assert "`STRONGROOM_DATABASE_URL`" in settings_table()
    assert "`strongroom_http_requests_total`" in metrics_table()
    assert "`case_closed` | 409" in refusals_table()


def dead_links(path: Path) -> list[str]:
    """Return the links of a document that lead to no file."""
    return [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists() and not is_untaken(link)]


def is_untaken(link: str) -> bool:
    """True for a picture while none has been taken: `make screenshots` takes them all."""
    return link.startswith("docs/screenshots/") and not any((ROOT / "docs/screenshots").glob("readme-*"))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_to_a_file(path: Path) -> None:
    assert dead_links(path) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[there](nowhere.md) and [here](page.md#part) and [far](https://example.com)")
    assert dead_links(page) == ["nowhere.md"]


def unknown_tests(text: str, known: set[str]) -> list[str]:
    """Return the tests that a document names and nobody has written."""
    return [name for name in re.findall(r"`(test_\w+)`", text) if name not in known]


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "SECURITY.md"])
def test_every_test_that_a_document_leans_on_exists(name: str) -> None:
    known = {function.name for module in read("tests") for function in module.functions()}
    assert unknown_tests((ROOT / name).read_text(), known) == []


def test_a_test_that_nobody_has_written_is_found() -> None:
    assert unknown_tests("held by `test_all_is_well`", {"test_something_else"}) == ["test_all_is_well"]
