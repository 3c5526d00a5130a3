"""The product as `strongroom serve` runs it: a process of its own with both listeners, over a database of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from strongroom.dev_parts import free_port
from tests.funds.firm_api import environment
from tests.safetoken.authorities import SERVER, Authority, Identity

_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Served:
    """A running server: where it listens, and the authority that its callers' certificates come from."""

    url: str
    tls_url: str
    authority: Authority
    other_authority: Authority
    identity: Identity
    folder: Path
    process: subprocess.Popen[bytes]
    variables: Mapping[str, str]

    def client(self, context: Any = None) -> httpx.Client:
        """Return a client of the TLS listener."""
        return httpx.Client(base_url=self.tls_url, verify=context or self.authority.context(), trust_env=False, timeout=30)


@contextlib.contextmanager
def serve(database: Any, folder: Path, **settings: str) -> Iterator[Served]:
    """Start the server, wait until it answers, and stop it at the end."""
    authority, other = Authority(folder, "authority"), Authority(folder, "other-authority")
    identity = authority.issue("server", SERVER, host="localhost")
    port = free_port(18_000 + os.getpid() % 250 * 16)  # apart from what a neighbouring worker starts at this moment, or kills
    tls_port = free_port(port + 1)
    files = {
        "tls_port": str(tls_port), "tls_certificate": str(identity.certificate_file), "tls_key": str(identity.key_file),
        "soap_certificate": str(identity.certificate_file), "soap_key": str(identity.key_file),
        "tls_client_ca": str(authority.file), "port": str(port), "base_url": f"http://localhost:{port}",
    }  # fmt: skip
    variables = environment(database, folder, **(files | settings))
    process = _start(folder, variables)
    served = Served(
        f"http://127.0.0.1:{port}", f"https://localhost:{tls_port}", authority, other, identity, folder, process, variables
    )  # fmt: skip
    try:
        _wait(served)
        yield served
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def beside(served: Served) -> Iterator[Served]:
    """Start another server over the same database and keys, on ports of its own."""
    port = free_port(int(served.url.rpartition(":")[2]) + 2)
    tls_port = free_port(port + 1)
    moved = {name: str(value) for name, value in (("STRONGROOM_PORT", port), ("STRONGROOM_TLS_PORT", tls_port))}
    variables = {**served.variables, **moved}
    another = replace(
        served, url=f"http://127.0.0.1:{port}", tls_url=f"https://localhost:{tls_port}", variables=variables,
        process=_start(served.folder, variables),
    )  # fmt: skip
    try:
        _wait(another)
        yield another
    finally:
        another.process.terminate()
        another.process.wait(30)


def restart(served: Served) -> Served:
    """Start a server that was killed anew, as it was, and wait until it answers. Whoever does that stops it."""
    again = replace(served, process=_start(served.folder, served.variables))
    _wait(again)
    return again


def _start(folder: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "strongroom", "serve"], env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT
        )


def _wait(served: Served) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError), served.client() as client:
            if client.get("/health/ready").status_code == 200:
                return
        log = (served.folder / "serve.log").read_text()
        assert served.process.poll() is None, log
        assert time.monotonic() < deadline, log
        time.sleep(0.1)
