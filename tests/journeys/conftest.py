"""The whole product, running: what `make run` starts, in a folder of the test run, shared by all workers of pytest-xdist.

The first worker that asks starts it; every worker that uses it holds a shared lock; the one that started it waits at its end
until nobody holds that lock and stops it. When that worker is killed, the kernel stops the product with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TextIO

import pytest

from strongroom.banking.registry import LOOK_SECONDS
from tests.banking.validating_proxy import PRISM
from tests.conftest import locked, run_folder
from tests.modelbank.test_official_shapes import DOCUMENTS

START_SECONDS = 150.0
STOP_SECONDS = 60.0
START_TRIES = 3  # two starts at one moment may choose the same free port


@dataclass(frozen=True, slots=True)
class House:
    """Where the running product is, and the demo firm's client."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    firm_id: str
    inbox_url: str
    modelbank_url: str
    postgres_dsn: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Started:
    """What one worker started for all."""

    product: subprocess.Popen[bytes]
    validator: subprocess.Popen[bytes] | None


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """Yield the running product; what other tests made in it stays, so make what you need and look only for that.

    Between it and its banks stands Prism with the official documents: whatever was off them in any journey is an error at the end.
    """
    folder = run_folder() / "house"
    folder.mkdir(mode=0o711, exist_ok=True)
    with (run_folder() / "house-users.lock").open("w") as users:
        started = enter(folder, users)
        try:
            yield read_report(folder)
        finally:
            leave(folder, users, started)


def enter(folder: Path, users: TextIO) -> Started | None:
    """Hold the product; return what had to be started: the marker `ready` tells other workers."""
    with locked("house"):
        fcntl.flock(users, fcntl.LOCK_SH)
        if is_ready(folder):
            return None
        started = Started(start(folder), validate(folder))
        (folder / "ready").touch()
        return started


def leave(folder: Path, users: TextIO, started: Started | None) -> None:
    """Let go of the product; stop it, when it was started here and the last other user has gone.

    Raise AssertionError when anything was off the documents.
    """
    if started is None:
        fcntl.flock(users, fcntl.LOCK_UN)
        return
    fcntl.flock(users, fcntl.LOCK_EX)
    stop(started.product)
    (folder / "ready").unlink()
    if started.validator:
        stop(started.validator, signal.SIGTERM)
        assert off_the_documents(folder) == []


def off_the_documents(folder: Path) -> list[str]:
    """Return what Prism found wrong; say how many calls it saw."""
    lines = [json.loads(line) for line in record_of(folder).read_text().splitlines()]
    sys.stdout.write(f"\n{len(lines)} calls to banks passed through Prism\n")
    return [f"{line['call']}: {line['off']}" for line in lines if line["off"]]


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the product and wait until it is ready. Raise RuntimeError with its output."""
    for _ in range(START_TRIES):
        process = launch(folder)
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if has_said_ready(folder) and answers(f"{read_report(folder).base_url}/health/ready"):
                return process
            time.sleep(0.1)
        stop(process)
    raise RuntimeError(f"the product did not start:\n{output_of(folder).read_text()}")


def launch(folder: Path) -> subprocess.Popen[bytes]:
    """Start `strongroom dev` over a folder."""
    command = [sys.executable, "-m", "strongroom", "dev", "--folder", str(folder), "--port", str(free_port())]
    with output_of(folder).open("wb") as out:
        return background(command, out)


def validate(folder: Path) -> subprocess.Popen[bytes] | None:
    """Let Prism stand between the product and its banks, once the product has read that; None without Prism or the documents."""
    if not PRISM.exists() or not DOCUMENTS.is_dir():
        return None
    with output_of(folder).open("ab") as out:
        validator = background(
            [sys.executable, "-m", "tests.banking.validating_proxy", str(folder / "bank"), str(record_of(folder))], out
        )
    read_again_at = time.monotonic() + LOOK_SECONDS + 0.5
    while not record_of(folder).exists():
        if validator.poll() is not None or time.monotonic() > read_again_at + START_SECONDS:
            raise RuntimeError(f"Prism did not start:\n{output_of(folder).read_text()}")
        time.sleep(0.1)
    time.sleep(max(0.0, read_again_at - time.monotonic()))
    return validator


def background(command: list[str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program that ends with this worker."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # prctl is all it calls
    )


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT) -> None:
    """Stop the product as Ctrl-C does, or another program as told."""
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_report(folder: Path) -> House:
    """Return what the product wrote down of itself."""
    report: dict[str, Any] = json.loads((folder / "dev.json").read_text())
    known = House.__dataclass_fields__
    return House(folder=folder, **{name: value for name, value in report.items() if name in known})


def is_ready(folder: Path) -> bool:
    """True when another worker has started the product and it still answers."""
    return (folder / "ready").exists() and answers(f"{read_report(folder).base_url}/health/ready")


def has_said_ready(folder: Path) -> bool:
    """True when the product has written its report and greeted: a report alone may be an earlier start's."""
    return "Strongroom is ready" in output_of(folder).read_text()


def record_of(folder: Path) -> Path:
    """Return where Prism's findings are kept, a line for each call."""
    return folder.with_name("prism.jsonl")


def output_of(folder: Path) -> Path:
    """Return where the product's own words go."""
    return folder.with_name("house-output.log")


def answers(url: str) -> bool:
    """True when an address answers well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def die_with_parent() -> None:
    """Let the kernel end the product with the worker that started it (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
