"""The laws of ARCHITECTURE.md that can be read off the source. Each is a function: modules in, one sentence per fault out."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator

from tests.rules.source import FUNCTIONS, Module

Law = Callable[[Iterable[Module]], Iterator[str]]

_SQL = re.compile(
    r"\s*(WITH\s+\w+\s+(\(.*?\)\s+)?AS\b|SELECT\s+(?!.*[.!?]$)|INSERT\s+INTO\s|UPDATE\s+\S+\s+(AS\s+\w+\s+)?SET\s|DELETE\s+FROM\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|ROLE|DATABASE|FUNCTION)\s)"
)
_TENANT_TABLE = r"\b(?:FROM|JOIN|INTO|UPDATE)\s+({})\b"
_SETS_STATE = re.compile(r"\bUPDATE\b.*\bSET\b(?:(?!\bWHERE\b|\bFROM\b).)*(?<![\w.])state\s*=", re.DOTALL)

SQL_AT_HOME = ("store", "kit", "database.py", "embedded.py", "dev.py")  # database.py is the model bank's; dev.py makes databases
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc", "service", "shared", "core"}
BROAD_CATCHERS = (
    "kit/jobs.py",  # the job runner: a row that failed stays due
    "kit/edge.py",  # the outermost handler
    "kit/groupcommit.py",  # hands the failure to every caller that waits for the batch, and raises it there
    "modelbank/web/asgi.py",  # the model bank's outermost handler
)
TENANT_NAMES = {"tenant", "tenant_id", "firm_id", "issuer_id", "merchant_id"}
WORKER_VERBS = ("claim_", "lock_", "take_", "forget_", "erase_")  # what the worker does for all tenants, under a role of its own

# What a file's role forbids it to know (architecture, "The same file names in every context").
FORBIDDEN_IMPORTS = {
    "model": {"asyncpg", "httpx", "litestar", "strongroom.kit.db"},
    "states": {"asyncpg", "httpx", "litestar", "strongroom.kit.db"},
    "schemas": {"asyncpg", "httpx", "strongroom.kit.db"},
    "store": {"httpx", "litestar"},
    "api": {"asyncpg", "httpx"},
    "jobs": {"asyncpg", "httpx", "litestar"},
}
USE_CASE_CONTEXTS = {"access", "funds", "sca", "webhooks", "notify", "issuing"}
KNOW_THE_WEB = {"api", "guard"}  # files or folders that may know the web framework below the faces' tier


def sql_lives_in_stores(modules: Iterable[Module]) -> Iterator[str]:
    """SQL is written in store files, in kit, and nowhere else."""
    for module in modules:
        if not {part.removesuffix(".py") for part in _parts(module)} & {name.removesuffix(".py") for name in SQL_AT_HOME}:
            yield from (module.at(line, "SQL outside a store") for line, text in module.texts() if _SQL.match(text))


def names_say_what_is_inside(modules: Iterable[Module]) -> Iterator[str]:
    """No module or package is named utils, helpers, common, base or manager."""
    for module in modules:
        for part in {*module.folders, module.name} & VAGUE_NAMES:
            yield module.at(1, f"the name {part!r} says nothing")


def roles_are_kept(modules: Iterable[Module]) -> Iterator[str]:
    """A file knows only what its role in the context allows."""
    for module in modules:
        roles = {*module.folders, module.name}
        role = next((name for name in FORBIDDEN_IMPORTS if name in roles), module.name)
        forbidden = FORBIDDEN_IMPORTS.get(role, set())
        if set(module.folders) & USE_CASE_CONTEXTS and not roles & KNOW_THE_WEB and role not in FORBIDDEN_IMPORTS:
            forbidden = {"litestar"}
        for line, name in module.imports():
            if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden):
                yield module.at(line, f"{role}.py may not know {name}")
            if "api" in roles and "store" in name.split("."):
                yield module.at(line, "api.py calls use cases, never a store")


def packages_hold_one_docstring(modules: Iterable[Module]) -> Iterator[str]:
    """`__init__.py` is one docstring and nothing else."""
    for module in modules:
        if module.name == "__init__" and not (len(module.tree.body) == 1 and ast.get_docstring(module.tree)):
            yield module.at(1, "a package's __init__.py is its docstring and nothing else")


def modules_say_their_purpose(modules: Iterable[Module]) -> Iterator[str]:
    """Every module begins with a docstring."""
    yield from (
        module.at(1, "no docstring says what this module is for") for module in modules if not ast.get_docstring(module.tree)
    )


def everything_is_caught_in_two_places_only(modules: Iterable[Module]) -> Iterator[str]:
    """`except Exception` belongs to the outermost handler and the job runner; a handler that raises again catches nothing."""
    for module in modules:
        for handler in (node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler)):
            caught = "Exception" if handler.type is None else ast.unparse(handler.type)
            raises_again = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
            if re.search(r"\b(Base)?Exception\b", caught) and not raises_again and not module.path.endswith(BROAD_CATCHERS):
                yield module.at(handler.lineno, "catches everything")


def exceptions_to_rules_have_reasons(modules: Iterable[Module]) -> Iterator[str]:
    """Every noqa and type: ignore names its rule and says why, on the same line."""
    for module in modules:
        for line, comment in _comments(module):
            asks_for_reason = re.match(r"#\s*(noqa|type:\s*ignore)", comment)
            gives_it = re.match(r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\])\s*(#|--?)\s*\S.{3}", comment)
            if asks_for_reason and not gives_it:
                yield module.at(line, f"{comment!r} does not name its rule and say why")


def the_database_tells_the_time(modules: Iterable[Module]) -> Iterator[str]:
    """Decisions read `app_now()`; a line that reads this machine's clock says why that decides nothing."""
    for module in modules:
        explained = {line for line, _ in _comments(module)}
        for node in ast.walk(module.tree):
            if _reads_a_clock(node) and node.lineno not in explained:
                yield module.at(node.lineno, f"reads this machine's clock: {ast.unparse(node)}")


