"""Our own code as syntax trees: what the rules judge."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Module:
    """One Python file: its path below the root, such as `src/strongroom/funds/store.py`, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def folders(self) -> tuple[str, ...]:
        """The packages it lies in, outermost first: `("strongroom", "funds")`."""
        return Path(self.path).parts[1:-1]

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS))

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield the line and content of every string that is no docstring; the holes of an f-string become `?`."""
        inner = {id(part) for node in ast.walk(self.tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        docstrings = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.JoinedStr):
                yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | docstrings:
                yield node.lineno, node.value

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and full name of everything imported."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, node.module or ""
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)

    def at(self, line: int, fault: str) -> str:
        return f"{self.path}:{line}: {fault}"


def read(*folders: str, root: Path = ROOT) -> list[Module]:
    """Return all Python files below the folders, such as `src` or `tests`."""
    return [
        Module(str(path.relative_to(root)), path.read_text())
        for folder in folders
        for path in sorted((root / folder).rglob("*.py"))
        if "node_modules" not in path.parts
    ]
