"""Runs contests: ours and pgbench's in turn, several rounds; a ratio is the median of the rounds' ratios."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from statistics import median

from bench import load, pgbench
from bench.load import Load
from bench.rows import Contest
from bench.system import System


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    rounds: int
    seconds: float


@dataclass(slots=True)
class Result:
    """What one contest showed."""

    name: str
    ours: list[Load] = field(default_factory=list)
    web_us: list[float] = field(default_factory=list)  # processor time per request
    postgres_us: list[float] = field(default_factory=list)
    one_statement: list[float] = field(default_factory=list)
    transaction: list[float] = field(default_factory=list)
    limit_us: list[float] = field(default_factory=list)  # processor time of pgbench and PostgreSQL per transaction

    @property
    def rate(self) -> float:
        return median(one.rate for one in self.ours)

    @property
    def p50_ms(self) -> float:
        return median(one.p50_ms for one in self.ours)

    @property
    def p99_ms(self) -> float:
        return median(one.p99_ms for one in self.ours)

    @property
    def cost_ratio(self) -> float | None:
        """Return the limit's processor time per transaction over all of ours: what the rates' ratio tends to on idle cores."""
        ratios = [one / (web + postgres) for one, web, postgres in zip(self.limit_us, self.web_us, self.postgres_us, strict=False)]
        return median(ratios) if ratios else None

    def ratio_to(self, limits: list[float]) -> float | None:
        """Return the median ratio over the rounds; None where nothing was compared."""
        return median(one.rate / limit for one, limit in zip(self.ours, limits, strict=True)) if limits else None


async def hold(system: System, contest: Contest, effort: Effort) -> Result:
    """Hold one contest; a first second is thrown away."""
    result = Result(contest.name)
    await load.run(system.base_url, contest.requests, system.folder, seconds=1)
    for _ in range(effort.rounds):
        await _ours(system, contest, effort, result)
        limit = await pgbench.run(system, "one", contest.one_statement, contest.variables, seconds=effort.seconds)
        result.one_statement.append(limit.rate)
        result.limit_us.append(limit.cpu_us)
        if contest.transaction:
            limit = await pgbench.run(system, "many", contest.transaction, contest.variables, seconds=effort.seconds)
            result.transaction.append(limit.rate)
        await asyncio.sleep(0.2)
    return result


async def _ours(system: System, contest: Contest, effort: Effort, result: Result) -> None:
    web, postgres = system.cpu_seconds()
    seen = await load.run(system.base_url, contest.requests, system.folder, seconds=effort.seconds)
    web_after, postgres_after = system.cpu_seconds()
    result.ours.append(seen)
    result.web_us.append((web_after - web) / seen.requests * 1e6)
    result.postgres_us.append((postgres_after - postgres) / seen.requests * 1e6)
