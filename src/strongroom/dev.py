"""`make run`: an embedded PostgreSQL, the web process, the worker, the model bank and the message inbox, and a demo firm.

Everything is kept under one folder (`var`), so that stopping, killing and starting again loses nothing; `--reset` empties it.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from strongroom.access.model import PRINTED_CLIENT_ID
from strongroom.dev_certificates import Certificates
from strongroom.dev_parts import Demo, Part, PartFailed, Parts, free_port, read_demo
from strongroom.dev_safetoken import BANK_ID, PRINTED_SECRET, SafeTokenDemo, describe, describe_shop, read_safetoken
from strongroom.embedded import EmbeddedPostgres
from strongroom.kit.migrate import MigrationError, migrate
from strongroom.kit.rootkeys import FileKeeper
from strongroom.safetoken.samples import sample_request
from strongroom.settings_reading import load_settings

_WATCH_SECONDS = 0.5


class AlreadyRunning(Exception):
    """Another `make run` uses the folder."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen."""

    web: int
    bank_pages: int
    bank_api: int
    inbox: int
    tls: int
    checkout: int


@dataclass(frozen=True, slots=True)
class Place:
    """The folder and what is in it."""

    folder: Path

    @property
    def postgres(self) -> Path:
        """The database's own folder."""
        return self.folder / "postgres"

    @property
    def bank(self) -> Path:
        """The model bank's keys and files."""
        return self.folder / "bank"

    @property
    def report(self) -> Path:
        """What scripts read: addresses and the demo client."""
        return self.folder / "dev.json"

    @property
    def certificates(self) -> Certificates:
        """The certificates of the listener for mutual TLS, and of those who may call it."""
        return Certificates(self.folder / "tls")

    @property
    def sample(self) -> Path:
        """The document's request, to be sent with curl."""
        return self.folder / "AddCardHolder.xml"

    @property
    def shop(self) -> Path:
        """What the merchant's checkout knows."""
        return self.folder / "checkout.json"

    @property
    def keys(self) -> Path:
        """The root keys."""
        return self.folder / "keys.json"

    def log(self, part: str) -> Path:
        """The log of a part."""
        return self.folder / "log" / f"{part}.log"


def run(folder: Path, *, reset: bool = False, port: int = 8000) -> int:
    """Run everything until Ctrl-C; return the exit code."""
    place = Place(folder.resolve())
    place.folder.mkdir(parents=True, exist_ok=True)
    try:
        with _only_one(place):
            if reset:
                _empty(place)
            return _run(place, port)
    except AlreadyRunning as error:
        _say(str(error))
        return 1
    except MigrationError as error:
        _say(f"\nThe database was made by another version: {error}\n`make run ARGS=--reset` begins anew.")
        return 1
    except (PartFailed, subprocess.CalledProcessError) as error:
        _say(f"\nCould not start: {error}")
        return 1


def _run(place: Place, wanted_port: int) -> int:
    started_at = time.monotonic()
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    _step("Starting PostgreSQL")
    with EmbeddedPostgres(place.postgres) as postgres:
        ports = _ports(wanted_port)
        _step("Preparing the database, keys and banks")
        asyncio.run(_prepare_databases(postgres))
        FileKeeper(place.keys).create()
        place.certificates.make()
        place.sample.write_text(sample_request())
        _enrol(place, ports, postgres)
        environment = _environment(place, ports, postgres)
        demo = _demo(place, postgres, environment)
        safetoken = _safetoken(place, postgres, environment)
        _write_private(place.shop, describe_shop(safetoken, f"http://localhost:{ports.web}", f"http://localhost:{ports.inbox}"))
        parts = Parts(_parts(place, ports, environment))
        _step("Starting web, worker, model bank, inbox and checkout")
        try:
            parts.start()
            _report(place, ports, postgres, demo, safetoken)
            _say(_welcome(place, ports, demo, safetoken, time.monotonic() - started_at))
            _watch(parts, postgres, stopping)
        finally:
            _say("\nStopping …")
            parts.stop()
    _say("Stopped. Everything is kept; `make run` goes on where this left off.")
    return 0


