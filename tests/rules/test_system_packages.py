"""A test whose system package is missing says so: it is skipped on a laptop, and fails in CI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import PROGRAM
from tests.conftest import SYSTEM_PACKAGES, package_of, pytest_runtest_setup


class NeedsChromium:
    """As much of a test as the set-up looks at."""

    def iter_markers(self, name: str) -> Iterator[pytest.Mark]:
        yield getattr(pytest.mark, name)(PROGRAM).mark


def test_a_missing_package_skips_a_test_and_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"apt-get install {PROGRAM}"):
        pytest_runtest_setup(NeedsChromium())


def test_a_missing_package_fails_a_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=f"apt-get install {PROGRAM}"):
        pytest_runtest_setup(NeedsChromium())


def test_every_system_package_says_why_it_is_needed() -> None:
    rows = [line.split(maxsplit=2) for line in SYSTEM_PACKAGES.read_text().splitlines() if not line.startswith("#")]
    assert all(len(row) == 3 for row in rows)
    assert package_of("oathtool") == "oathtool"
