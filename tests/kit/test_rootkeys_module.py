"""Root keys in a hardware module (SoftHSM): what is sealed opens, through rotation and lost sessions, and no key leaves it."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pkcs11
import pytest

from strongroom.cli import run
from strongroom.kit.audit import signing_key
from strongroom.kit.crypto import Place, SealBroken, Secret, seal, unseal
from strongroom.kit.db import Database
from strongroom.kit.readiness import NO_KEYS
from strongroom.kit.rootkeys import FileKeeper, RootKeysError
from strongroom.kit.rootkeys_module import Line, ModuleKeeper, ModuleUnavailable, open_module
from strongroom.kit.rotation import count_wrapped, rewrap_all
from strongroom.kit.vault import Vault
from tests.faults.town import Town, open_town
from tests.kit.test_vault import ONE, keys_of

LIBRARY, PIN = Path("/usr/lib/softhsm/libsofthsm2.so"), "correct-horse"
PLACE = Place("frm-1", "t", "c", "r")
pytestmark = [
    pytest.mark.needs("softhsm2-util"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # the library's iterators of a lost session
]


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give this process a module of its own: the library reads its configuration once."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    return folder


@pytest.fixture
def token(softhsm: Path) -> str:
    """Return the label of a fresh token."""
    label = f"t{uuid4().hex[:20]}"
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "0000-0000", "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    pkcs11.lib(str(LIBRARY)).reinitialize()  # the library looks for tokens once
    return label


@pytest.fixture
def keeper(token: str) -> ModuleKeeper:
    made = open_module(LIBRARY, token, Secret(PIN), "strongroom")
    assert made.create()
    return made


@pytest.fixture
async def app(database: Any) -> AsyncIterator[Database]:
    db = await Database.connect(database.app_dsn, size=4)
    yield db
    await db.close()


@pytest.fixture
async def worker(database: Any) -> AsyncIterator[Database]:
    db = await Database.connect(database.worker_dsn, role="strongroom_worker", size=2)
    yield db
    await db.close()


def test_what_is_sealed_opens_at_its_place_only(keeper: ModuleKeeper):
    root = keeper.load()
    sealed = seal(root.active, PLACE, b"text")
    assert unseal(root.active, PLACE, sealed) == b"text"
    with pytest.raises(SealBroken):
        unseal(root.active, Place("frm-2", "t", "c", "r"), sealed)
    for at in range(5, len(sealed)):
        with pytest.raises(SealBroken):
            unseal(root.active, PLACE, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])


def test_no_key_can_be_read_out_of_the_module(keeper: ModuleKeeper, token: str):
    with pkcs11.lib(str(LIBRARY)).get_token(token_label=token).open() as session:
        keys = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))
        assert sorted(str(key[pkcs11.Attribute.LABEL]) for key in keys) == ["strongroom-index", "strongroom-root-1"]
        for key in keys:
            with pytest.raises(pkcs11.exceptions.AttributeSensitive):
                key[pkcs11.Attribute.VALUE]


async def test_keys_rotate_while_values_stay_readable_and_the_old_one_can_go(app: Database, worker: Database, keeper: ModuleKeeper):
    running, other = Vault(keeper), Vault(keeper)
    sealed = (await keys_of(app, running)).seal_text("t", "c", "r", "text")
    assert keeper.rotate() == 2
    assert await rewrap_all(worker, other, new_keys=True) >= 1
    assert set(await count_wrapped(worker)) == {2}
    keeper.retire({1, 2})
    assert set(keeper.load().keys) == {2}
    assert (await keys_of(app, Vault(keeper))).unseal_text("t", "c", "r", sealed) == "text"


async def test_keys_moved_in_from_a_file_open_what_the_file_sealed_and_give_its_hashes(app: Database, token: str, tmp_path: Path):
    file = FileKeeper(tmp_path / "keys.json")
    file.create()
    file.rotate()
    before = Vault(file)
    sealed = (await keys_of(app, before, ONE)).seal_text("t", "c", "r", "text")
    module = open_module(LIBRARY, token, Secret(PIN), "moved")
    assert module.create(file.load())
    after = Vault(module)
    assert (await keys_of(app, after, ONE)).unseal_text("t", "c", "r", sealed) == "text"
    assert after.hash("telephones", "447700900123") == before.hash("telephones", "447700900123")
    assert signing_key(module.load()).private_bytes_raw() == signing_key(file.load()).private_bytes_raw()
    assert module.load().active.version == 2


def test_keys_that_are_there_are_left_alone(keeper: ModuleKeeper):
    name = keeper.load().active.fingerprint()
    assert not keeper.create()
    assert keeper.load().active.fingerprint() == name


async def test_a_session_that_was_lost_is_opened_again(app: Database, keeper: ModuleKeeper):
    root = keeper.load()
    sealed = seal(root.active, PLACE, b"text")
    pkcs11.lib(str(LIBRARY)).reinitialize()
    assert unseal(root.active, PLACE, sealed) == b"text"


def test_a_module_that_cannot_be_used_says_why_and_never_the_pin(keeper: ModuleKeeper, token: str, softhsm: Path):
    pkcs11.lib(str(LIBRARY)).reinitialize()  # nobody is logged in any more
    for wrong in (
        ModuleKeeper(Line(LIBRARY, token, Secret("wrong-pin")), "strongroom"),
        ModuleKeeper(Line(LIBRARY, "another", Secret(PIN)), "strongroom"),
        ModuleKeeper(Line(softhsm / "none.so", token, Secret(PIN)), "strongroom"),
    ):
        with pytest.raises(RootKeysError) as refused:
            wrong.load()
        assert PIN not in str(refused.value)
        assert "wrong-pin" not in str(refused.value)
    with pytest.raises(RootKeysError, match="keys init"):
        open_module(LIBRARY, token, Secret(PIN), "nobodys").load()


def test_a_pin_that_was_refused_is_not_tried_again_so_that_no_probe_locks_the_token(keeper: ModuleKeeper, token: str):
    pkcs11.lib(str(LIBRARY)).reinitialize()  # nobody is logged in any more
    line = Line(LIBRARY, token, Secret("the-next-pin"))
    with pytest.raises(RootKeysError, match="PinIncorrect"):
        ModuleKeeper(line, "strongroom").load()
    with pkcs11.lib(str(LIBRARY)).get_token(token_label=token).open(rw=True, user_pin=PIN) as session:
        session.set_pin(PIN, "the-next-pin")
    pkcs11.lib(str(LIBRARY)).reinitialize()
    with pytest.raises(RootKeysError, match="PinIncorrect"):
        ModuleKeeper(line, "strongroom").load()
    assert ModuleKeeper(Line(LIBRARY, token, Secret("the-next-pin")), "strongroom").load().keys


async def test_while_the_module_is_away_what_it_must_open_is_unavailable_and_then_opens(
    app: Database, keeper: ModuleKeeper, softhsm: Path
):
    sealed = (await keys_of(app, Vault(keeper))).seal_text("t", "c", "r", "text")
    vault = Vault(keeper)
    tokens = list((softhsm / "tokens").iterdir())
    for one in tokens:
        one.rename(softhsm / one.name)
    for _ in range(3):
        with pytest.raises(ModuleUnavailable) as refused:
            await keys_of(app, vault)
    assert refused.value.detail == ModuleUnavailable.title, "callers are told nothing of the module"
    for one in tokens:
        (softhsm / one.name).rename(one)
    assert (await keys_of(app, vault)).unseal_text("t", "c", "r", sealed) == "text"


async def test_a_server_warns_while_the_module_is_away_and_no_more_by_itself_when_it_is_back(
    database: Any, keeper: ModuleKeeper, softhsm: Path
):
    async with open_town(database, keeper) as town:
        await becomes(town, {"status": "ready"})
        tokens = list((softhsm / "tokens").iterdir())
        for one in tokens:
            one.rename(softhsm / one.name)
        pkcs11.lib(str(LIBRARY)).reinitialize()
        await becomes(town, {"status": "ready", "warning": NO_KEYS})
        assert (await town.http.get("/health/live")).status_code == 200
        for one in tokens:
            (softhsm / one.name).rename(one)
        await becomes(town, {"status": "ready"})


async def becomes(town: Town, said: dict[str, str]) -> None:
    """Ask whether the server is ready until it says so, ten seconds at most; it is all the while."""
    for _ in range(100):
        answer = await town.http.get("/health/ready")
        assert answer.status_code == 200
        if answer.json() == said:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(answer.text)


async def test_commands_make_rotate_and_list_the_keys_of_a_module(
    database: Any, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    settings = {
        "ENVIRONMENT": "test", "BASE_URL": "http://localhost:8000", "DATABASE_URL": database.dsn, "SMS_GATEWAY": "inbox",
        "AUDIT_ROOTS_FILE": str(tmp_path / "roots.jsonl"), "INBOX_URL": "http://127.0.0.1:8025", "KEYS_MODULE": str(LIBRARY),
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"STRONGROOM_{name}", value)

    async def command(*arguments: str) -> str:
        code = await asyncio.to_thread(run, list(arguments))
        out, err = capsys.readouterr()
        return out if code == 0 else err

    assert "KEYS_MODULE_TOKEN" in await command("keys", "init")
    monkeypatch.setenv("STRONGROOM_KEYS_MODULE_TOKEN", token)
    monkeypatch.setenv("STRONGROOM_KEYS_MODULE_PIN", PIN)
    assert "keys init" in await command("keys", "list")
    assert "has root keys now" in await command("keys", "init")
    assert "unchanged" in await command("keys", "init")
    await command("firms", "create", "Mulberry & Co")
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    await command("staff", "create", "Anne", "anne@firm.example")
    assert "Root key 2 is active; 1 keys" in await command("keys", "rotate")
    listed = await command("keys", "list")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["1", "2"]
    assert "active" in listed
    assert PIN not in listed
