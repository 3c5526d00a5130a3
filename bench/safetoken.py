"""The rows of Safe Token's wire: enrolment over SOAP beside spyne's echo of the same message, and access tokens of /passport."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.contest import Effort, Result
from bench.load import COUNTER, raw
from bench.peering import peer
from bench.system import System
from strongroom.access.model import SCOPES_OF, TenantKind
from strongroom.dev_parts import free_port
from strongroom.kit.crypto import Secret
from strongroom.safetoken.samples import SAMPLE, sample_request

_PEER = Path(__file__).with_name("peers") / "spyne_echo.py"
_PACKAGES = ("spyne==2.14.0", "lxml", "gunicorn", "setuptools<81")
_OPERATOR = "operator:bench"
_BANK_ID, _PREFIX = 8, "506181"
_CHECKED = """
function number(n)
  local digits, sum = string.format("PREFIX%08d", n), 0
  for at = 1, #digits do
    local digit = tonumber(digits:sub(#digits - at + 1, #digits - at + 1))
    if at % 2 == 1 then digit = digit * 2; if digit > 9 then digit = digit - 9 end end
    sum = sum + digit
  end
  return digits .. (10 - sum % 10) % 10
end
""".replace("PREFIX", _PREFIX)  # a card number whose last digit is its check digit (ISO/IEC 7812-1)
_PAN_DIGITS = len(_PREFIX) + 8 + 1


@dataclass(frozen=True, slots=True)
class BenchBank:
    """An issuer's client."""

    client_id: str
    secret: str
    token: str


async def measured(system: System, effort: Effort) -> list[Result | str]:
    """Return the rows."""
    return [await enrolments(system, await make_bank(system), effort), await passports(system, effort)]


async def make_bank(system: System) -> BenchBank:
    """Make an issuer with a client that has a token."""
    house = system.house
    issuer = await house.issuers.create(_OPERATOR, "Bench bank", _BANK_ID, [_PREFIX])
    made = await house.clients.create(_OPERATOR, issuer.id, "bench", SCOPES_OF[TenantKind.ISSUER])
    assert made.secret is not None
    static = await house.tokens.create_static(_OPERATOR, issuer.id, made.client_id, "bench", SCOPES_OF[TenantKind.ISSUER])
    return BenchBank(made.client_id, made.secret.reveal(), static.token.reveal())


async def enrolments(system: System, bank: BenchBank, effort: Effort) -> Result | str:
    """Compare AddCardHolder, durable and sealed, with spyne that reads and answers the same message and keeps nothing."""
    python = await asyncio.to_thread(_install)
    if python is None:
        return "AddCardHolder over SOAP beside spyne: left out, it could not be installed"
    port = free_port(8790)
    async with peer(system, "spyne", [str(python), str(_PEER), str(port)], f"http://127.0.0.1:{port}/?wsdl"):
        result = Result("AddCardHolder over SOAP")
        ours, theirs = _soap(bank.token, "techquest.interswitchng.com"), _soap("none", "urn:techquest.interswitchng.com")
        await load.run(system.base_url, [ours], system.folder, seconds=1, lua=_CHECKED)
        await load.run(f"http://127.0.0.1:{port}", [theirs], system.folder, seconds=1, lua=_CHECKED)
        for _ in range(effort.rounds):
            web, postgres = system.cpu_seconds()
            seen = await load.run(system.base_url, [ours], system.folder, seconds=effort.seconds, lua=_CHECKED)
            web_after, postgres_after = system.cpu_seconds()
            result.ours.append(seen)
            result.web_us.append((web_after - web) / seen.requests * 1e6)
            result.postgres_us.append((postgres_after - postgres) / seen.requests * 1e6)
            other = await load.run(f"http://127.0.0.1:{port}", [theirs], system.folder, seconds=effort.seconds, lua=_CHECKED)
            result.one_statement.append(other.rate)
        return result


async def passports(system: System, effort: Effort) -> Result:
    """Measure tokens of /passport, signed with RSA-2048 and SHA-512, for 100 clients: each client's rate is limited."""
    house, requests = system.house, []
    issuer = await house.issuers.create(_OPERATOR, "Bench passports", _BANK_ID + 1)
    for _ in range(100):
        made = await house.clients.create(_OPERATOR, issuer.id, "bench", SCOPES_OF[TenantKind.ISSUER])
        pair = base64.b64encode(f"{made.client_id}:{(made.secret or Secret('')).reveal()}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
        requests.append(raw("POST", "/passport/oauth/token", headers, "grant_type=client_credentials"))
    result = Result("POST /passport/oauth/token")
    await load.run(system.base_url, requests, system.folder, seconds=1)
    for _ in range(effort.rounds):
        web, postgres = system.cpu_seconds()
        seen = await load.run(system.base_url, requests, system.folder, seconds=effort.seconds)
        web_after, postgres_after = system.cpu_seconds()
        result.ours.append(seen)
        result.web_us.append((web_after - web) / seen.requests * 1e6)
        result.postgres_us.append((postgres_after - postgres) / seen.requests * 1e6)
    return result


def _soap(token: str, namespace: str) -> str:
    """Return the document's request with a card number of its own each time."""
    members = {**SAMPLE, "CardPan": COUNTER, "AccountNumber": "0123456789"}
    body = sample_request(members=members).replace('"techquest.interswitchng.com"', f'"{namespace}"')
    length = len(body.replace(COUNTER, "0" * _PAN_DIGITS).encode())
    headers = {"Content-Type": "text/xml", "SOAPAction": "AddCardHolder", "Authorization": f"Bearer {token}"}
    head = raw("POST", "/api/v1/safetoken", {**headers, "Content-Length": str(length)})
    return head + body


def _install() -> Path | None:
    """Make the peer's own environment; return its Python, None when it cannot be had."""
    folder = Path("var/bench/spyne").absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_PACKAGES], check=False, capture_output=True)
    return python if done.returncode == 0 else None
