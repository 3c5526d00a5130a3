"""The project around the code: commands, lock files, migrations, settings, and where tests lie."""

from __future__ import annotations

import itertools
import re
import subprocess
import typing
from pathlib import Path

import msgspec
import pytest

from strongroom.kit.migrate import MigrationError, read_migrations
from strongroom.settings import Settings
from tests.rules.sizes import report
from tests.rules.source import ROOT, Module, read

MAX_TARGETS = 12
TEST_FOLDERS = {"contracts", "journeys", "rules", "faults", "operate", "conformance", "node", "bench", "modelbank"}
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"([\w.-]+(\[[\w,-]+\])?==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?)")
MACHINE = re.compile(r"/work/|/root/|/home/\w|/opt/\w|/shared/")


def targets(makefile: str) -> set[str]:
    """Return the targets that a person may call: those declared phony."""
    return set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())


def test_the_makefile_has_at_most_twelve_targets_and_lists_each() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert len(targets(makefile)) <= MAX_TARGETS
    assert targets(makefile) == set(re.findall(r"^([\w-]+):.*##", makefile, re.MULTILINE))


def test_make_alone_prints_help() -> None:
    said = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert all(f"make {target} " in said for target in targets((ROOT / "Makefile").read_text()))


def test_the_readme_names_both_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    if not readme:
        pytest.skip("the README is not written yet")
    assert "make run" in readme
    assert "make test" in readme


def test_ci_runs_what_people_run() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "make test"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_pins_every_package_by_hash_and_names_no_host(lock: Path) -> None:
    assert [line for line in lock.read_text().splitlines() if not PINNED.fullmatch(line)] == []


def test_a_lock_line_that_names_a_host_is_found() -> None:
    assert not PINNED.fullmatch("--index-url https://packages.example/simple")
    assert not PINNED.fullmatch("thing @ file:///somewhere/thing.whl")
    assert not PINNED.fullmatch("thing==1.0")


def test_the_lock_files_agree_with_each_other() -> None:
    pinned = [set(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE)) for lock in LOCKS]
    for one, other in itertools.combinations(pinned, 2):
        shared = {name for name, _ in one} & {name for name, _ in other}
        assert {pin for pin in one if pin[0] in shared} == {pin for pin in other if pin[0] in shared}


def test_the_node_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (ROOT / "tests/node/package-lock.json").read_text()


def test_committed_files_name_no_machine() -> None:
    """A path of one developer's machine helps nobody else."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    texts = [
        ROOT / name for name in listed if Path(name).suffix in {".py", ".md", ".toml", ".sql", ".lock", ".json", ".html", ".css"}
    ]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts
        if path.exists() and path != Path(__file__)
        for match in [MACHINE.search(path.read_text().replace("../shared/", ""))]
        if match
    ]
    assert found == []


def test_migrations_are_numbered_once() -> None:
    assert read_migrations()


@pytest.mark.parametrize("names", [["0001_a.sql", "0001_b.sql"], ["1_a.sql"]])
def test_a_number_used_twice_or_a_wrong_name_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        read_migrations(tmp_path)


def undescribed(settings: type[msgspec.Struct]) -> list[str]:
    """Return the fields that no description explains."""
    hints = typing.get_type_hints(settings, include_extras=True)
    described = {
        name for name, hint in hints.items() for meta in getattr(hint, "__metadata__", ()) if getattr(meta, "description", "")
    }
    return [field for field in settings.__struct_fields__ if field not in described]


def test_every_setting_is_described() -> None:
    assert undescribed(Settings) == []


def test_a_setting_without_description_is_found() -> None:
    class Bad(msgspec.Struct):
        port: int

    assert undescribed(Bad) == ["port"]


def test_tests_lie_where_what_they_test_lies() -> None:
    contexts = {path.stem for path in (ROOT / "src/strongroom").iterdir()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert folders - contexts - TEST_FOLDERS == set()


def test_the_mirror_shows_ours_beside_the_models_and_names_outliers() -> None:
    assert "ours" in report(read("src"))
    long = Module("src/long.py", '"""Long."""\ndef long():\n' + "    pass\n" * 500)
    assert "outlier: src/long.py, 502 lines" in report([long])
    assert "outlier: src/long.py:2 long, 501 lines" in report([long])
