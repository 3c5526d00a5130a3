"""The embedded server: starts for whoever asks, survives kills, and says clearly what is wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from strongroom import embedded
from strongroom.embedded import EmbeddedPostgres, FolderInUse
from strongroom.embedded_programs import ROOT_HOME, EmbeddedPostgresError

NOBODY = 65534
ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that the server's user can reach when root runs the tests, and leave nothing running in it."""
    made = Path(tempfile.mkdtemp(prefix="embedded-", dir=os.environ["STRONGROOM_TEST_FOLDER"]))
    made.chmod(0o711)
    yield made / "pg"
    EmbeddedPostgres(made / "pg").reset()
    shutil.rmtree(made)


async def ask(server: EmbeddedPostgres, question: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={"PYTHONPATH": f"{ROOT}/src", "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_as(uid: int, work: Callable[[], str]) -> str:
    """Return what `work` answers when another user does it. A fork, because that user may not be able to read Python."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(writing, work().encode())
        except BaseException as error:  # noqa: BLE001 - the parent is told, and a forked pytest must not go on
            os.write(writing, repr(error).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        return said.read()


START = """
import sys, time
from pathlib import Path
from strongroom.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.find_pid(), flush=True)
time.sleep(60)
"""


async def test_it_starts_with_checksums_utf8_and_no_tcp_port(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        assert await ask(server, "SELECT current_setting('data_checksums')") == "on"
        assert await ask(server, "SELECT current_setting('listen_addresses')") == ""
        assert await ask(server, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
        assert await ask(server, "SELECT upper('älter')") == "ÄLTER"
        assert await ask(server, "SELECT current_setting('fsync')") == "on"
    assert server.find_pid() is None


async def test_what_was_committed_is_there_after_the_server_is_killed(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        await ask(server, "CREATE TABLE kept (n int)")
        for n in range(3):
            await ask(server, f"INSERT INTO kept VALUES ({n})")
            os.kill(server.find_pid() or 0, signal.SIGKILL)
            server.stop()
            server.start()
        assert await ask(server, "SELECT count(*) FROM kept") == 3


async def test_a_busy_server_starts_again_at_once_after_a_kill(folder: Path) -> None:
    """Its child still works on the shared memory when the next server comes up."""
    with EmbeddedPostgres(folder) as server:
        busy = await asyncpg.connect(server.dsn())
        query = busy.execute("SELECT count(*) FROM generate_series(1, 3000000) a")
        running = asyncio.ensure_future(query)
        await asyncio.sleep(0.2)
        os.kill(server.find_pid() or 0, signal.SIGKILL)
        server.start()
        assert await ask(server, "SELECT 1") == 1
        assert "is still in use" in server.log.read_text()
        await asyncio.gather(running, return_exceptions=True)


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_hindrance(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        os.kill(server.find_pid() or 0, signal.SIGKILL)
        server.stop()
        owner = server.data.stat().st_uid
        identity = {"user": owner, "group": owner, "extra_groups": []} if os.geteuid() == 0 else {}
        stranger = subprocess.Popen(["/bin/sleep", "60"], **identity)
        try:
            pid_file = server.data / "postmaster.pid"
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            assert server.find_pid() is None
            server.start()
            assert server.find_pid() not in (None, stranger.pid)
            assert stranger.poll() is None
        finally:
            stranger.kill()
            stranger.wait()


async def test_a_server_left_by_a_killed_launcher_is_found_again_and_used(folder: Path) -> None:
    launcher = run_python(START, folder)
    assert launcher.stdout is not None
    pid = int(launcher.stdout.readline())
    launcher.kill()
    launcher.wait()
    with EmbeddedPostgres(folder) as server:
        assert server.find_pid() == pid
        assert await ask(server, "SELECT 1") == 1
    assert server.find_pid() is None
    launcher.stdout.close()


def test_a_second_start_on_one_folder_says_who_has_it(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        with pytest.raises(FolderInUse, match=f"already run by process {os.getpid()}"):
            EmbeddedPostgres(folder).start()
        with pytest.raises(FolderInUse):
            EmbeddedPostgres(folder).reset()
        assert server.find_pid() is not None


async def test_reset_leaves_an_empty_cluster(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        await ask(server, "CREATE TABLE gone ()")
        server.reset()
        assert not server.data.exists()
        server.start()
        assert await ask(server, "SELECT to_regclass('gone')") is None


def test_a_start_that_fails_shows_the_log_and_lets_go_of_the_folder(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    (server.data / "postgresql.auto.conf").write_text("max_connections = many\n")
    for _ in range(2):
        with pytest.raises(EmbeddedPostgresError, match="max_connections"):
            server.start()


def test_every_socket_path_is_short_enough_for_the_kernel(folder: Path) -> None:
    with EmbeddedPostgres(folder / ("long" * 30)) as server:
        path = server.socket_folder / embedded.SOCKET_NAME
        assert path.is_socket()
        assert len(os.fsencode(path)) < 100
        server.reset()


@as_root
def test_root_may_keep_the_database_where_no_other_user_can_go(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    with EmbeddedPostgres(folder / "closed") as server:
        assert server.find_pid() is not None
        assert server.home.is_relative_to(ROOT_HOME)
        server.reset()
    assert not server.home.exists()


@as_root
def test_another_user_is_turned_away(folder: Path) -> None:
    def look_in() -> str:
        said = subprocess.run([server.bin("psql"), server.dsn(), "-c", "SELECT 1"], check=False, capture_output=True, text=True)
        return said.stderr

    with EmbeddedPostgres(folder) as server:
        assert "Permission denied" in run_as(NOBODY, look_in)
        server.socket_folder.chmod(0o755)
        (server.socket_folder / embedded.SOCKET_NAME).chmod(0o777)
        assert "Peer authentication failed" in run_as(NOBODY, look_in)


def test_a_strict_umask_is_no_hindrance(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        server = EmbeddedPostgres(folder / "below")
        home = server.home
        with server:
            assert server.home == home
    finally:
        os.umask(before)


@as_root
def test_a_normal_user_can_run_it(folder: Path) -> None:
    def run() -> str:
        with EmbeddedPostgres(folder) as server:
            said = subprocess.run(
                [server.bin("psql"), server.dsn(), "-Atc", "SELECT 'here'"], check=False, capture_output=True, text=True
            )
            return f"{said.stdout.strip()} {server.data.owner()} {said.stderr}"

    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    if run_as(NOBODY, lambda: str(os.access(EmbeddedPostgres(folder).bin("postgres"), os.X_OK))) != "True":
        pytest.skip("this checkout lies where a normal user cannot read it")
    assert run_as(NOBODY, run).startswith("here nobody")


def test_a_cold_start_takes_about_a_second(folder: Path) -> None:
    began_at = time.perf_counter()
    with EmbeddedPostgres(folder, durable=False):
        assert time.perf_counter() - began_at < 5  # a second on a quiet machine; this only notices a wait gone wrong
