"""Growth: does a request cost the same when the tables are a hundred times larger?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from bench.contest import Effort
from bench.load import run
from bench.rows import Contest
from bench.system import BenchFirm, System

_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class Size:
    """What was seen with so many cases stored: the rate, and PostgreSQL's processor time per request, of each contest."""

    cases: int
    rates: dict[str, float]
    postgres_us: dict[str, float]


async def measure(system: System, contests: list[Contest], effort: Effort) -> Size:
    """Measure contests at the present size."""
    await system.owner.execute("VACUUM ANALYZE")
    cases = await system.owner.fetchval("SELECT count(*) FROM cases")
    rates, costs = {}, {}
    for contest in contests:
        await run(system.base_url, contest.requests, system.folder, seconds=1)
        seen, cpu = [], []
        for _ in range(effort.rounds):
            before = system.cpu_seconds()[1]
            one = await run(system.base_url, contest.requests, system.folder, seconds=effort.seconds)
            cpu.append((system.cpu_seconds()[1] - before) / one.requests * 1e6)
            seen.append(one.rate)
        rates[contest.name], costs[contest.name] = median(seen), median(cpu)
    return Size(cases, rates, costs)


async def fill(system: System, firm: BenchFirm, wanted: int) -> None:
    """Add cases of one firm, each with a customer, a credit request and an audit entry, until so many are stored."""
    held = await system.owner.fetchval("SELECT count(*) FROM cases")
    for first in range(held, wanted, _CHUNK):
        await system.owner.execute(_FILL, firm.id, firm.account_id, first, min(first + _CHUNK, wanted) - 1, timeout=600)


_FILL = """
WITH sample AS (
    SELECT data_key_sealed, personal_sealed, phone_hash, identity_hash FROM customers WHERE firm_id = $1 LIMIT 1
), numbers AS (
    SELECT lpad(to_hex(n), 13, 'z') AS id, n, clock_timestamp() - n * interval '1 second' AS at
    FROM generate_series($3::bigint, $4::bigint) AS n
), cases AS (
    INSERT INTO cases (firm_id, id, case_ref, created_at, changed_at) SELECT $1, 'cse-' || id, 'OLD' || n, at, at FROM numbers
), customers AS (
    INSERT INTO customers (firm_id, id, case_id, position, data_key_sealed, personal_sealed, phone_hash, identity_hash,
        created_at, changed_at)
    SELECT $1, 'cst-' || id, 'cse-' || id, 0, sample.*, at, at FROM numbers, sample
), requests AS (
    INSERT INTO credit_requests (firm_id, id, case_id, reference, statement_reference, description, amount_minor, purpose,
        receiving_account_id, notify, created_at, changed_at)
    SELECT $1, 'csp-' || id, 'cse-' || id, 'OLD' || n, 'OLD' || n, 'Case Opening Fee', 10000, 'other', $2, false, at, at
    FROM numbers
)
INSERT INTO audit_entries (tenant_id, at, actor, tag, subject) SELECT $1, at, 'client:bench', 'funds:case:created', 'cse-' || id
FROM numbers
"""
