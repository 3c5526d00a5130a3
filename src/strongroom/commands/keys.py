"""`strongroom keys`: the root keys, which open everything else and live outside the database."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from strongroom.commands.desk import open_desk, say, say_table
from strongroom.commands.failure import Failed
from strongroom.kit.crypto import fingerprint
from strongroom.kit.rootkeys import FileKeeper
from strongroom.kit.rotation import count_wrapped, rewrap_all
from strongroom.settings import PREFIX

app = App(name="keys", help="Make, rotate, retire and list the root keys.")

_VARIABLE = f"{PREFIX}KEYS_FILE"
_SETTLED_SECONDS = 60  # processes read the file anew every few seconds
KeyFile = Annotated[Path | None, Parameter(name="--file", help=f"The key file; without it {_VARIABLE}")]


def _keeper(file: Path | None) -> FileKeeper:
    path = file or os.environ.get(_VARIABLE)
    if not path:
        raise Failed(f"say which file: --file PATH or {_VARIABLE}")
    return FileKeeper(Path(path))


@app.command
def init(file: KeyFile = None) -> None:
    """Make a key file that only you can read. An existing one is left alone.

    Keep a copy away from the database and its backups: without these keys nothing can be read, with them everything can.
    """
    keeper = _keeper(file)
    existed = keeper.path.exists()
    keeper.create()
    keeper.load()
    say(
        f"{keeper.path} was there already and is unchanged." if existed else f"{keeper.path} was made. Keep a copy in a safe place."
    )


@app.command
async def rotate(
    file: KeyFile = None, *, tenants: Annotated[bool, Parameter(help="Give every firm a new key of its own too")] = False
) -> None:
    """Add a new root key, make it the active one, and wrap all keys with it, while everything runs.

    The old root keys stay until `strongroom keys retire`.
    """
    keeper = _keeper(file)
    async with open_desk() as desk:
        version = keeper.rotate()
        wrapped = await rewrap_all(desk.worker_db, desk.vault, new_keys=tenants)
    say(f"Root key {version} is active; {wrapped} keys were wrapped with it.")


@app.command
async def retire(file: KeyFile = None) -> None:
    """Remove the root keys that wrap nothing any more. Backups made before need them: keep a copy as long as those."""
    keeper = _keeper(file)
    if time.time() - keeper.path.stat().st_mtime < _SETTLED_SECONDS:  # this machine's clock: it is this machine's file
        raise Failed("the keys have just been rotated and a running process may still use an old one: wait a minute")
    async with open_desk() as desk:
        root = desk.vault.root(reload=True)
        unused = set(root.keys) - set(await count_wrapped(desk.worker_db)) - {root.active.version}
        keeper.retire(unused)
    say(f"Removed: {', '.join(map(str, sorted(unused)))}." if unused else "Every root key is still needed.")


@app.command(name="list")
async def list_keys() -> None:
    """List the root keys by version and fingerprint, and how many keys each of them wraps."""
    async with open_desk() as desk:
        root = desk.vault.root(reload=True)
        wrapped = await count_wrapped(desk.worker_db)
    rows = [
        (key.version, fingerprint(key.material), wrapped.get(key.version, 0), "active" if key == root.active else "")
        for key in root.keys.values()
    ]
    say_table(("version", "fingerprint", "wraps", ""), rows)
