"""What is measured: the requests that we answer, and the statements that write or read the same rows in pgbench."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load import COUNTER, raw, raw_json
from bench.system import BenchFirm, System
from strongroom.access.model import FIRM_SCOPES
from strongroom.funds.model import AuditTag

_SOME = 1_000  # cases to ask for or to read, so that no single row is everybody's


@dataclass(frozen=True, slots=True)
class Contest:
    """One row of the table."""

    name: str
    requests: Sequence[str] = field(repr=False)
    one_statement: str = field(repr=False)
    transaction: str | None = field(default=None, repr=False)  # None for a read
    variables: Mapping[str, str | int] = field(default_factory=dict, repr=False)


def new_case(number: str = COUNTER, phone: str = "447300000001") -> dict[str, Any]:
    """Return the body that opens a case with one customer."""
    customer = {"name": "Test Name", "email": "docs@example.com", "dateOfBirth": "1980-01-01", "phone": phone}
    return {"caseRef": f"SC{number}", "customers": [customer]}


def new_request(case_id: str, *, notify: bool) -> dict[str, Any]:
    """Return the body that asks for an amount."""
    fee = {"reference": f"PAY{COUNTER}", "description": "Case Opening Fee", "amount": 100.0}
    return {"caseId": case_id, **fee, "notify": notify}


async def open_cases(system: System, firm: BenchFirm, count: int) -> list[str]:
    """Open cases through the API, so that they are readable, each for a customer with a number of their own; return their ids."""
    answers = []
    for first in range(0, count, 20):
        wanted = range(first, min(first + 20, count))
        calls = (
            asyncio.to_thread(system.post, "/api/1.0/cases", firm.token, new_case(f"{n:08d}", f"447400{n:06d}")) for n in wanted
        )
        answers += await asyncio.gather(*calls)
    return [str(answer["id"]) for answer in answers]


async def posting_cases(system: System, firms: Sequence[BenchFirm], *, keyed: bool = False) -> Contest:
    """Return the row that opens cases: a case, a customer, an audit entry, and with a key the key's row."""
    headers = {"Idempotency_Key": f"bench-{COUNTER}"} if keyed else {}
    requests = [raw_json("POST", "/api/1.0/cases", firm.token, new_case(), **headers) for firm in firms]
    stored = await _stored_case(system, firms[0])
    draw = f"\\set n random(1, 1000000000000000)\n\\set firm random(0, {len(firms) - 1})\n"
    firm_id, key = _firm_of(firms), "'\\x' || lpad(to_hex(:n::bigint), 128, '0')"
    case = "'cse-' || lpad(:n::text, 13, '0')"
    rows = {
        "cases": f"INSERT INTO cases (firm_id, id, case_ref) VALUES ({firm_id}, {case}, 'SC' || left(:n::text, 8))",
        "customers": f"""INSERT INTO customers (firm_id, id, case_id, position, data_key_sealed, personal_sealed, phone_hash,
            identity_hash) VALUES ({firm_id}, 'cst-' || lpad(:n::text, 13, '0'), {case}, 0, :data_key::bytea, :personal::bytea,
            :phone::bytea, :identity::bytea)""",
        "audit": f"""INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail)
            VALUES ({firm_id}, :actor::text, :tag::text, {case}, :detail::jsonb)""",
    }
    variables: dict[str, str | int] = {**stored, "tag": str(AuditTag.CASE_CREATED), "detail": '{"customers": 1}'}
    if keyed:
        rows["idempotency"] = f"""INSERT INTO idempotency_keys (tenant_id, caller_id, key_hash, fingerprint_hash, answer_sealed)
            VALUES ({firm_id}, 'cli-0000000000000', ({key})::bytea, :phone::bytea, :personal::bytea)"""
    name = f"POST case{', with Idempotency-Key' if keyed else ''}{_of(firms)}"
    return Contest(name, requests, draw + _as_one(rows), draw + _as_many(rows), variables)


def posting_requests(firms: Sequence[BenchFirm], cases: Mapping[str, Sequence[str]], *, notify: bool) -> Contest:
    """Return the row that asks for money: a request and an audit entry; with `notify` also a message in the queue."""
    requests = [
        raw_json("POST", "/api/1.0/creditRequests", firm.token, new_request(case_id, notify=notify))
        for turn in range(max(len(one) for one in cases.values()))
        for firm in firms
        for case_id in cases[firm.id][turn : turn + 1]
    ]
    case_id = next(iter(cases[firms[0].id]))
    rows = _request_rows()
    draw = f"\\set n random(1, 1000000000000000)\n\\set c random(0, {sum(len(one) for one in cases.values()) - 1})\n"
    known = {
        "actor": f"client:{firms[0].client_id}", "tag": str(AuditTag.CREDIT_REQUESTED), "case": json.dumps({"case": case_id}),
    }  # fmt: skip
    name = f"POST credit request{', notify on' if notify else ''}{_of(firms)}"
    return Contest(name, requests, draw + _as_one(rows), draw + _as_many(rows), known)


def _request_rows() -> dict[str, str]:
    chosen = "FROM bench_cases WHERE n = :c"
    return {
        "request": f"""INSERT INTO credit_requests (firm_id, id, case_id, reference, statement_reference, description, amount_minor,
            purpose, allow_split, receiving_account_id, notify) SELECT firm_id, 'csp-' || lpad(:n::text, 13, '0'), case_id,
            'PAY' || left(:n::text, 8), lpad(:n::text, 16, '0'), 'Case Opening Fee', 10000, 'other', false, account_id, false
            {chosen}""",
        "audit": f"""INSERT INTO audit_entries (tenant_id, actor, tag, subject, detail)
            SELECT firm_id, :actor::text, :tag::text, 'csp-' || lpad(:n::text, 13, '0'), :case::jsonb {chosen}""",
    }


