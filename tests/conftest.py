"""What every test may ask for: one PostgreSQL for the whole run, and a fresh, migrated database for each test.

The server starts when the first test asks for it, is shared by all workers of pytest-xdist, and is stopped by the process
that the workers belong to. A run that was killed leaves its server behind; the next run removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.migrate import migrate

FOLDER_VARIABLE = "STRONGROOM_TEST_FOLDER"
FOLDER_PREFIX = "strongroom-tests-"
TEMPLATE = "migrated"
SYSTEM_PACKAGES = Path(__file__).with_name("system-packages.txt")
MEMORY_MIN_BYTES = 2 * 1024**3
run_lock = pytest.StashKey[int]()


@dataclass(frozen=True, slots=True)
class Database:
    """A database of its own for one test, with every migration applied."""

    name: str
    dsn: str  # as the owner, who made the tables
    app_dsn: str  # as strongroom_app: what the web process is
    worker_dsn: str  # as strongroom_worker


@pytest.fixture(scope="session")
def postgres() -> EmbeddedPostgres:
    """Return the running server of this test run. Tests that stop or kill a server start one of their own."""
    server = EmbeddedPostgres(run_folder() / "postgresql", durable=False)
    with locked("postgresql"):
        if server.find_pid() is None:
            server.start()
    return server


@pytest.fixture(scope="session")
async def migrated(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """Make the template with all migrations once per run; yield a connection that clones it."""
    connection = await asyncpg.connect(postgres.dsn())
    with locked("template"):
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1 AND datistemplate", TEMPLATE):
            await connection.execute(f"CREATE DATABASE {TEMPLATE}")
            await migrate(postgres.dsn(TEMPLATE))
            await connection.execute(f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true")
    yield connection
    await connection.close()


@pytest.fixture
async def database(postgres: EmbeddedPostgres, migrated: asyncpg.Connection) -> AsyncIterator[Database]:
    """Yield a fresh database for one test."""
    name = f"test_{uuid4().hex}"
    await migrated.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield Database(name, postgres.dsn(name), postgres.dsn(name, "strongroom_app"), postgres.dsn(name, "strongroom_worker"))
    await migrated.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_folder() -> Path:
    """Return the folder that all workers of this run share."""
    return Path(os.environ[FOLDER_VARIABLE])


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one worker at a time do what all of them need once."""
    with (run_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    for folder in fast_folder().glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            os.close(hold(folder))
            clear(folder)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=fast_folder()))
    folder.chmod(0o711)  # the server of a root's run is another user and passes through
    config.stash[run_lock] = hold(folder)
    os.environ[FOLDER_VARIABLE] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    if run_lock in config.stash:
        clear(run_folder())
        os.close(config.stash[run_lock])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure when it happens, so that a long run that is ended early has said what it found."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})", flush=True)  # noqa: T201  # where whoever runs the tests looks


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose system package is missing; in CI that is a failure."""
    for program in (marker.args[0] for marker in item.iter_markers("needs")):
        if shutil.which(program) is None:
            says_no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            says_no(f"needs {program}: apt-get install {package_of(program)}")


def package_of(program: str) -> str:
    """Return the Debian package that `tests/system-packages.txt` names for a program."""
    rows = [line.split(maxsplit=2) for line in SYSTEM_PACKAGES.read_text().splitlines() if not line.startswith("#")]
    return next(package for package, shown_by, _ in rows if shown_by == program)


def fast_folder() -> Path:
    """Return a folder in memory where there is one with room: a database is cloned there in 20 ms, on a disk in 400."""
    memory = Path("/dev/shm")  # noqa: S108 - the run's own folder in it is made by mkdtemp
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_MIN_BYTES
    return memory if roomy else Path(tempfile.gettempdir())


def hold(folder: Path) -> int:
    """Mark a run's folder as in use until its process ends. Raises OSError when another run uses it."""
    lock = os.open(folder / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def clear(folder: Path) -> None:
    """Stop what still runs in a run's folder and remove it."""
    for started in folder.rglob("launcher.lock"):
        EmbeddedPostgres(started.parent, durable=False).stop()
    shutil.rmtree(folder, ignore_errors=True)
