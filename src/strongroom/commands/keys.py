"""`strongroom keys`: the root keys, which open everything else and live outside the database."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from strongroom.commands.desk import open_desk, say, say_table
from strongroom.commands.failure import Failed
from strongroom.kit.crypto import Secret
from strongroom.kit.rootkeys import FileKeeper
from strongroom.kit.rotation import count_wrapped, rewrap_all
from strongroom.settings import PREFIX, module_keeper

if TYPE_CHECKING:
    from strongroom.kit.rootkeys_module import ModuleKeeper

app = App(name="keys", help="Make, rotate, retire and list the root keys.")

_VARIABLE, _MODULE = f"{PREFIX}KEYS_FILE", f"{PREFIX}KEYS_MODULE"
_SETTLED_SECONDS = 60  # processes read the file anew every few seconds
_LOOKED_SECONDS = 10  # and look into the module as often
KeyFile = Annotated[Path | None, Parameter(name="--file", help=f"The key file; without it {_VARIABLE}, or the module of {_MODULE}")]


def _keeper(file: Path | None) -> FileKeeper | ModuleKeeper:
    """Return the keeper that is named. A module is found in the environment alone, as there may be no other settings yet."""
    if path := file or os.environ.get(_VARIABLE):
        return FileKeeper(Path(path))
    if not (module := os.environ.get(_MODULE)):
        raise Failed(f"say which file: --file PATH or {_VARIABLE}; or set {_MODULE}")
    token, pin, prefix = (os.environ.get(f"{_MODULE}_{name}", "") for name in ("TOKEN", "PIN", "PREFIX"))
    if not token or not pin:
        raise Failed(f"{_MODULE} needs {_MODULE}_TOKEN and {_MODULE}_PIN")
    return module_keeper(Path(module), token, Secret(pin), prefix or "strongroom")


@app.command
def init(
    file: KeyFile = None,
    *,
    copy_from: Annotated[
        Path | None, Parameter(help="Move the root keys of this file into the module, instead of making new ones")
    ] = None,
) -> None:
    """Make root keys: a file that only you can read, or keys in a hardware module that never leave it.

    Existing ones are left alone. Keep a copy of the file (or of the module, by its own means) away from the database and its
    backups: without these keys nothing can be read, with them everything can.
    """
    keeper = _keeper(file)
    if not isinstance(keeper, FileKeeper):
        made = keeper.create(FileKeeper(copy_from).load() if copy_from else None)
        keeper.load()
        say("The module has root keys now. Have it backed up by its own means." if made else "The module had root keys; unchanged.")
        return
    if copy_from:
        raise Failed(f"--copy-from moves keys into a hardware module: set {_MODULE} and not {_VARIABLE}")
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
    if not isinstance(keeper, FileKeeper):
        await asyncio.sleep(_LOOKED_SECONDS)  # a module does not say when a key was made: by now every process has seen the newest
    elif time.time() - keeper.path.stat().st_mtime < _SETTLED_SECONDS:  # this machine's clock: it is this machine's file
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
        (key.version, key.fingerprint(), wrapped.get(key.version, 0), "active" if key.version == root.active.version else "")
        for key in root.keys.values()
    ]
    say_table(("version", "fingerprint", "wraps", ""), rows)
