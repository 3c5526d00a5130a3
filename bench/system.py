"""The system under measurement: a durable embedded PostgreSQL, migrated, some firms, and one web process over them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from strongroom.access.model import FIRM_SCOPES, Credentials, FirmSettings
from strongroom.dev_parts import Part, free_port
from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.crypto import Secret
from strongroom.kit.migrate import migrate
from strongroom.kit.rootkeys import FileKeeper
from strongroom.settings_reading import load_settings
from strongroom.wiring import House, build

DATABASE = "bench"
BASE_URL = "https://bench.example.com"  # as production says; the load tool speaks to the port behind the proxy
_OPERATOR = "operator:bench"
_ON_UVLOOP = "import sys, uvloop; uvloop.install(); from strongroom.cli import run; sys.exit(run(['serve']))"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class BenchFirm:
    """A firm with what its developer holds."""

    id: str
    client_id: str
    client_secret: str
    token: str
    account_id: str


@dataclass(slots=True)
class System:
    """Everything that runs, and the ways in."""

    folder: Path
    postgres: EmbeddedPostgres
    environment: dict[str, str]
    web: Part
    base_url: str
    house: House  # of the bench itself, to prepare what the API does not offer
    owner: asyncpg.Connection
    firms: list[BenchFirm]

    @property
    def dsn(self) -> str:
        return self.postgres.dsn(DATABASE)

    def post(self, path: str, token: str, body: object) -> dict[str, object]:
        """Call the API once; for preparing, not for measuring."""
        request = urllib.request.Request(  # noqa: S310  # our own loopback address
            f"{self.base_url}{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own loopback address
            found: dict[str, object] = json.load(answer)
        return found

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the processor time used so far by the web process and by PostgreSQL with its children."""
        assert self.web.process is not None
        server = self.postgres.find_pid()
        assert server is not None
        return _cpu(self.web.process.pid), _cpu(server, ended=True) + sum(_cpu(pid) for pid in _children(server))

    def memory_mb(self) -> tuple[float, float]:
        """Return the web process's resident memory now and at its highest, in MB (Linux only)."""
        assert self.web.process is not None
        lines = Path(f"/proc/{self.web.process.pid}/status").read_text().splitlines()
        held = {name: value for name, _, value in (line.partition(":") for line in lines)}
        return tuple(int(held[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # a pair


@contextlib.asynccontextmanager
async def running(folder: Path, *, firms: int, uvloop: bool = False) -> AsyncIterator[System]:
    """Start everything in a folder on a real disk; stop it at the end. Firms beyond the first are made only where asked for."""
    _make(folder)
    with EmbeddedPostgres(folder / "postgres", durable=True) as postgres:
        await _make_database(postgres)
        FileKeeper(folder / "keys.json").create()
        _enrol(folder, postgres)
        port = free_port(8700)
        environment = _environment(folder, postgres, port)
        house = await build(load_settings(environment))
        owner = await asyncpg.connect(postgres.dsn(DATABASE))
        command = [sys.executable, *(["-c", _ON_UVLOOP] if uvloop else ["-m", "strongroom", "serve"])]
        web = Part("web", command, environment, folder / "web.log", f"http://127.0.0.1:{port}/health/ready")
        try:
            made = [await _make_firm(house, owner, number) for number in range(firms)]
            web.start()
            await asyncio.to_thread(web.wait_until_ready)
            yield System(folder, postgres, environment, web, f"http://127.0.0.1:{port}", house, owner, made)
        finally:
            web.stop()
            await owner.close()
            await house.close()


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o711)


async def _make_database(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn())
    try:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval(f"SHOW {name}") == "on"
    finally:
        await connection.close()
    await migrate(postgres.dsn(DATABASE))


def _enrol(folder: Path, postgres: EmbeddedPostgres) -> None:
    """Make the keys that production asks for, and no bank: none is called here."""
    command = [
        sys.executable, "-m", "modelbank", "enrol", "--out", str(folder), "--pages-port", "9", "--api-port", "9",
        "--redirect-uri", f"{BASE_URL}/customer/return", "--dsn", postgres.dsn(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    file = folder / "tpp.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"banks": []}))


def _gateways(folder: Path) -> Path:
    """Describe a gateway that nothing is sent by: no worker runs while requests are measured."""
    file = folder / "sms.toml"
    file.write_text("""[[gateway]]\nkind = "http"\nname = "none"\nurl = "https://sms.example/{to}/{text}"\n""")
    file.chmod(0o600)
    return file


def _environment(folder: Path, postgres: EmbeddedPostgres, port: int) -> dict[str, str]:
    return {
        "STRONGROOM_ENVIRONMENT": "production",
        "STRONGROOM_BASE_URL": BASE_URL,
        "STRONGROOM_DATABASE_URL": postgres.dsn(DATABASE),
        "STRONGROOM_KEYS_FILE": str(folder / "keys.json"),
        "STRONGROOM_AUDIT_ROOTS_FILE": str(folder / "audit-roots.jsonl"),
        "STRONGROOM_BANKS_DIRECTORY": str(folder / "tpp.json"),
        "STRONGROOM_SMS_GATEWAYS_FILE": str(_gateways(folder)),
        "STRONGROOM_PORT": str(port),
        "STRONGROOM_PROVIDER_ROLE": "own",
        **{
            f"STRONGROOM_PROVIDER_{name}": "Bench"
            for name in ("LEGAL_NAME", "HEAD_OFFICE", "REFERENCE_NUMBER", "SUPERVISOR", "CONTACT")
        },
    }


async def _make_firm(house: House, owner: asyncpg.Connection, number: int) -> BenchFirm:
    """Make a firm as an operator does; its receiving account is written directly, for two people would need a day."""
    firm = await house.firms.create(_OPERATOR, f"Bench firm {number}", FirmSettings())
    client = await house.clients.create(_OPERATOR, firm.id, "bench", FIRM_SCOPES)
    assert client.secret is not None
    secret = client.secret.reveal()
    known = await house.authentication.authenticate(Credentials(client.client_id, Secret(secret)), "127.0.0.1")
    token = (await house.tokens.issue(known)).token.reveal()
    async with house.db.transaction(firm.id) as tx:
        keys = await house.vault.tenant(tx, firm.id)
    account_id = f"rac-bench{number:08d}"
    await owner.execute(
        """INSERT INTO receiving_accounts (firm_id, id, state, kind, account_name, details_sealed, account_number_last4, is_default,
               proposed_by, approved_by, usable_from)
           VALUES ($1, $2, 'approved', 'client', 'Bench Client Account', $3, '9911', true, 'stf-a', 'stf-b', app_now())""",
        firm.id, account_id,
        keys.seal("receiving_accounts", "details_sealed", account_id, b'{"sort_code":"200052","account_number":"55779911"}'),
    )  # fmt: skip
    return BenchFirm(firm.id, client.client_id, secret, token, account_id)


def _children(parent: int) -> list[int]:
    """Return a process's children, by the kernel's list."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _cpu(pid: int, *, ended: bool = False) -> float:
    """Return a process's processor seconds; with `ended`, those of its children that have ended as well."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11 : 15 if ended else 13]) / _TICKS
