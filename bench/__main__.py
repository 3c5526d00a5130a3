"""`python -m bench`: measure everything side by side and print the table."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench import load, rows
from bench.contest import Effort, Result, hold
from bench.load import LoadFailed
from bench.system import System, running


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes: fewer and shorter rounds, small growth")
    parser.add_argument("--full", action="store_true", help="also grow to ten million cases (needs 20 GB and half an hour)")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    asked = parser.parse_args()
    try:
        load.require_tool()
        return asyncio.run(_run(asked))
    except LoadFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _run(asked: argparse.Namespace) -> int:
    effort = Effort(3, 2) if asked.quick else Effort(5, 5)
    under = Path("var/bench").resolve()
    under.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=under))
    folder.chmod(0o711)  # a root's PostgreSQL is another user and passes through
    try:
        async with running(folder, firms=100) as system:
            await _contests(system, effort, asked.only)
    except BaseException:
        sys.stderr.write("\n".join((folder / "web.log").read_text().splitlines()[-20:]) + "\n")
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _contests(system: System, effort: Effort, only: str) -> None:
    one, many = system.firms[:1], system.firms
    _head()
    for firms in (one, many):
        cases = await rows.some_cases(system, firms)
        contests = [
            await rows.posting_cases(system, firms),
            await rows.posting_cases(system, firms, keyed=True),
            await rows.posting_requests(system, firms, cases, notify=False),
            rows.reading_cases(firms, cases),
        ]
        for contest in contests:
            if only in contest.name:
                _line(await hold(system, contest, effort))


def _head() -> None:
    print("| work | /s | p50 / p99 ms | web µs | PostgreSQL µs | × one statement | × transaction |")
    print("|---|---|---|---|---|---|---|", flush=True)


def _line(result: Result) -> None:
    from statistics import median

    ratios = (result.ratio_to(result.one_statement), result.ratio_to(result.transaction))
    shown = " | ".join("" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
    print(
        f"| {result.name} | {result.rate:,.0f} | {result.p50_ms:.1f} / {result.p99_ms:.1f} | {median(result.web_us):.0f} "
        f"| {median(result.postgres_us):.0f} | {shown} |",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
