"""Schemathesis, which knows nothing of this product but its document, tries the running server.

All of its default checks and its stateful phase run; `schemathesis.toml` beside this file holds the few exceptions, and
docs/integrate/schemathesis.md says why each is one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strongroom.kit.edge import Edge
from strongroom.wiring import House
from tests.funds.firm_api import Firm, environment
from tests.rules.source import ROOT

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
REASONS = ROOT / "docs" / "integrate" / "schemathesis.md"
SCHEMATHESIS = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION), "run"]
SEED = 20260302
READY_SECONDS, RUN_SECONDS = 60.0, 600


@contextmanager
def served(database: Any, folder: Path) -> Iterator[str]:
    """Run `strongroom serve` over the test's database; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    settings = environment(database, folder, base_url=base, port=str(port), log_level="error")
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "strongroom", "serve"], env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not answers(f"{base}/health/ready"):
            assert process.poll() is None, (folder / "serve.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_schemathesis_finds_nothing(firm: Firm, application: tuple[House, Edge], database: Any, tmp_path: Path) -> None:
    with served(database, tmp_path) as base:
        done = subprocess.run(
            [*SCHEMATHESIS, f"{base}/api/doc.json", "--seed", str(SEED)],
            env=os.environ | {"STRONGROOM_TOKEN": firm.token},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
    assert done.returncode == 0, done.stdout[-60_000:] + done.stderr[-2000:]
    assert "Stateful" in done.stdout


def test_every_exception_has_its_reason() -> None:
    exceptions = tomllib.loads(CONFIGURATION.read_text()).get("operations", [])
    reasons = REASONS.read_text()
    for one in exceptions:
        for operation in one["include-operation-id"]:
            assert f"`{operation}`" in reasons
