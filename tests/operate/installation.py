"""Strongroom installed as the operator's guide says: its SQL, its settings, its proxy, on Debian's PostgreSQL and nginx."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from strongroom.dev_parts import Part, free_port
from tests.operate.guide import block, blocks, fill, variables
from tests.operate.server import DebianPostgres
from tests.safetoken.authorities import SERVER, Authority, Identity

HOST = "pay.example.com"
DATABASE = "strongroom"
PASSWORD = "a long one"  # of a database that lives as long as the test
_READY_SECONDS = 60.0


@dataclass
class Installation:
    """What an operator has after following the guide; `start` and `stop` are systemd's part."""

    folder: Path
    postgres: DebianPostgres
    authority: Authority
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    monitoring_port: int = 0
    _parts: list[Part] = field(default_factory=list)

    def install(self) -> None:
        """Sections 2 to 4: roles and database, settings, root keys, tables."""
        sql = fill(block("install.md", "sql", "CREATE DATABASE"), ("PASSWORD '…'", f"PASSWORD '{PASSWORD}'"))
        for statement in (line.partition("--")[0].strip() for line in sql.splitlines()):
            self.postgres.ask(statement)
        self._enrol()
        gateways = self.folder / "sms.toml"
        gateways.write_text("\n".join(blocks("messages.md", "toml")).replace('"…"', '"example"'))
        gateways.chmod(0o600)
        printed = block("install.md", "", "STRONGROOM_UNIX_SOCKET=")
        self.environment = variables(
            fill(
                printed,
                ("postgresql://strongroom:…@db.example.com/strongroom", self.postgres.dsn(DATABASE, "strongroom", PASSWORD)),
                ("/etc/strongroom/banks/", f"{self.folder}/"),
                ("/etc/strongroom/", f"{self.folder}/"),
                ("/var/lib/strongroom/", f"{self.folder}/"),
                ("/run/strongroom/", f"{self.folder}/"),
                ("=…", "=Example"),
            )
        )
        self.run("keys", "init")
        self.run("settings", "check")
        self.migrate()

    def migrate(self) -> None:
        """Section 4, as the owner of the tables."""
        owner = {"STRONGROOM_MIGRATION_DATABASE_URL": self.postgres.dsn(DATABASE, "strongroom_owner", PASSWORD)}
        self.run("migrate", environment=owner)

    def start(self) -> None:
        """Start a worker, then a web process, then nginx, and wait until the whole answers."""
        program = [sys.executable, "-m", "strongroom"]
        for name, command in (("worker", "worker"), ("web", "serve")):
            self._parts.append(Part(name, [*program, command], self._environment(), self.folder / f"{name}.log"))
        self._parts.append(self._proxy())
        for part in self._parts:
            part.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self._is_ready():
            assert time.monotonic() < deadline, self.last_lines()
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop everything but the database."""
        while self._parts:
            self._parts.pop().stop()

    def run(self, *command: str, environment: Mapping[str, str] | None = None, expect: int = 0) -> str:
        """Run `strongroom` as the operator does; return what it says."""
        said = subprocess.run(
            [sys.executable, "-m", "strongroom", *command],
            env={**self._environment(), **(environment or {})}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert said.returncode == expect, f"strongroom {' '.join(command)}: {said.stdout}{said.stderr}"
        return said.stdout

    def make_client(self, *options: str) -> dict[str, str]:
        """Make an API client of the only firm; return the fields that the command prints."""
        lines = self.run("clients", "create", "case system", *options).splitlines()
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return {name: value for name, value in fields.items() if value != "(none)"}

    def client(self, identity: Identity | None = None) -> httpx.Client:
        """Return a caller from outside, who knows the host's name and may show a certificate."""
        context = identity.context(self.authority) if identity else self.authority.context()
        return httpx.Client(transport=_ByName(self.port, context), base_url=f"https://{HOST}", trust_env=False, timeout=30)

    def last_lines(self) -> str:
        """Return the end of every log."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}" for log in logs)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
        return kept | self.environment

    def _enrol(self) -> None:
        """Make keys for banks and name no bank: none is called here."""
        command = [
            sys.executable, "-m", "modelbank", "enrol", "--out", str(self.folder), "--pages-port", "9", "--api-port", "9",
            "--redirect-uri", f"https://{HOST}/customer/return", "--dsn", self.postgres.dsn(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        file = self.folder / "tpp.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"banks": []}))

    def _proxy(self) -> Part:
        """Section 6: the guide's two servers within the smallest nginx that runs them."""
        self.port, self.monitoring_port = free_port(18443), free_port(19080)
        holder = self.authority.issue(HOST, SERVER, host=HOST, file="proxy")
        servers = fill(
            block("install.md", "nginx", "proxy_pass"),
            ("/run/strongroom/", f"{self.folder}/"),
            ("/var/log/nginx/", f"{self.folder}/"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("listen 127.0.0.1:9080", f"listen 127.0.0.1:{self.monitoring_port}"),
            ("/etc/ssl/pay.example.com.pem", str(holder.certificate_file)),
            ("/etc/ssl/private/pay.example.com.key", str(holder.key_file)),
        )
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{kind}_temp_path {self.folder}/nginx-{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""  # the folder is ours alone
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"{user}\npid {self.folder}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}\n{servers}\n}}\n"
        )
        command = ["nginx", "-e", str(self.folder / "nginx.log"), "-g", "daemon off;", "-c", str(configuration)]
        return Part("nginx", command, {}, self.folder / "nginx-says.log")

    def _is_ready(self) -> bool:
        assert all(part.is_alive() for part in self._parts), self.last_lines()
        try:
            return httpx.get(f"http://127.0.0.1:{self.monitoring_port}/health/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


class _ByName(httpx.HTTPTransport):
    """Carries requests for the public name to the proxy's port, as the outside world's name service would."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = HOST
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return super().handle_request(request)


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Install everything in a folder, run it, and take it away at the end."""
    postgres = DebianPostgres(folder / "postgres")
    postgres.make()
    postgres.start()
    installation = Installation(folder, postgres, Authority(folder, "authority"))
    try:
        installation.install()
        installation.start()
        yield installation
    finally:
        installation.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
