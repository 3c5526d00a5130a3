"""The limit to compare with: PostgreSQL's own pgbench, prepared statements, writing or reading the very same rows."""

from __future__ import annotations

import asyncio
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.system import DATABASE, System

CLIENTS = 16
_TPS = re.compile(r"tps = ([0-9.]+) \(without initial connection time\)")
_LATENCY = re.compile(r"latency average = ([0-9.]+) ms")


class PgbenchFailed(Exception):
    """pgbench stopped with an error."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What pgbench reached."""

    rate: float
    average_ms: float
    cpu_us: float  # processor time of pgbench and PostgreSQL per transaction


async def run(system: System, name: str, script: str, variables: Mapping[str, str | int], *, seconds: float) -> Limit:
    """Run one script for a while with 16 clients. Raise PgbenchFailed."""
    command = [
        str(system.postgres.bin("pgbench")), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2",
        "-T", f"{max(1, round(seconds))}", "-f", str(_write(system.folder / f"{name}.sql", script)),
        *(part for key, value in variables.items() for part in ("-D", f"{key}={value}")),
        "-h", str(system.postgres.socket_folder), "-U", "postgres", DATABASE,
    ]  # fmt: skip
    before = _cpu_seconds(system)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, wrong = await process.communicate()
    found = _TPS.search(out.decode())
    latency = _LATENCY.search(out.decode())
    if process.returncode or not found or not latency or b"failed" in wrong:
        raise PgbenchFailed(wrong.decode() or out.decode())
    rate = float(found[1])
    return Limit(rate, float(latency[1]), (_cpu_seconds(system) - before) / (rate * max(1, round(seconds))) * 1e6)


def _cpu_seconds(system: System) -> float:
    """Return the processor time of children that have ended, of which pgbench is the last, and of PostgreSQL."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + system.cpu_seconds()[1]


def _write(file: Path, script: str) -> Path:
    file.write_text(script)
    return file
