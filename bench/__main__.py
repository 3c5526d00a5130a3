"""`python -m bench`: measure everything side by side and print the table. The load tool is wrk, 32 connections, one thread."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import connector, growth, load, otp, peering, rows, safetoken
from bench.contest import Effort, Result, hold
from bench.load import LoadFailed
from bench.peering import median_of
from bench.system import BenchFirm, System, running

_FIRMS = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes: one firm, short rounds, growth to 100,000 cases")
    parser.add_argument("--full", action="store_true", help="also grow to ten million cases (wants 20 GB of disk)")
    parser.add_argument("--rounds", type=int, help="how often each side is measured, in turn (5; with --quick 3)")
    parser.add_argument(
        "--only",
        default="",
        help="only rows whose name contains this, or `safetoken`, `otp` or `connector`, and nothing else",
    )
    parser.add_argument(
        "--uvloop", action="store_true", help="run the web process on uvloop, which `strongroom serve` does not yet"
    )
    asked = parser.parse_args()
    try:
        load.require_tool()
        asyncio.run(_run(asked, _make_folder()))
    except LoadFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _make_folder() -> Path:
    under = Path("var/bench").resolve()  # a real disk, where fsync costs what it costs
    under.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=under))
    folder.chmod(0o711)  # a root's PostgreSQL is another user and passes through
    return folder


async def _run(asked: argparse.Namespace, folder: Path) -> None:
    effort = Effort(asked.rounds or 3, 2) if asked.quick else Effort(asked.rounds or 5, 3)
    if asked.only in ("", "connector"):
        print("\n".join(connector.table(await connector.measured(300))), "\n", flush=True)
    if asked.only == "connector":
        return
    try:
        async with running(folder / "rows", firms=1 if asked.quick else _FIRMS, uvloop=asked.uvloop) as system:
            await _measure(system, asked, effort)
        if not asked.only:
            async with running(folder / "growth", firms=1, uvloop=asked.uvloop) as system:
                await _growth(system, system.firms[0], asked, effort)
    except BaseException:
        sys.stderr.write(_last_lines(folder / "rows" / "web.log"))
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-20:]) + "\n" if log.exists() else ""


async def _measure(system: System, asked: argparse.Namespace, effort: Effort) -> None:
    print("| work | /s | p50 / p99 ms | web µs | PostgreSQL µs | × one statement | × transaction | CPU × one statement | × peer |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    one = system.firms[:1]
    for firms in (one,) if asked.quick else (one, system.firms):
        await _contests(system, firms, effort, asked.only)
    for result in await safetoken.measured(system, effort) if asked.only in ("", "safetoken") else []:
        _peer_line(result)
    if asked.only in ("", "otp"):
        _peer_line(await otp.measured(system, effort))
    await _beside_peers(system, one[0], effort, asked.only)
    if asked.only:
        return
    now, highest = system.memory_mb()
    print(f"\nMemory of the web process: {now:.0f} MB now, {highest:.0f} MB at its highest", flush=True)


async def _beside_peers(system: System, firm: BenchFirm, effort: Effort, only: str) -> None:
    if only in "POST /token":
        _peer_line(await peering.tokens(system, effort))
    if only in "portal page, logged in":
        [case_id] = await rows.open_cases(system, firm, 1)
        await rows.ask_once(system, firm, [case_id])
        _peer_line(await peering.page(system, firm, case_id, effort))
    if only in "webhook deliveries":
        _peer_line(await peering.webhooks(system, firm, Effort(min(3, effort.rounds), effort.seconds)))


async def _contests(system: System, firms: Sequence[BenchFirm], effort: Effort, only: str) -> None:
    cases = await rows.some_cases(system, firms)
    await rows.list_cases(system, firms, cases)
    contests = [
        await rows.posting_cases(system, firms),
        await rows.posting_cases(system, firms, keyed=True),
        rows.reading_cases(firms, cases),
        rows.posting_requests(firms, cases, notify=False),
        rows.posting_requests(firms, cases, notify=True),
    ]
    for contest in contests:
        if only in contest.name:
            _line(await hold(system, contest, effort))


async def _growth(system: System, firm: BenchFirm, asked: argparse.Namespace, effort: Effort) -> None:
    """Print rates, and PostgreSQL's time per request, at growing sizes."""
    known = {firm.id: await rows.open_cases(system, firm, 200)}
    contests = [await rows.posting_cases(system, [firm]), rows.reading_cases([firm], known)]
    first: growth.Size | None = None
    sizes = [10_000, 100_000] if asked.quick else [10_000, 1_000_000, *([10_000_000] if asked.full else [])]
    print("\n| cases stored | " + " | ".join(f"{one.name} /s (× first; PostgreSQL µs)" for one in contests) + " |\n|---|---|---|")
    for size in sizes:
        await growth.fill(system, firm, size)
        seen = await growth.measure(system, contests, effort)
        first = first or seen
        cells = (f"{rate:,.0f} ({rate / first.rates[name]:.2f}; {seen.postgres_us[name]:.0f})" for name, rate in seen.rates.items())
        print(f"| {seen.cases:,} | " + " | ".join(cells) + " |", flush=True)


def _line(result: Result) -> None:
    ratios = (result.ratio_to(result.one_statement), result.ratio_to(result.transaction), result.cost_ratio)
    print(_beginning(result) + " | ".join("" if ratio is None else f"{ratio:.2f}" for ratio in ratios) + " | |", flush=True)


def _peer_line(result: Result | str) -> None:
    ratio = None if isinstance(result, str) else result.ratio_to(result.one_statement)
    shown = "" if ratio is None else f"{ratio:.2f}"
    print(result if isinstance(result, str) else f"{_beginning(result)} | | | {shown} |", flush=True)


def _beginning(result: Result) -> str:
    times = f"{result.p50_ms:.1f} / {result.p99_ms:.1f}" if result.p50_ms else ""
    costs = f"{median_of(result.web_us):.0f} | {median_of(result.postgres_us):.0f}" if result.web_us else " | "
    return f"| {result.name} | {result.rate:,.0f} | {times} | {costs} | "


if __name__ == "__main__":
    sys.exit(main())
