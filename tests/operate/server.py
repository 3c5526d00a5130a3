"""PostgreSQL as Debian packages it, in a folder of the test: the version that most installations have."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from strongroom.embedded_programs import as_user, environment, give, user_with_a_name

VERSIONS = Path("/usr/lib/postgresql")
_ACCESS = "local all postgres trust\nlocal replication postgres trust\nlocal all all scram-sha-256\n"
_START_SECONDS = 60.0


class DebianPostgres:
    """One cluster in one folder; what it writes is archived beside its data, as the guide for backups wants it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.archive = folder / "archive"
        self._user = user_with_a_name()
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        """Return the address of a database, over the socket in the folder."""
        return f"postgresql://{user}:{quote(password)}@/{database}?host={quote(str(self.folder), safe='/')}"

    def make(self) -> None:
        """Make an empty cluster."""
        self.archive.mkdir(parents=True)
        give(self.folder, self._user)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust")
        (self.data / "pg_hba.conf").write_text(_ACCESS)
        self._set("archive_mode = on", f"archive_command = 'cp %p {self.archive}/%f'")

    def back_up(self) -> Path:
        """Take a base backup while everything runs; return its folder."""
        backup = self.folder / "backup"
        self._run("pg_basebackup", "-h", str(self.folder), "-U", "postgres", "-D", str(backup), "-X", "none", "-c", "fast")
        return backup

    def restore(self, backup: Path, archive: Path, until: str) -> None:
        """Make this cluster from a backup and the archive that goes with it, up to a named point."""
        self.archive.mkdir(parents=True)
        shutil.copytree(backup, self.data)
        self._set(
            f"archive_command = 'cp %p {self.archive}/%f'",
            f"restore_command = 'cp {archive}/%f %p'",
            f"recovery_target_name = '{until}'",
            "recovery_target_action = 'promote'",
        )
        (self.data / "recovery.signal").touch()
        give(self.folder, self._user)

    def start(self) -> None:
        """Start the server and wait until it takes writes."""
        command = [_program("postgres"), "-D", str(self.data), "-k", str(self.folder), "-c", "listen_addresses="]
        with (self.folder / "postgresql.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log, cwd="/", **as_user(self._user))
        deadline = time.monotonic() + _START_SECONDS
        while not self._takes_writes():
            assert time.monotonic() < deadline, (self.folder / "postgresql.log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server; open sessions are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_START_SECONDS)
            self._process = None

    def ask(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser and return what psql prints."""
        command = [_program("psql"), "-d", self.dsn(database), "-v", "ON_ERROR_STOP=1", "-Atc", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _takes_writes(self) -> bool:
        try:
            return self.ask("SELECT pg_is_in_recovery()") == "f"
        except subprocess.CalledProcessError:
            return False

    def _set(self, *lines: str) -> None:
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write("\n".join(["", *lines, ""]))

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_program(program), *arguments], check=True, capture_output=True, env=environment(), cwd="/", **as_user(self._user)
        )


def _program(name: str) -> str:
    newest = max(VERSIONS.iterdir(), key=lambda folder: float(folder.name))
    return str(newest / "bin" / name)
