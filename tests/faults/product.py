"""The whole product in processes of its own, to be killed: a firm and a customer who try again, and a finger for `kill -9`."""

from __future__ import annotations

import html
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.journeys.conftest import House

PATIENCE_SECONDS = 60.0
BANK = "mulberry"
COMMANDS = {"web": ("strongroom", "serve"), "worker": ("strongroom", "worker"), "bank": ("modelbank", "serve")}
_FORM = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_AWAY = (httpx.TransportError,)


class NotYet(Exception):
    """The product does not answer yet."""


@dataclass
class Product:
    """A running product and its process tree."""

    house: House
    process: subprocess.Popen[bytes]
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)  # by host: one browser
    token: str = ""

    # The firm.

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API, again and again while nobody answers or the answer is 5xx; an idempotency key makes that safe."""
        if not self.token:
            self.token = self._token()
        keyed = method == "POST" and path.endswith(("/cases", "/creditRequests"))
        key = {"Idempotency-Key": os.urandom(8).hex()} if keyed else {}
        answer = self._patiently(
            method, self.house.base_url + path, json=body, headers={"Authorization": f"Bearer {self.token}"} | key
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def _token(self) -> str:
        body = {"grant_type": "client_credentials", "client_id": self.house.client_id, "client_secret": self.house.client_secret}
        return str(self._patiently("POST", f"{self.house.base_url}/token", json=body).json()["access_token"])

    def _patiently(self, method: str, url: str, **more: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._send(method, url, **more)
                if answer.status_code < 500:
                    return answer
                said = answer.text[:200]
            except _AWAY as error:
                said = repr(error)
            if time.monotonic() > deadline:
                raise NotYet(f"{method} {urlsplit(url).path}: {said}")
            time.sleep(0.2)

    def _send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Send one request as a browser would; names under localhost are this machine."""
        parts = urlsplit(url)
        assert parts.hostname
        jar = self.cookies.setdefault(parts.netloc, {})
        headers = {"Host": parts.netloc} | more.pop("headers", {})
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        target = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        answer = httpx.request(method, target, headers=headers, timeout=30, trust_env=False, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            jar[name] = value
        return answer

    # The customer.

    def sign_in(self, case_id: str, customer_id: str) -> None:
        """Come from the firm's app."""
        grant = self.call(
            "POST", "/api/1.0/customerLoginGrant", {"grant_type": "customer_login", "caseId": case_id, "customerId": customer_id}
        )
        path = f"/customer/grant/{grant['grantToken']}"
        form = dict(_FORM.findall(self.page(path)))
        answer = self._patiently("POST", self.house.base_url + path, data=form, headers=self._origin())
        assert answer.status_code == 303, answer.text

    def page(self, path: str) -> str:
        """Look at a page."""
        return self._patiently("GET", self.house.base_url + path).text

    def agree(self, request_id: str) -> str:
        """Agree to a payment; return the address at the bank. Pressed again while nobody answers."""
        check = f"/customer/pay/{request_id}/check"
        page = self.page(f"{check}?bank={BANK}")
        form = dict(_FORM.findall(page))
        assert {"csrf", "bank"} <= set(form), page
        answer = self._patiently("POST", self.house.base_url + check, data=form | {"bank": BANK}, headers=self._origin())
        assert answer.status_code == 303, answer.text
        page = self.page(answer.headers["location"])
        found = re.findall(r'<a class="button" href="([^"]+)" rel="noreferrer"', page)
        if not found:
            raise NotYet("no way to the bank yet")
        return html.unescape(found[0])

    def visit_bank(self, url: str) -> dict[str, str]:
        """Let the bank, which agrees unasked, send the customer back; return what they bring."""
        page = self._patiently("GET", url)
        fields = {name: html.unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', page.text)}
        fields.pop("csrf", None)
        assert "state" in fields or "response" in fields, page.text[:2000]
        return fields

    def come_back(self, fields: dict[str, str]) -> None:
        """Bring what the bank gave."""
        answer = self._patiently("POST", f"{self.house.base_url}/customer/return", data=fields)
        assert answer.status_code in {200, 303}, answer.text

    def _origin(self) -> dict[str, str]:
        return {"Origin": self.house.base_url, "Sec-Fetch-Site": "same-origin"}

    # The bank.

    def lever(self, **levers: Any) -> None:
        """Move a lever of the model bank."""
        answer = self._patiently("POST", f"{self.house.modelbank_url}/control/bank", json={"bank": BANK} | levers)
        assert answer.status_code == 200, answer.text

    def debits(self, amount_minor: int) -> int:
        """Return how often customers' accounts were debited with an amount."""
        ledger = self._patiently("GET", f"{self.house.modelbank_url}/control/ledger?bank={BANK}").json()
        debits = [entry for entry in ledger["entries"] if entry["kind"] == "debit" and entry["role"] == "customer"]
        mine = [entry["amount_minor"] for entry in debits]
        return mine.count(-amount_minor)

    # Death.

    def wait_until_back(self, victim: str, starts: int) -> None:
        """Return when what was killed works again: a worker says so in its log, the others answer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while victim == "worker" and self.worker_starts() <= starts:
            assert time.monotonic() < deadline, "the worker was not started again"
            time.sleep(0.2)
        self._patiently("GET", f"{self.house.base_url}/health/ready")

    def worker_starts(self) -> int:
        """Return how often the worker has begun to work."""
        return (self.house.folder / "log" / "worker.log").read_text().count("working")

    def last_lines(self) -> str:
        """Return the end of every part's log: why a payment is stuck is not seen from outside."""
        logs = sorted((self.house.folder / "log").glob("*.log"))
        return "\n".join(f"== {log.name}\n" + "\n".join(log.read_text().splitlines()[-40:]) for log in logs)

    def kill(self, victim: str) -> None:
        """Kill the web process, the worker, PostgreSQL or the model bank, without warning."""
        pid = self._postmaster() if victim == "postgres" else self._child(*COMMANDS[victim])
        if pid:
            os.kill(pid, signal.SIGKILL)

    def _child(self, program: str, word: str) -> int | None:
        """Return the pid of the child that runs `PROGRAM WORD`."""
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if {program.encode(), word.encode()} <= set(command):
                return int(pid)
        return None

    def _postmaster(self) -> int | None:
        found = [path for path in self.house.folder.rglob("postmaster.pid") if path.is_file()]
        return int(found[0].read_text().split()[0]) if found else None
