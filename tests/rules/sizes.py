"""A mirror, not a gate: the sizes of our modules and functions beside those of the code we learn from.

`make check` prints it. An outlier is a reason to look for the missing idea, never to chop a whole in two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import quantiles

from tests.rules.source import Module, read

# Measured on product code: module median, p90, largest; function median, p90, p99.
MODELS = {
    "starlette": (142, 548, 876, 5, 27, 60),
    "svcs": (273, 1199, 1199, 10, 30, 72),
    "httpx": (248, 641, 2019, 9, 34, 80),
    "psycopg": (181, 569, 1774, 5, 23, 57),
    "procrastinate": (45, 358, 1042, 8, 32, 88),
}
MODULE_LINES = 400
FUNCTION_LINES = 60


@dataclass(frozen=True, slots=True)
class Sized:
    """Something of ours with its length in lines."""

    lines: int
    name: str


def module_sizes(modules: Iterable[Module]) -> list[Sized]:
    """Return all modules that hold more than a docstring, longest first."""
    return sorted((Sized(len(m.text.splitlines()), m.path) for m in modules if len(m.tree.body) > 1), key=lambda s: -s.lines)


def function_sizes(modules: Iterable[Module]) -> list[Sized]:
    """Return all functions with the lines from `def` to their end, longest first."""
    return sorted(
        (
            Sized(
                (function.end_lineno or function.lineno) - function.lineno + 1, f"{module.path}:{function.lineno} {function.name}"
            )
            for module in modules
            for function in module.functions()
        ),
        key=lambda sized: -sized.lines,
    )


def percentile(sizes: list[Sized], percent: int) -> int:
    """Return the size that `percent` of all do not exceed; 0 when there are none."""
    lines = [sized.lines for sized in sizes]
    return round(quantiles(lines, n=100, method="inclusive")[percent - 1]) if len(lines) > 1 else sum(lines)


def report(modules: list[Module]) -> str:
    """Return the table and the outliers as text."""
    files, functions = module_sizes(modules), function_sizes(modules)
    ours = (
        *(percentile(files, percent) for percent in (50, 90)),
        max((sized.lines for sized in files), default=0),
        *(percentile(functions, percent) for percent in (50, 90, 99)),
    )
    lines = [f"{'lines':14}{'modules: median':>16}{'p90':>6}{'max':>6}{'functions: median':>20}{'p90':>5}{'p99':>5}"]
    lines += [
        f"{name:14}{m50:16}{m90:6}{m_max:6}{f50:20}{f90:5}{f99:5}"
        for name, (m50, m90, m_max, f50, f90, f99) in {**MODELS, "ours": ours}.items()
    ]
    outliers = [sized for sized in files if sized.lines > MODULE_LINES]
    outliers += [sized for sized in functions if sized.lines > FUNCTION_LINES]
    lines += [f"  outlier: {sized.name}, {sized.lines} lines" for sized in outliers]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(report(read("src")) + "\n")
