"""What the bank connector itself costs per payment: `python -m bench.connector [--payments 300]`.

Consent, submission and first status against a bank of another make on a TLS socket of this process, one payment at a time, with
connections and our own access token kept. The time in which the bank makes its answer is taken off; its side of the socket and of
TLS is counted as ours, so the figures are an upper bound. The database, whose writes every payment has besides, is not in them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import json
import pstats
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.banking.port import Code, Payee, PaymentOrder, ReturnAddress
from strongroom.banking.registry import Registry

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "banking"))

from foreign_bank import Certificates, ForeignBank, private_pem

T = TypeVar("T")
STEPS = ("consent", "submit", "first status")
TARGET_MS = 20.0
WARM_UP = 20
FUNCTIONS_SHOWN = 12


class TimedBank(ForeignBank):
    """The foreign bank with connections kept open, and a clock on the making of its answers."""

    wall_seconds = 0.0
    cpu_seconds = 0.0

    async def _serve(self, reader: Any, writer: Any) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                asked = await self._read(reader, writer)
                wall, cpu = time.perf_counter(), time.thread_time()
                reply = self._reply(asked)
                head = {"content-length": str(len(reply.body)), "content-type": "application/json", **reply.headers}
                lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in head.items())]
                answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body
                self.wall_seconds += time.perf_counter() - wall
                self.cpu_seconds += time.thread_time() - cpu
                writer.write(answer)
                await writer.drain()
        writer.close()


@dataclass
class Watch:
    """Times of one step after the other, in milliseconds, the bank's own taken off."""

    bank: TimedBank
    wall: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})

    async def step(self, name: str, doing: Awaitable[T]) -> T:
        """Wait for a step and note what it took."""
        theirs, their_cpu = self.bank.wall_seconds, self.bank.cpu_seconds
        wall, cpu = time.perf_counter(), time.thread_time()
        done = await doing
        self.wall[name].append((time.perf_counter() - wall - (self.bank.wall_seconds - theirs)) * 1e3)
        self.cpu[name].append((time.thread_time() - cpu - (self.bank.cpu_seconds - their_cpu)) * 1e3)
        return done

    def rows(self) -> Iterator[tuple[str, list[float], list[float]]]:
        """Yield each step and the sum of the three, with wall and processor time of every payment."""
        for name in STEPS:
            yield name, self.wall[name], self.cpu[name]
        yield "in total", *([sum(of) for of in zip(*times.values(), strict=True)] for times in (self.wall, self.cpu))


async def measured(payments: int, profile: cProfile.Profile | None = None) -> Watch:
    """Make payments one after the other and return what the connector took for them."""
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates(folder)
        (folder / "signing.key").write_bytes(private_pem(keys[0]))
        bank = TimedBank("oak", keys[1], keys[0].public_key())
        await bank.start(certificates)
        (folder / "tpp.json").write_text(json.dumps(_directory(bank)))
        async with Registry(folder / "tpp.json") as registry:
            watch = Watch(bank)
            for number in range(WARM_UP):
                await _pay(registry, Watch(bank), number)
            with profile or contextlib.nullcontext():
                for number in range(payments):
                    await _pay(registry, watch, WARM_UP + number)
        await bank.stop()
    return watch


async def _pay(registry: Registry, watch: Watch, number: int) -> None:
    ours, order = registry.get_bank("oak"), replace(_ORDER, **{name: f"{name[:7]}-{number}" for name in _UNIQUE})
    authorising = await watch.step("consent", ours.request_payment(order))
    code = await ours.accept_return(authorising.memory, watch.bank.agree(authorising.url))
    assert isinstance(code, Code)
    grant = await ours.exchange(authorising.memory, code)
    report = await watch.step("submit", ours.submit_payment(authorising.memory, grant))
    await watch.step("first status", ours.payment_report(authorising.memory, report.bank_payment_id))


_UNIQUE = ("instruction_id", "end_to_end_id", "consent_idempotency_key", "submit_idempotency_key")
_ORDER = PaymentOrder(
    "", "", "", "", 6_250_000, "GBP", Payee("Mason & Co Client Account", "112233", "87654321"), "MATTER 1234", "deposit",
    ReturnAddress("https://firm.example/return", "state-of-this-payment"),
)  # fmt: skip


def _directory(bank: TimedBank) -> dict[str, Any]:
    entry = {"id": "oak", "name": "Oak Bank", "issuer": bank.issuer, "organisation_id": bank.organisation_id}
    return {
        "org_id": "org-1", "software_id": "software-1", "client_id": "client-1", "ca": "ca.pem", "banks": [entry],
        "transport_certificate": "transport.pem", "transport_key": "transport.key",
        "signing_key": "signing.key", "signing_kid": "ours",
    }  # fmt: skip


def rank(times: list[float], share: float) -> float:
    """Return the time within which this share of the payments was done (nearest rank)."""
    return sorted(times)[max(0, -(-int(len(times) * share * 100) // 100) - 1)]


def table(watch: Watch) -> Iterator[str]:
    """Yield the lines of the table, and whether the target is met."""
    yield "| connector, per payment | wall p50 / p95 / p99 ms | CPU p50 / p99 ms |"
    yield "|---|---|---|"
    for name, wall, cpu in watch.rows():
        shown = " / ".join(f"{rank(wall, share):.1f}" for share in (0.5, 0.95, 0.99))
        yield f"| {name} | {shown} | {rank(cpu, 0.5):.1f} / {rank(cpu, 0.99):.1f} |"
    met = "met" if rank(wall, 0.95) <= TARGET_MS else "missed"
    yield f"\nTarget, in total at p95: {TARGET_MS:.0f} ms wall: {met}"


def main() -> None:
    """Print the table, then the profile of a second run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payments", type=int, default=300)
    payments = options.parse_args().payments
    print("\n".join(table(asyncio.run(measured(payments)))), flush=True)
    profile = cProfile.Profile()
    asyncio.run(measured(max(20, payments // 4), profile))
    print("\nWhere it goes (with the bank's part, under the profiler):")
    pstats.Stats(profile).sort_stats("tottime").print_stats(FUNCTIONS_SHOWN)


if __name__ == "__main__":
    main()