def _demo(place: Place, postgres: EmbeddedPostgres, environment: dict[str, str]) -> Demo:
    """Return the demo firm; only the first start loads the whole product to make it."""
    known = read_demo(place.report)
    if known is not None and asyncio.run(_has_firm(postgres, known.firm_id)):
        return known
    from strongroom.dev_demo import make_demo  # noqa: PLC0415  # later starts are quick without it

    return asyncio.run(make_demo(load_settings(environment)))


def _safetoken(place: Place, postgres: EmbeddedPostgres, environment: dict[str, str]) -> SafeTokenDemo:
    """Return the demo issuer and merchant."""
    known = read_safetoken(place.report)
    if known is not None and asyncio.run(_has_issuer(postgres, known.issuer_id)):
        return known
    from strongroom.dev_demo import make_safetoken  # noqa: PLC0415  # later starts are quick without it

    return asyncio.run(make_safetoken(load_settings(environment), place.certificates.hash("hub")))


async def _has_firm(postgres: EmbeddedPostgres, firm_id: str) -> bool:
    """True when the database has a firm (asked as its owner, who is not fenced)."""
    return await _holds(postgres, "SELECT true FROM firms WHERE firm_id = $1", firm_id)


async def _has_issuer(postgres: EmbeddedPostgres, issuer_id: str) -> bool:
    """True when the database has an issuer."""
    return await _holds(postgres, "SELECT true FROM issuers WHERE issuer_id = $1", issuer_id)


async def _holds(postgres: EmbeddedPostgres, question: str, tenant: str) -> bool:
    connection = await asyncpg.connect(postgres.dsn("strongroom"))
    try:
        return bool(await connection.fetchval(question, tenant))
    finally:
        await connection.close()


def _watch(parts: Parts, postgres: EmbeddedPostgres, stopping: threading.Event) -> None:
    """Start again whatever dies, until told to stop."""
    while not stopping.wait(_WATCH_SECONDS):
        if postgres.find_pid() is None:
            _say("PostgreSQL stopped; starting it again")
            postgres.start()
        for name in parts.revive():
            _say(f"{name} stopped; started it again")


@contextmanager
def _only_one(place: Place) -> Iterator[None]:
    """Hold the folder's lock. Raise AlreadyRunning."""
    with (place.folder / "dev.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                f"Strongroom is running here already (its addresses are in {place.report}). Stop that one with Ctrl-C first."
            ) from None
        yield


def _empty(place: Place) -> None:
    """Remove everything but the lock; a database that still runs from a killed start is stopped first."""
    postgres = EmbeddedPostgres(place.postgres)
    postgres.reset()
    for path in place.folder.iterdir():
        if path.name == "dev.lock":
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    _step("Emptied the folder")


def _ports(wanted: int) -> Ports:
    """Choose ports, and say which were taken."""
    chosen = []
    for name, port in (
        ("web", wanted),
        ("model bank", 8100),
        ("model bank API", 8101),
        ("inbox", 8025),
        ("mutual TLS", 8443),
        ("checkout", 8035),
    ):
        free = free_port(port)
        while free in chosen:
            free = free_port(free + 1)
        if free != port:
            _say(f"Port {port} is taken; {name} uses {free}")
        chosen.append(free)
    return Ports(*chosen)


async def _prepare_databases(postgres: EmbeddedPostgres) -> None:
    """Create the two databases and migrate ours."""
    connection = await asyncpg.connect(postgres.dsn())
    try:
        for name in ("strongroom", "modelbank"):
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    await migrate(postgres.dsn("strongroom"))