def states_move_by_machine(modules: Iterable[Module]) -> Iterator[str]:
    """No statement writes a `state` column; kit/machine.py does."""
    for module in modules:
        if not module.path.endswith("kit/machine.py"):
            yield from (module.at(line, "writes a state by hand") for line, text in module.texts() if _SETS_STATE.search(text))


def store_functions_take_a_transaction_and_a_tenant(modules: Iterable[Module], tenant_tables: Iterable[str]) -> Iterator[str]:
    """A store function's first argument is `tx`; one that touches a tenant's table takes the tenant second."""
    table = re.compile(_TENANT_TABLE.format("|".join(tenant_tables)), re.IGNORECASE)
    for module in modules:
        if module.name != "store" and "store" not in module.folders:
            continue
        for function in (node for node in module.tree.body if isinstance(node, FUNCTIONS) and not node.name.startswith("_")):
            names = [argument.arg for argument in function.args.args]
            if isinstance(function, ast.AsyncFunctionDef) and names[:1] != ["tx"]:
                yield module.at(function.lineno, f"{function.name} does not take tx first")
            elif (
                table.search(ast.unparse(function))
                and not _names_a_tenant(names[1:2], ast.unparse(function))
                and not function.name.startswith(WORKER_VERBS)
            ):
                yield module.at(function.lineno, f"{function.name} touches a tenant's rows and does not take the tenant second")


def nothing_of_ours_is_patched(modules: Iterable[Module]) -> Iterator[str]:
    """Tests use real collaborators: no mock library, no replaced attributes."""
    for module in modules:
        for line, name in module.imports():
            if name.split(".")[0] in {"mock", "pytest_mock", "respx", "responses"} or name.startswith("unittest.mock"):
                yield module.at(line, "a mock library")
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in {"monkeypatch.setattr", "monkeypatch.setitem"}):
                continue
            if ast.unparse(node.args[0]) != "sys":  # the process's own streams are not code of ours
                yield module.at(node.lineno, "patches code")


def no_test_keeps_the_time_at_which_it_was_read(modules: Iterable[Module]) -> Iterator[str]:
    """A moment taken while a file is imported, as in a test's parameters, is old by the time that the test runs."""
    for module in modules:
        inside = {id(node) for function in module.functions() for part in function.body for node in ast.walk(part)}
        inside |= {id(node) for made in ast.walk(module.tree) if isinstance(made, ast.Lambda) for node in ast.walk(made.body)}
        for node in ast.walk(module.tree):
            if _reads_a_clock(node) and id(node) not in inside:
                yield module.at(node.lineno, f"{ast.unparse(node)} is called when the file is imported: say how far from now")


def _reads_a_clock(node: ast.AST) -> bool:
    clocks = r"(datetime\.)?(datetime|date)\.(now|utcnow|today)|time\.(time|time_ns)"
    return isinstance(node, ast.Call) and re.fullmatch(clocks, ast.unparse(node.func)) is not None


def _names_a_tenant(second: list[str], function: str) -> bool:
    """True when the second argument is a tenant, or a value that carries one and is asked for it."""
    return any(name in TENANT_NAMES or any(f"{name}.{tenant}" in function for tenant in TENANT_NAMES) for name in second)


def _parts(module: Module) -> tuple[str, ...]:
    return (*module.folders, f"{module.name}.py")


def _comments(module: Module) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