def reading_cases(firms: Sequence[BenchFirm], cases: Mapping[str, Sequence[str]]) -> Contest:
    """Return the row that reads a case with its customer and the ids of its requests (uses `bench_cases`)."""
    requests = [raw_json("GET", f"/api/1.0/cases/{case_id}", firm.token) for firm in firms for case_id in cases[firm.id]]
    statement = """SELECT c.id, c.case_ref, c.state, c.created_at, c.changed_at, p.id, p.data_key_sealed, p.personal_sealed,
        p.opened_at, p.created_at, ARRAY(SELECT id FROM credit_requests r WHERE r.firm_id = c.firm_id AND r.case_id = c.id
        ORDER BY created_at DESC, id DESC LIMIT 500), ARRAY(SELECT id FROM account_requests r WHERE r.firm_id = c.firm_id
        AND r.case_id = c.id ORDER BY created_at DESC, id DESC LIMIT 500)
        FROM bench_cases b JOIN cases c ON c.firm_id = b.firm_id AND c.id = b.case_id
        JOIN customers p ON p.firm_id = c.firm_id AND p.case_id = c.id WHERE b.n = :c;"""
    count = sum(len(one) for one in cases.values())
    return Contest(f"GET case{_of(firms)}", requests, f"\\set c random(0, {count - 1})\n" + statement.replace("\n", " "))


def issuing_tokens(firms: Sequence[BenchFirm]) -> Contest:
    """Return the row that issues access tokens for client credentials."""
    requests = []
    for firm in firms:
        body = json.dumps({"grant_type": "client_credentials", "client_id": firm.client_id, "client_secret": firm.client_secret})
        requests.append(raw("POST", "/token", {"Content-Type": "application/json"}, body))
    statement = """INSERT INTO access_tokens (firm_id, token_hash, id, client_id, kind, scopes, expires_at)
        VALUES (:firm_id::text, ('\\x' || lpad(to_hex(:n::bigint), 128, '0'))::bytea, 'tok-' || lpad(:n::text, 13, '0'),
        :client_id::text, 'issued', string_to_array(:scopes::text, ' '), app_now() + interval '1 hour');"""
    draw = "\\set n random(1, 1000000000000000)\n" + statement.replace("\n", " ")
    known = {"firm_id": firms[0].id, "client_id": firms[0].client_id, "scopes": " ".join(sorted(FIRM_SCOPES))}
    return Contest(f"POST /token{_of(firms)}", requests, draw, None, known)


async def list_cases(system: System, firms: Sequence[BenchFirm], cases: Mapping[str, Sequence[str]]) -> None:
    """Write the cases down for pgbench, and ask each customer once, so that all of them may log in already."""
    await system.owner.execute(
        "CREATE TABLE IF NOT EXISTS bench_cases (n int PRIMARY KEY, firm_id text, case_id text, account_id text)"
    )
    await system.owner.execute("TRUNCATE bench_cases")
    rows = [(firm.id, case_id, firm.account_id) for firm in firms for case_id in cases[firm.id]]
    await system.owner.executemany("INSERT INTO bench_cases VALUES ($1, $2, $3, $4)", [(n, *row) for n, row in enumerate(rows)])
    for firm in firms:
        await ask_once(system, firm, cases[firm.id])


async def ask_once(system: System, firm: BenchFirm, case_ids: Sequence[str]) -> None:
    """Ask for an amount in each case."""
    for first in range(0, len(case_ids), 20):
        bodies = [new_request(case_id, notify=False) | {"reference": case_id} for case_id in case_ids[first : first + 20]]
        await asyncio.gather(*(asyncio.to_thread(system.post, "/api/1.0/creditRequests", firm.token, body) for body in bodies))


async def some_cases(system: System, firms: Sequence[BenchFirm]) -> dict[str, list[str]]:
    """Open a thousand cases, spread over the firms."""
    return {firm.id: await open_cases(system, firm, max(1, _SOME // len(firms))) for firm in firms}


async def _stored_case(system: System, firm: BenchFirm) -> dict[str, str]:
    """Return the bytes that one case leaves behind, to be written again by pgbench."""
    case_id = (await open_cases(system, firm, 1))[0]
    row = await system.owner.fetchrow(
        """SELECT data_key_sealed, personal_sealed, phone_hash, identity_hash, actor FROM customers
           JOIN audit_entries ON tenant_id = firm_id AND subject = case_id WHERE firm_id = $1 AND case_id = $2""",
        firm.id, case_id,
    )  # fmt: skip
    names = ("data_key", "personal", "phone", "identity")
    return {name: "\\x" + value.hex() for name, value in zip(names, row, strict=False)} | {"actor": row["actor"]}


def _firm_of(firms: Sequence[BenchFirm]) -> str:
    ids = ",".join(f"'{firm.id}'" for firm in firms)
    return f"'{firms[0].id}'" if len(firms) == 1 else f"(ARRAY[{ids}])[:firm::int + 1]"


def _as_one(rows: Mapping[str, str]) -> str:
    """Write all rows by one statement."""
    *first, last = rows.items()
    parts = ", ".join(f"{name} AS ({statement})" for name, statement in first)
    return " ".join(f"WITH {parts} {last[1]};".split())


def _as_many(rows: Mapping[str, str]) -> str:
    """Write each row by a statement of its own within one transaction."""
    return "\n".join(["BEGIN;", *(" ".join(f"{statement};".split()) for statement in rows.values()), "COMMIT;"])


def _of(firms: Sequence[BenchFirm]) -> str:
    return f", {len(firms)} firms" if len(firms) > 1 else ""
