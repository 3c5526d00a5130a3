"""docs/data-classes.md says what every column holds, and a column that nobody has classed is found."""

from __future__ import annotations

import os

import asyncpg
import pytest

from tests.rules.data_classes import COLUMNS, Column, classify, faults, render
from tests.rules.source import ROOT

DOCUMENT = ROOT / "docs/data-classes.md"


@pytest.fixture
async def columns(database) -> list[Column]:
    connection = await asyncpg.connect(database.dsn)
    rows = await connection.fetch(COLUMNS)
    await connection.close()
    return [Column(row["table_name"], row["name"], row["type"]) for row in rows]


async def test_every_column_has_a_class_and_every_table_a_retention(columns: list[Column]) -> None:
    assert list(faults(columns)) == []


async def test_the_document_is_what_the_database_says(columns: list[Column]) -> None:
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(render(columns))
    assert DOCUMENT.read_text() == render(columns), "run UPDATE_DOCS=1 pytest tests/rules/test_data_classes.py"


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (Column("customers", "nickname", "text"), "customers.nickname has no class"),
        (Column("pets", "id", "text"), "pets has no retention"),
    ],
)
async def test_a_column_or_table_that_nobody_has_classed_is_found(columns: list[Column], column: Column, fault: str) -> None:
    assert fault in list(faults([*columns, column]))


async def test_a_class_for_a_column_that_is_gone_is_found(columns: list[Column]) -> None:
    without = [column for column in columns if column.path != "cases.case_ref"]
    assert "cases.case_ref is listed and does not exist" in list(faults(without))


def test_the_column_of_a_secret_is_classed_by_its_name() -> None:
    assert classify(Column("anything", "code_sealed", "bytea")) == ("sealed", "")
    assert classify(Column("anything", "code_hash", "bytea")) == ("keyed hash", "")
    assert classify(Column("staff_members", "password_hash", "text")) == ("hash", "argon2id")
