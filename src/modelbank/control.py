"""Levers and windows for testers, over plain HTTP on the pages' port: ledger, payments, time machine, troubles."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import msgspec

from modelbank.banks import Bank
from modelbank.database import Pool
from modelbank.ledger import store as ledger
from modelbank.levers import store as levers
from modelbank.levers.store import Switches
from modelbank.oauth import store as oauth_store
from modelbank.openbanking import store
from modelbank.openbanking.answers import timestamp
from modelbank.openbanking.progress import advance_all
from modelbank.quirks import PACKS, Quirk
from modelbank.web.asgi import Handler, Request, Response, json_response

_MAX_ADVANCE_SECONDS = 400 * 86_400


class ClockOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /control/clock`: for everybody, or for one customer's visit (the last part of the address of its pages)."""

    advance_seconds: float
    visit: str | None = None


class BankOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /control/bank`: what is left out stays as it is."""

    bank: str
    down: bool | None = None
    delay_seconds: float | None = None
    drop_answers: int | None = None
    headless: bool | None = None
    quirks: tuple[Quirk, ...] | None = None


class Control:
    """Answers under /control."""

    def __init__(self, pool: Pool, banks: dict[str, Bank]) -> None:
        self._pool = pool
        self._banks = banks
        self._acts: dict[tuple[str, str], Handler] = {
            ("GET", "/control/ledger"): self._ledger,
            ("GET", "/control/payments"): self._payments,
            ("GET", "/control/quirks"): _quirks,
            ("GET", "/control/bank"): self._switches,
            ("POST", "/control/clock"): self._clock,
            ("POST", "/control/bank"): self._bank,
        }

    async def answer(self, request: Request) -> Response:
        """Do what a tester asks."""
        act = self._acts.get((request.method, request.path))
        return _problem(404, "There is no such lever.") if act is None else await act(request)

    async def _ledger(self, request: Request) -> Response:
        bank = request.query().get("bank", "")
        if bank not in self._banks:
            return _problem(404, "There is no such bank: say ?bank=…")
        entries = await ledger.list_entries(self._pool, bank)
        accounts = await ledger.list_accounts(self._pool, bank)
        content = {
            "bank": bank,
            "sum_minor": sum(entry["amount_minor"] for entry in entries),
            "accounts": [_account(account) for account in accounts],
            "entries": [_plain(entry) for entry in entries],
        }
        return json_response(200, content)

    async def _payments(self, request: Request) -> Response:
        rows = await store.list_payments(self._pool, request.query().get("bank"))
        return json_response(200, {"payments": [_payment(row) for row in rows]})

    async def _switches(self, _request: Request) -> Response:
        return json_response(200, {bank: await levers.get_switches(self._pool, bank) for bank in self._banks})

    async def _clock(self, request: Request) -> Response:
        order = _read(request, ClockOrder)
        if not isinstance(order, ClockOrder) or not 0 <= order.advance_seconds <= _MAX_ADVANCE_SECONDS:
            return _problem(400, 'Say {"advance_seconds": …}, not below zero.')
        if order.visit is not None:
            return await self._age_visit(order.visit, order.advance_seconds)
        ahead = await ledger.advance_clock(self._pool, order.advance_seconds)
        steps = await advance_all(self._pool)
        now = timestamp(await ledger.now(self._pool))
        return json_response(200, {"now": now, "ahead_seconds": ahead, "steps_done": steps})

    async def _age_visit(self, visit: str, seconds: float) -> Response:
        if not await oauth_store.age_visit(self._pool, visit, seconds):
            return _problem(404, "There is no such visit.")
        return json_response(200, {"visit": visit, "older_by_seconds": seconds})

    async def _bank(self, request: Request) -> Response:
        order = _read(request, BankOrder)
        if not isinstance(order, BankOrder) or order.bank not in self._banks:
            return _problem(400, "Name a bank and known levers.")
        if not (0 <= (order.delay_seconds or 0) <= 60 and 0 <= (order.drop_answers or 0) <= 1000):  # noqa: PLR2004  # as the table
            return _problem(400, "delay_seconds is 0 to 60, drop_answers 0 to 1000.")
        changes = {name: value for name, value in msgspec.to_builtins(order).items() if value is not None}
        kept = await levers.get_switches(self._pool, changes.pop("bank"))
        switches = Switches(**(msgspec.to_builtins(kept) | changes))
        await levers.set_switches(self._pool, order.bank, switches)
        return json_response(200, {"bank": order.bank, **msgspec.to_builtins(switches)})


async def _quirks(_request: Request) -> Response:
    return json_response(200, {"quirks": PACKS})


def _read(request: Request, shape: type[Any]) -> Any:
    """Return the order, or None. JSON only: a foreign web page cannot send it without asking first."""
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return None
    try:
        return msgspec.json.decode(request.body, type=shape)
    except msgspec.MsgspecError:
        return None


def _problem(status: int, message: str) -> Response:
    return json_response(status, {"error": message})


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: timestamp(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _account(account: ledger.Account) -> dict[str, Any]:
    content = _plain(msgspec.to_builtins(account) | {"opened_at": account.opened_at})
    return content | {"available_minor": account.available_minor}


def _payment(row: dict[str, Any]) -> dict[str, Any]:
    initiation = json.loads(row.pop("request"))["Data"]["Initiation"]
    return _plain(row) | {"initiation": initiation}
