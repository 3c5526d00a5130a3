"""Guides made from the code: settings, metrics, refusals, quirks. Each is a marked part of a document that people write around."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Counter, Histogram

import strongroom
from modelbank.ledger.customers import CUSTOMERS
from modelbank.psu.words import pounds
from modelbank.quirks import PACKS
from strongroom.access.errors import OAuthRefused
from strongroom.funds.model import FAILURE_MESSAGES
from strongroom.kit import metrics
from strongroom.kit.errors import Refusal
from strongroom.settings_reading import explain
from tests.rules.source import ROOT, read

_PART = "<!-- made from the code: {} -->\n"
_ALL = re.compile(r"<!-- made from the code: (\w+) -->\n.*?<!-- end -->\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and the parts of it that are made from the code."""

    path: Path
    parts: dict[str, Callable[[], str]]

    def renewed(self) -> str:
        """Return the document with its parts as the code says now. Raise KeyError for a part that nobody makes."""
        return _ALL.sub(lambda found: _PART.format(found[1]) + self.parts[found[1]]() + "<!-- end -->\n", self.path.read_text())


def settings_table() -> str:
    """Return every setting with its meaning and default, as `strongroom settings explain` tells them."""
    rows = (f"| `{one.variable}` | {one.meaning}. | {_code(one.default)} |" for one in explain({}))
    return _table(("variable", "meaning", "default"), rows)


def metrics_table() -> str:
    """Return every metric with its kind, labels and meaning."""
    return _table(("metric", "kind", "labels", "counts"), map(_metric_row, _metrics()))


def refusals_table() -> str:
    """Return every refusal of the API by its code."""
    kinds = sorted(
        _refusals(Refusal), key=lambda kind: kind.__module__
    )  # of a code that two contexts have, whatever was imported first
    found = {kind.code: kind for kind in kinds if not issubclass(kind, OAuthRefused) and not _is_page(kind)}
    rows = (f"| `{code}` | {found[code].status} | {found[code].title}. |" for code in sorted(found) if code != Refusal.code)
    return _table(("code", "status", "means"), rows)


def oauth_table() -> str:
    """Return the errors of the OAuth endpoints."""
    found = {kind.code: kind for kind in (OAuthRefused, *_refusals(OAuthRefused))}
    return _table(
        ("error", "status", "means"), (f"| `{code}` | {found[code].status} | {found[code].title}. |" for code in sorted(found))
    )


def failures_table() -> str:
    """Return why an attempt to pay or share may end, as `lastFailure` tells it."""
    return _table(("code", "message"), (f"| `{failure}` | {message} |" for failure, message in sorted(FAILURE_MESSAGES.items())))


def quirks_table() -> str:
    """Return how the pretend banks can be made to fail, as their page for testers tells it."""
    rows = (f"| `{one.quirk}` | `{one.username}` | {pounds(one.amount_minor)} | {one.happens} | {one.mirrors} |" for one in PACKS)
    return _table(("quirk", "user name", "amount", "what happens", "as in"), rows)


def customers_table() -> str:
    """Return the pretend customers who bring no quirk."""
    quirky = {pack.username for pack in PACKS}
    plain = (one for one in CUSTOMERS if one.username not in quirky)
    return _table(("name", "who", "what happens"), (f"| `{one.username}` | {one.holder} | {one.purpose} |" for one in plain))


DOCUMENTS = (
    Document(ROOT / "docs/operate/settings.md", {"settings": settings_table}),
    Document(ROOT / "docs/operate/monitoring.md", {"metrics": metrics_table}),
    Document(ROOT / "docs/integrate/errors.md", {"refusals": refusals_table, "oauth": oauth_table, "failures": failures_table}),
    Document(ROOT / "docs/integrate/sandbox.md", {"customers": customers_table, "quirks": quirks_table}),
)


def _refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Yield every kind of refusal, wherever it is declared. A kind that keeps its parent's code is left out."""
    _import_everything()
    for below in kind.__subclasses__():
        if below.__module__.startswith("strongroom."):
            if "code" in vars(below):
                yield below
            yield from _refusals(below)


@functools.cache
def _import_everything() -> None:
    """Import every module of the product, so that every subclass is known."""
    for module in pkgutil.walk_packages(strongroom.__path__, "strongroom."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _is_page(kind: type[Refusal]) -> bool:
    return kind.__module__.startswith("strongroom.portal")


def _metrics() -> list[tuple[str, object]]:
    return [(name, value) for name, value in vars(metrics).items() if hasattr(value, "_labelnames")]


def _metric_row(named: tuple[str, object]) -> str:
    """Return a metric's line; one that no module raises is said to stay empty."""
    constant, metric = named
    name, labels, meaning = (getattr(metric, part) for part in ("_name", "_labelnames", "_documentation"))
    kind = "counter" if isinstance(metric, Counter) else "histogram" if isinstance(metric, Histogram) else "gauge"
    shown = name + ("_total" if kind == "counter" else "")
    used = f"strongroom.kit.metrics.{constant}" in _imported()
    note = "" if used else " (stays empty so far)"
    return f"| `{shown}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning}{note} |"


@functools.cache
def _imported() -> frozenset[str]:
    """Return all names that our code imports from somewhere."""
    return frozenset(name for module in read("src") for _, name in module.imports())


def _code(default: str) -> str:
    return default.strip("()") if default.startswith("(") else f"`{default}`"


def _table(head: tuple[str, ...], rows: Iterator[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows, ""])
