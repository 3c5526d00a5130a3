"""HOTP codes judged, durably and once: our issuer's service, as a hub calls it, beside privacyIDEA's /validate/check."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bench import load
from bench.contest import Effort, Result
from bench.load import LoadFailed, raw
from bench.peers.privacyidea_peer import SEED
from bench.system import System
from strongroom.access.issuer_model import Hosting, IssuerSettings, UserIdSource
from strongroom.dev_parts import Part, free_port
from strongroom.kit.crypto import Secret
from strongroom.sca.cardholding.model import Enrolled, Enrolment
from strongroom.sca.devices.model import NewToken
from strongroom.sca.devices.oath import code_at

_PEER = Path(__file__).with_name("peers") / "privacyidea_peer.py"
_PACKAGES = ("privacyidea==3.14", "gunicorn", "psycopg2-binary")
_OPERATOR, _BANK_ID, _PREFIX = "operator:bench", 20, "506120"
_TOKENS, _COUNTERS = 500, 60
_WORKERS = 2
_PEERS_SECONDS = 8
_SKIPPED = 2 * load.CONNECTIONS  # asked when the clock ran out, and perhaps judged


@dataclass(slots=True)
class Codes:
    """Requests that have each a code of its own, in the order in which devices show them; used up as they are sent."""

    write: Callable[[int, str], str]
    used: int = 0

    def next(self, count: int) -> list[str]:
        """Return the next requests. Raise LoadFailed when the devices have shown all that was planned."""
        if self.used + count > _TOKENS * _COUNTERS:
            raise LoadFailed("the devices of the bench have shown all their codes: raise _COUNTERS")
        return [self.write(at % _TOKENS, _code(at // _TOKENS)) for at in range(self.used, self.used + count)]

    async def run(self, url: str, folder: Path, seconds: float, at_most: int) -> load.Load:
        """Load with fresh codes. Raise LoadFailed when so many were not enough, for then codes were sent twice."""
        seen = await load.run(url, self.next(at_most), folder, seconds=seconds)
        if seen.requests + load.CONNECTIONS >= at_most:
            raise LoadFailed(f"more than {at_most} codes a round were judged")
        self.used += seen.requests + _SKIPPED
        return seen


async def measured(system: System, effort: Effort) -> Result | str:
    """Return the row."""
    python = await asyncio.to_thread(_install)
    if python is None:
        return "HOTP code judged beside privacyIDEA: left out, it could not be installed"
    certificate = _certificate(system)
    holders = await _make_devices(system, certificate)
    headers = {"Content-Type": "application/json", "Client-Cert": quote(certificate.public_bytes(Encoding.PEM).decode())}
    ours = Codes(
        lambda at, code: raw(
            "POST", f"/issuer/{_BANK_ID}/authenticateotp/", headers, json.dumps({"UserId": holders[at], "Otp": code})
        )
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    theirs = Codes(lambda at, code: raw("POST", "/validate/check", form, f"serial=B{at:08d}&pass={code}"))
    result = Result("HOTP code judged (issuer's service)")
    (web, our_url), (peer, their_url) = _web(system), await _peer(system, python)
    for part in (web, peer):
        part.start()
    try:
        await asyncio.gather(*(asyncio.to_thread(part.wait_until_ready) for part in (web, peer)))
        judged = (await ours.run(our_url, system.folder, 1, 3_000)).requests
        await theirs.run(their_url, system.folder, _PEERS_SECONDS, 4_000)  # its first answers take seconds
        for _ in range(effort.rounds):
            result.ours.append(await ours.run(our_url, system.folder, effort.seconds, 4_000))
            result.one_statement.append((await theirs.run(their_url, system.folder, _PEERS_SECONDS, 4_000)).rate)
        await _check(system, judged + sum(one.requests for one in result.ours))
    finally:
        web.stop()
        peer.stop()
    return result


def _web(system: System) -> tuple[Part, str]:
    """Return another web process, which believes a proxy on this machine about the hub's certificate."""
    port = free_port(8795)
    environment = {**system.environment, "STRONGROOM_PORT": str(port), "STRONGROOM_TRUSTED_PROXY": "127.0.0.1"}
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "strongroom", "serve"]
    return Part("web-otp", command, environment, system.folder / "web-otp.log", f"{url}/health/ready"), url


async def _peer(system: System, python: Path) -> tuple[Part, str]:
    """Prepare privacyIDEA on a database of its own in the same cluster; return it and its address."""
    folder = system.folder / "privacyidea"
    folder.mkdir()
    await system.owner.execute("CREATE DATABASE privacyidea")
    dsn = system.postgres.dsn("privacyidea").replace("postgresql://", "postgresql+psycopg2://")
    command = [str(python), str(_PEER), str(folder), dsn, str(_TOKENS)]
    done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise LoadFailed(done.stderr[-2000:])
    port = free_port(8800)
    url = f"http://127.0.0.1:{port}"
    gunicorn = [
        str(python.with_name("gunicorn")),
        "-w",
        str(_WORKERS),
        "-b",
        f"127.0.0.1:{port}",
        "--pythonpath",
        str(_PEER.parent),
        "privacyidea_peer:app()",
    ]
    environment = {"PRIVACYIDEA_CONFIGFILE": str(folder / "pi.cfg")}
    return Part("privacyidea", gunicorn, environment, folder / "gunicorn.log", f"{url}/healthz/livez"), url


def _certificate(system: System) -> x509.Certificate:
    """Return any certificate: what counts here is that the issuer has pinned it."""
    return x509.load_pem_x509_certificate((system.folder / "tpp-transport.crt").read_bytes())


async def _make_devices(system: System, certificate: x509.Certificate) -> list[str]:
    """Enrol cardholders with a device each; return what the hub calls them."""
    house = system.house
    pinned = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    settings = IssuerSettings(hosting=Hosting.HOSTED, hub_certificate_hashes=(pinned,), user_id_source=UserIdSource.RETURNED)
    issuer = await house.issuers.create(_OPERATOR, "Bench devices", _BANK_ID, [_PREFIX], settings)
    holders = []
    for number in range(_TOKENS):
        enrolment = Enrolment(Secret(f"{_PREFIX}{number:010d}"), f"2347{number:09d}", {}, approved=True)
        enrolled = await house.cardholders.enrol(issuer.id, _OPERATOR, enrolment)
        assert isinstance(enrolled, Enrolled)
        serial = f"B{number:08d}"
        await house.otp_tokens.import_one(issuer.id, _OPERATOR, NewToken(serial, Secret(SEED.hex())))
        await house.otp_tokens.assign(issuer.id, _OPERATOR, serial, enrolled.cardholder_id)
        await house.otp_tokens.activate(issuer.id, _OPERATOR, serial)
        holders.append(enrolled.cardholder_id)
    return holders


async def _check(system: System, asked: int) -> None:
    """Raise LoadFailed unless every code that was answered had been accepted: the load tool reads only the status."""
    accepted, judged = await system.owner.fetchrow(
        """SELECT count(*) FILTER (WHERE tag = 'sca:question:authenticated'), count(*)
           FROM audit_entries WHERE tag LIKE 'sca:question:%'"""
    )
    if accepted < asked or accepted != judged:
        raise LoadFailed(f"{asked} codes were sent and {accepted} of {judged} accepted")


@cache
def _code(counter: int) -> str:
    return code_at(SEED, counter)


def _install() -> Path | None:
    """Make the peer's own environment; return its Python, None when it cannot be had."""
    folder = Path("var/bench/privacyidea").absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_PACKAGES], check=False, capture_output=True)
    return python if done.returncode == 0 else None
