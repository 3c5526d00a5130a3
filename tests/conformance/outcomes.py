"""What became of a test, and how the page and the last line tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Result = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test: `part` is `mandatory` or `conditional` of the official suite, or the section of the standard's rules."""

    part: str
    id: str
    title: str
    result: Result
    remark: str = ""

    @property
    def line(self) -> str:
        return f"{self.result:8} {self.part:13}{self.id:20}{self.title}{f' ({self.remark})' if self.remark else ''}"


def counted(outcomes: Sequence[Outcome]) -> str:
    """Return the last line."""
    counts = Counter(outcome.result for outcome in outcomes)
    return ", ".join(f"{counts[result]} {result}" for result in ("passed", "failed", "skipped"))