def _enrol(place: Place, ports: Ports, postgres: EmbeddedPostgres) -> None:
    """Let the model bank play the directory: it makes its keys and ours, once, and writes the files anew."""
    command = [
        sys.executable, "-m", "modelbank", "enrol", "--out", str(place.bank),
        "--pages-port", str(ports.bank_pages), "--api-port", str(ports.bank_api),
        "--redirect-uri", f"http://localhost:{ports.web}/customer/return", "--dsn", postgres.dsn("modelbank"),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own program with our own arguments


def _environment(place: Place, ports: Ports, postgres: EmbeddedPostgres) -> dict[str, str]:
    return {
        "STRONGROOM_ENVIRONMENT": "development",
        "STRONGROOM_BASE_URL": f"http://localhost:{ports.web}",
        "STRONGROOM_DATABASE_URL": postgres.dsn("strongroom"),
        "STRONGROOM_KEYS_FILE": str(place.keys),
        "STRONGROOM_AUDIT_ROOTS_FILE": str(place.folder / "audit-roots.jsonl"),
        "STRONGROOM_BANKS_DIRECTORY": str(place.bank / "tpp.json"),
        "STRONGROOM_SMS_GATEWAY": "inbox",
        "STRONGROOM_INBOX_URL": f"http://127.0.0.1:{ports.inbox}",
        "STRONGROOM_PORT": str(ports.web),
        "STRONGROOM_TLS_PORT": str(ports.tls),
        "STRONGROOM_TLS_CERTIFICATE": str(place.certificates.certificate("server")),
        "STRONGROOM_TLS_KEY": str(place.certificates.key("server")),
        "STRONGROOM_TLS_CLIENT_CA": str(place.certificates.certificate("ca")),
        "STRONGROOM_SOAP_CERTIFICATE": str(place.certificates.certificate("server")),
        "STRONGROOM_SOAP_KEY": str(place.certificates.key("server")),
        "STRONGROOM_ISSUING_CERTIFICATE": str(place.certificates.certificate("hub")),
        "STRONGROOM_ISSUING_KEY": str(place.certificates.key("hub")),
        "STRONGROOM_ISSUING_CA": str(place.certificates.certificate("ca")),
        "STRONGROOM_ISSUING_HOSTS": f"localhost:{ports.tls}",
        "STRONGROOM_WEBHOOK_ALLOW_LOOPBACK": "true",
        "STRONGROOM_RECEIVING_COOLING_OFF_SECONDS": "0",
    }


def _parts(place: Place, ports: Ports, environment: dict[str, str]) -> list[Part]:
    ours = [sys.executable, "-m", "strongroom"]
    bank = [sys.executable, "-m", "modelbank", "serve", "--config", str(place.bank / "modelbank.json")]
    inbox = [*ours, "inbox", "--file", str(place.folder / "inbox.jsonl"), "--port", str(ports.inbox)]
    checkout = [*ours, "checkout", "--file", str(place.shop), "--port", str(ports.checkout)]
    return [
        Part("checkout", checkout, environment, place.log("checkout"), f"http://127.0.0.1:{ports.checkout}/health/live"),
        Part("inbox", inbox, environment, place.log("inbox"), f"http://127.0.0.1:{ports.inbox}/messages"),
        Part("modelbank", bank, {}, place.log("modelbank"), f"http://127.0.0.1:{ports.bank_pages}/health"),
        Part("worker", [*ours, "worker"], environment, place.log("worker")),
        Part("web", [*ours, "serve"], environment, place.log("web"), f"http://127.0.0.1:{ports.web}/health/ready"),
    ]


def _report(place: Place, ports: Ports, postgres: EmbeddedPostgres, demo: Demo, safetoken: SafeTokenDemo) -> None:
    """Write down what scripts need, readable by the owner only because it holds the demo client's secret."""
    document = {
        "base_url": f"http://localhost:{ports.web}",
        "client_id": demo.client_id,
        "client_secret": demo.client_secret,
        "firm_id": demo.firm_id,
        "inbox_url": f"http://localhost:{ports.inbox}",
        "modelbank_url": f"http://localhost:{ports.bank_pages}",
        "checkout_url": f"http://localhost:{ports.checkout}",
        "postgres_dsn": postgres.dsn("strongroom"),
        **describe(safetoken, f"http://localhost:{ports.web}", f"https://localhost:{ports.tls}", place.certificates.folder),
    }
    _write_private(place.report, document)


def _write_private(file: Path, document: Mapping[str, object]) -> None:
    """Write JSON that only the owner can read, whole or not at all."""
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(document, out, indent=2)
    fresh.replace(file)


def _welcome(place: Place, ports: Ports, demo: Demo, safetoken: SafeTokenDemo, seconds: float) -> str:
    """Return what a visitor reads first: addresses, the demo client, and the worked example ready to paste."""
    base = f"http://localhost:{ports.web}"
    return f"""
Strongroom is ready ({seconds:.1f} s). Nothing here is real: pretend banks, pretend messages, pretend money.

  API and customer website   {base}    (API documentation: {base}/api/doc)
  Message inbox              http://localhost:{ports.inbox}
  Model bank                 http://localhost:{ports.bank_pages}
  Merchant's checkout        http://localhost:{ports.checkout}

  client id      {demo.client_id}
  client secret  {demo.client_secret}
  (also in {place.report})

The worked example, ready to paste into another terminal:

  BASE_URL={base}
  TOKEN=$(curl -s $BASE_URL/token -H 'Content-Type: application/json' \\
    -d '{{"grant_type":"client_credentials","client_id":"{demo.client_id}","client_secret":"{demo.client_secret}"}}' \\
    | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
  CASE=$(curl -s $BASE_URL/api/1.0/cases -H "Authorization: Bearer $TOKEN" -d '{{
    "caseRef": "SC0001.1", "customers": [{{"name": "Test Name", "email": "docs@example.com",
    "dateOfBirth": "1980-01-01", "phone": "447300000001"}}]}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')
  curl -s $BASE_URL/api/1.0/creditRequests -H "Authorization: Bearer $TOKEN" -d '{{
    "caseId": "'$CASE'", "reference": "PAY001.1", "description": "Case Opening Fee", "amount": 100.0}}'

Then be the customer: open the inbox, follow the link, sign in with docs@example.com and 1 January 1980, type the code from the
inbox, choose a bank, and sign in there as `test`. To see webhooks: `.venv/bin/strongroom webhooks listen`.

Safe Token's document, with the client that it prints (BankId {BANK_ID}), over one port or over mutual TLS:

  TOKEN=$(curl -s $BASE_URL/passport/oauth/token -u {PRINTED_CLIENT_ID}:{PRINTED_SECRET} \\
    -d grant_type=client_credentials | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
  curl -s $BASE_URL/api/v1/safetoken -H 'Content-Type: text/xml' -H 'SOAPAction: AddCardHolder' \\
    -H "Authorization: Bearer $TOKEN" --data-binary @{place.sample}
  curl -s https://localhost:{ports.tls}/api/v1/safetoken?wsdl --cacert {place.certificates.certificate("ca")} \\
    --cert {place.certificates.certificate("bank")} --key {place.certificates.key("bank")}

A purchase with a card whose holder has a device (in the report: one with a telephone and one with a device of each kind):

  TILL=$(curl -s $BASE_URL/passport/oauth/token -u {safetoken.merchant_client_id}:{safetoken.merchant_client_secret} \\
    -d grant_type=client_credentials | python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])')
  PURCHASE=$(curl -s $BASE_URL/api/v1/safetoken/authentications -H "Authorization: Bearer $TILL" -d '{{
    "cardPan": "{safetoken.card("totp").pan}", "amount": "1500.00", "currency": "NGN", "merchantName": "Corner shop",
    "transactionRef": "'$RANDOM-$RANDOM'", "channel": "WEB"}}' \\
    | python3 -c 'import json,sys; print(json.load(sys.stdin)["authenticationId"])')
  curl -s $BASE_URL/api/v1/safetoken/authentications/$PURCHASE/verify -H "Authorization: Bearer $TILL" \\
    -d '{{"otp": "'$({safetoken.card("totp").device})'"}}'

Ctrl-C stops everything.
"""


def _step(text: str) -> None:
    _say(f"… {text}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
