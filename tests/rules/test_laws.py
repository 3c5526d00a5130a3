"""Our code keeps the laws, and each law is seen to find the fault that it is there for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.rules import laws
from tests.rules.laws import Law
from tests.rules.source import ROOT, Module, read

# Files that may read this machine's clock, and why. Whatever decides about rows asks the database.
OWN_CLOCK = {
    "src/modelbank": "another company's program",
    "src/strongroom/kit/clock.py": "the port itself",
    "src/strongroom/inbox.py": "it plays a telephone, not the product",
    "src/strongroom/kit/log.py": "log lines carry the machine's time",
    "src/strongroom/access/authentication.py": "the made-up age of a client that does not exist; it decides nothing",
    "src/strongroom/banking": "what banks sign is judged by the time on the wire (RFC 7519 §4.1)",
}

# Store functions that touch fenced tables without being told the tenant, and why.
BEFORE_THE_TENANT_IS_KNOWN = {
    "erasable": "the worker looks for people of all firms whose term is over; each is judged again and erased as its firm's",
    "count_live": "the worker's gauge, over all firms: counts, and nothing of anybody",
    "record_successes": "one worker's batch over many firms; each of its rows carries its firm",
    "add_hosted_login": "a login at the portal belongs to no firm yet; its tenant is the portal's own",
    "newest_login": "as above",
    "set_covers": "as above",
    "end_login": "as above",
    "find_all": "the worker's role goes through all firms; under row-level security nobody else can",
    "number_events": "the sequencer numbers the committed events of all firms",
    "create_deliveries": "the worker fans events of all firms out",
    "read_claimed": "the worker reads what it has just claimed for all tenants",
}


def product() -> list[Module]:
    return read("src")


def clean(faults: Iterable[str]) -> None:
    found = list(faults)
    assert not found, "\n" + "\n".join(found)


def without(paths: Iterable[str], modules: list[Module]) -> list[Module]:
    return [module for module in modules if not module.path.startswith(tuple(paths))]


def test_sql_is_written_in_stores_and_in_kit_only() -> None:
    clean(laws.sql_lives_in_stores(product()))


def test_no_module_has_a_name_that_says_nothing() -> None:
    clean(laws.names_say_what_is_inside(read("src", "tests")))


def test_every_file_keeps_to_its_role() -> None:
    clean(laws.roles_are_kept(without(["src/modelbank"], product())))


def test_a_package_holds_its_docstring_and_nothing_else() -> None:
    clean(laws.packages_hold_one_docstring(product()))


def test_every_module_says_its_purpose() -> None:
    clean(laws.modules_say_their_purpose(product()))


def test_only_the_outermost_handler_and_the_job_runner_catch_everything() -> None:
    clean(laws.everything_is_caught_in_two_places_only(product()))


def test_every_exception_to_a_rule_has_a_reason() -> None:
    clean(laws.exceptions_to_rules_have_reasons(read("src", "tests", "bench")))


def test_decisions_are_made_by_the_database_clock() -> None:
    clean(laws.the_database_tells_the_time(without(OWN_CLOCK, product())))


def test_states_are_written_by_the_machine_alone() -> None:
    clean(laws.states_move_by_machine(without(["src/modelbank"], product())))


def test_store_functions_take_the_transaction_and_then_the_tenant() -> None:
    faults = laws.store_functions_take_a_transaction_and_a_tenant(without(["src/modelbank"], product()), tenant_tables())
    clean(fault for fault in faults if not any(f" {name} " in fault for name in BEFORE_THE_TENANT_IS_KNOWN))


def test_tests_patch_nothing_of_ours() -> None:
    clean(laws.nothing_of_ours_is_patched(read("tests")))


def test_no_test_keeps_the_time_at_which_it_was_read() -> None:
    clean(laws.no_test_keeps_the_time_at_which_it_was_read(read("tests", "bench")))


def tenant_tables() -> list[str]:
    """Return the tables that the migrations fence."""
    sql = "\n".join(path.read_text() for path in sorted((ROOT / "migrations").glob("*.sql")))
    return re.findall(r"fence\('(\w+)'", sql)


def stores(modules: Iterable[Module]) -> Iterator[str]:
    return laws.store_functions_take_a_transaction_and_a_tenant(modules, ["cases"])


SQL = 'async def find(tx, case_id):\n    """Find."""\n    await tx.fetch("SELECT * FROM cases WHERE id = $1", case_id)\n'

PLANTED: list[tuple[Law, str, str]] = [
    (laws.sql_lives_in_stores, "funds/cases.py", SQL),
    (laws.sql_lives_in_stores, "funds/api.py", 'q = f"UPDATE {table} SET n = 1"'),
    (laws.sql_lives_in_stores, "sca/otp.py", 'q = """\n  WITH old AS (SELECT 1) SELECT * FROM old"""'),
    (laws.names_say_what_is_inside, "funds/utils.py", ""),
    (laws.names_say_what_is_inside, "common/cases.py", ""),
    (laws.roles_are_kept, "funds/model.py", "import asyncpg"),
    (laws.roles_are_kept, "funds/store/cases.py", "from litestar import get"),
    (laws.roles_are_kept, "funds/cases.py", "from litestar import get"),
    (laws.roles_are_kept, "funds/api.py", "from strongroom.funds import store"),
    (laws.roles_are_kept, "funds/api/cases.py", "from strongroom.funds.store import cases"),
    (laws.packages_hold_one_docstring, "funds/__init__.py", '"""Funds."""\nfrom x import y'),
    (laws.packages_hold_one_docstring, "funds/__init__.py", ""),
    (laws.modules_say_their_purpose, "funds/cases.py", "x = 1"),
    (laws.everything_is_caught_in_two_places_only, "funds/cases.py", "try:\n    f()\nexcept Exception as e:\n    pass"),
    (laws.everything_is_caught_in_two_places_only, "funds/cases.py", "try:\n    f()\nexcept:\n    pass"),
    (
        laws.everything_is_caught_in_two_places_only,
        "funds/cases.py",
        "try:\n    f()\nexcept (ValueError, BaseException):\n    pass",
    ),
    (laws.exceptions_to_rules_have_reasons, "funds/cases.py", "x = 1  # " + "noqa: S101"),
    (laws.exceptions_to_rules_have_reasons, "funds/cases.py", "x = 1  # " + "noqa"),
    (laws.exceptions_to_rules_have_reasons, "funds/cases.py", "x = 1  # " + "type: ignore  # no rule named"),
    (laws.the_database_tells_the_time, "funds/cases.py", "datetime.now(UTC)"),
    (laws.the_database_tells_the_time, "funds/cases.py", "time.time()"),
    (laws.states_move_by_machine, "funds/store.py", "q = \"UPDATE cases SET n = 1, state = 'closed' WHERE id = $1\""),
    (stores, "funds/store.py", SQL),
    (stores, "funds/store.py", "async def find(case_id): ..."),
    (laws.nothing_of_ours_is_patched, "cases/test_cases.py", "from unittest.mock import Mock"),
    (laws.nothing_of_ours_is_patched, "cases/test_cases.py", "monkeypatch.setattr(cases, 'find', None)"),
    (laws.no_test_keeps_the_time_at_which_it_was_read, "cases/test_cases.py", "NOW = int(time.time())"),
    (laws.no_test_keeps_the_time_at_which_it_was_read, "cases/test_cases.py", "@mark(datetime.now(UTC))\ndef test_a(): ..."),
]


@pytest.mark.parametrize(("law", "path", "text"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_law_finds_a_planted_fault(law: Law, path: str, text: str) -> None:
    assert list(law([Module(f"src/strongroom/{path}", text)]))


FINE: list[tuple[Law, str, str]] = [
    (laws.sql_lives_in_stores, "funds/store.py", SQL),
    (laws.sql_lives_in_stores, "funds/cases.py", '"""SELECT in a docstring."""\nx = "Select a bank."'),
    (laws.everything_is_caught_in_two_places_only, "a.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (laws.exceptions_to_rules_have_reasons, "a.py", "x = 1  # " + "noqa: S101, S102 - a reason"),
    (laws.exceptions_to_rules_have_reasons, "a.py", "x = 1  # " + "type: ignore[arg-type]  # a reason"),
    (laws.roles_are_kept, "funds/api/cases.py", "from litestar import get"),
    (laws.the_database_tells_the_time, "a.py", "today = datetime.now(UTC)  # only printed"),
    (stores, "funds/store.py", SQL.replace("case_id):", "claimed):").replace(", case_id)", ", claimed.firm_id)")),
    (laws.no_test_keeps_the_time_at_which_it_was_read, "a.py", "def test_a():\n    now = time.time()"),
    (laws.states_move_by_machine, "a.py", "q = \"UPDATE cases SET n = 1 WHERE state = 'open'\""),
    (stores, "funds/store.py", SQL.replace("tx, ", "tx, firm_id, ")),
    (partial(laws.store_functions_take_a_transaction_and_a_tenant, tenant_tables=["people"]), "funds/store.py", SQL),
]


@pytest.mark.parametrize(("law", "path", "text"), FINE)
def test_a_law_leaves_good_code_alone(law: Law, path: str, text: str) -> None:
    assert list(law([Module(f"src/strongroom/{path}", text)])) == []


def test_every_file_that_reads_its_own_clock_still_exists() -> None:
    assert [path for path in OWN_CLOCK if not Path(ROOT / path).exists()] == []
