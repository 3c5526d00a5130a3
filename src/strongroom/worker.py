"""The worker process: carries payments and shares on, sends messages and webhooks, seals the audit, forgets what is over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import structlog
from prometheus_client import start_http_server

from strongroom.access import jobs as access_jobs
from strongroom.funds.store import logins as login_store
from strongroom.kit import audit, idempotency, limits
from strongroom.kit.clock import refuse_moved_clock
from strongroom.kit.db import Tx
from strongroom.kit.jobs import Job, Runner
from strongroom.kit.metrics import REGISTRY
from strongroom.kit.outbound import Outbound
from strongroom.notify import jobs as notify_jobs
from strongroom.notify.messages import Receipts
from strongroom.notify.port import Bound, Report, Route
from strongroom.notify.sending import Sender
from strongroom.notify.watching import Watch
from strongroom.safetoken.store import replays, sequences
from strongroom.sca import store as sca_store
from strongroom.sca.answering import store as question_store
from strongroom.sca.purchasing import jobs as purchase_jobs
from strongroom.settings import Settings
from strongroom.webhooks import jobs as webhook_jobs
from strongroom.webhooks.deliveries import Deliveries
from strongroom.wiring import WORKER_ROLE, House, build, sms_routes, watch_rules

_LANES = 8  # payments and shares that one process carries on at once: a slow bank holds up no other
_log = structlog.get_logger("worker")


def jobs(house: House, sender: Sender, deliveries: Deliveries) -> list[Job]:
    """Name all work of the product."""
    root_file = house.settings.audit_roots_file
    return [
        Job("payments", house.payment_steps.step, every_seconds=0.5, woken_by_notify=True, lanes=_LANES),
        Job("shares", house.share_steps.step, every_seconds=0.5, woken_by_notify=True, lanes=_LANES),
        Job("payments live", house.payment_steps.count_live, every_seconds=15),
        Job("share closing", house.share_steps.close_step, every_seconds=2, woken_by_notify=True),
        Job("login codes", house.authentications.dispatch, every_seconds=0.5, woken_by_notify=True),
        Job("credit request expiry", house.requests.expire_due, every_seconds=5),
        Job("credit request delay", house.requests.tell_slow, every_seconds=30),
        Job("account request expiry", house.account_requests.expire_due, every_seconds=5),
        Job("shared account retention", _erase(house), every_seconds=3600),
        Job("retention", house.retention.erase_due, every_seconds=3600),
        Job("audit sealing", lambda: audit.seal_entries(house.db), every_seconds=0.5),
        Job("audit roots", _counted(lambda: audit.export_root(house.db, house.vault.root(), root_file)), every_seconds=60),
        *notify_jobs.jobs(sender, Watch(house.db, watch_rules(house.settings))),
        *webhook_jobs.jobs(house.events, deliveries),
        *access_jobs.jobs(house.db),
        *purchase_jobs.jobs(house.purchases),
        *[
            Job(name, _purge(house, forget), every_seconds=600)
            for name, forget in (
                ("idempotency keys", idempotency.forget_old),
                ("limits", limits.forget_old),
                ("signed messages", replays.forget_old),
                ("message sequences", sequences.forget_old),
                ("challenges", sca_store.forget_old),
                ("card questions", question_store.forget_old),
                ("login grants", login_store.forget_old_grants),
                ("logins", login_store.forget_old_logins),
            )
        ],
    ]


async def work(settings: Settings) -> None:
    """Work until told to stop, then finish what was begun."""
    leaving_by = sms_routes(settings)
    house = await build(settings, role=WORKER_ROLE)
    sender = Sender(house.db, house.vault, leaving_by)
    if settings.worker_metrics_port:
        start_http_server(settings.worker_metrics_port, "127.0.0.1", registry=REGISTRY)
    outbound = Outbound(allow_loopback=settings.webhook_allow_loopback)
    deliveries = Deliveries(house.db, house.vault, outbound)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    try:
        if settings.is_production:
            async with house.db.transaction() as tx:
                await refuse_moved_clock(tx)
        _log.info("working")
        async with asyncio.TaskGroup() as group:
            lines = [group.create_task(_keep_line(line, house)) for line in _bound(leaving_by)]
            await Runner(house.db, jobs(house, sender, deliveries)).run(stopping)
            await sender.finish()
            for line in lines:
                line.cancel()
        await deliveries.finish()
        await outbound.aclose()
    finally:
        await house.close()


def _bound(routes: Sequence[Route]) -> list[Bound]:
    return [route.gateway for route in routes if isinstance(route.gateway, Bound)]


def _keep_line(line: Bound, house: House) -> Coroutine[None, None, None]:
    """Keep a gateway's line and what it reports. An error ends the process: one that sends nothing must not live on."""
    receipts = Receipts(house.db)

    async def take(report: Report) -> None:
        await receipts.take(line.name, report.provider_id, report.receipt)

    return line.run(take)


def _erase(house: House) -> Callable[[], Awaitable[int]]:
    """Return the job that erases shared accounts which nobody used."""
    after_days = house.settings.retention_shared_accounts_days
    return lambda: house.account_requests.erase_old(after_days=after_days)


def _purge(house: House, forget: Callable[[Tx], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """Return a job that removes what is over in a transaction of its own."""

    async def run() -> int:
        async with house.db.transaction() as tx:
            return await forget(tx)

    return run


def _counted(work: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[int]]:
    """Turn a job that says whether it did something into one that rests either way."""

    async def run() -> int:
        await work()
        return 0

    return run
