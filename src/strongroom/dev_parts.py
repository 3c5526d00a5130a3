"""The parts of `make run`: child processes that are started, watched, revived and stopped together, and what a run writes down."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STOP_SECONDS = 15.0
_READY_SECONDS = 60.0
_PORT_TRIES = 50
_RESTART_AFTER_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Demo:
    """What a visitor needs to be the firm's developer."""

    firm_id: str
    client_id: str
    client_secret: str = field(repr=False)


def read_demo(report: Path) -> Demo | None:
    """Return what an earlier run wrote down."""
    try:
        document = json.loads(report.read_text())
        return Demo(document["firm_id"], document["client_id"], document["client_secret"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class PartFailed(Exception):
    """A part does not come up; the message says which and where its log is."""


@dataclass(slots=True)
class Part:
    """One child process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    ready_url: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; its output goes to its log. On Linux it cannot outlive us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603  # our own programs with our own arguments
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no threads are running yet
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop the parts in order
            )

    def is_alive(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to finish what it began, and wait; after a while kill it."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until_ready(self) -> None:
        """Return when the part answers. Raise PartFailed when it dies or takes too long."""
        deadline = time.monotonic() + _READY_SECONDS
        while self.ready_url is not None:
            if not self.is_alive():
                raise PartFailed(f"{self.name} stopped while starting; see {self.log}")
            if _answers(self.ready_url):
                return
            if time.monotonic() > deadline:
                raise PartFailed(f"{self.name} did not answer within {_READY_SECONDS:.0f} s; see {self.log}")
            time.sleep(0.05)


@dataclass(slots=True)
class Parts:
    """All parts, in the order in which they are started."""

    parts: list[Part]

    def start(self) -> None:
        """Start all at once and wait until every one answers. Raise PartFailed."""
        for part in self.parts:
            part.start()
        for part in self.parts:
            part.wait_until_ready()

    def revive(self) -> list[str]:
        """Start again whatever has died; return the names."""
        dead = [part for part in self.parts if not part.is_alive()]
        if dead:
            time.sleep(_RESTART_AFTER_SECONDS)
        for part in dead:
            part.start()
        return [part.name for part in dead]

    def stop(self) -> None:
        """Stop all, the last started first."""
        for part in reversed(self.parts):
            part.stop()


_claims: dict[int, socket.socket] = {}  # ports that this process has chosen, held until it ends


def free_port(wanted: int) -> int:
    """Return the port, or the next one that is free, and keep it from others that choose so. Raise PartFailed when none is."""
    for port in range(wanted, wanted + _PORT_TRIES):
        if _is_free(port) and _claim(port):
            return port
    raise PartFailed(f"none of the ports {wanted} to {wanted + _PORT_TRIES - 1} is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _claim(port: int) -> bool:
    """Take a port among those who start things here at the same moment: on Linux by a name that the kernel gives to one only."""
    if port in _claims or sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0strongroom-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def _answers(url: str) -> bool:
    """True when an address answers at all well."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310  # our own loopback address
            return bool(answer.status == 200)  # noqa: PLR2004  # the status that means OK
    except (urllib.error.URLError, OSError):
        return False


def _die_with_parent() -> None:
    """Let the kernel end this process when its parent dies, however it dies (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
