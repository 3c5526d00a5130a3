"""Prometheus metrics: every one is declared here, so that names and labels stay few and hold nothing personal."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()

REQUESTS = Counter("strongroom_http_requests", "Requests answered", ("method", "route", "status"), registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "strongroom_http_request_seconds",
    "Time to answer a request",
    ("route",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
JOB_ITEMS = Counter("strongroom_job_items", "Items that jobs worked on", ("job",), registry=REGISTRY)
JOB_FAILURES = Counter("strongroom_job_failures", "Runs of jobs that failed and will be repeated", ("job",), registry=REGISTRY)
JOB_SECONDS = Histogram("strongroom_job_seconds", "Time of one run of a job", ("job",), registry=REGISTRY)
DELIVERIES = Counter("strongroom_webhook_deliveries", "Webhook tries by outcome", ("outcome",), registry=REGISTRY)
MESSAGES = Counter("strongroom_messages", "Text messages by outcome", ("outcome",), registry=REGISTRY)
MESSAGE_FUNNEL = Counter(
    "strongroom_message_steps",
    "Text messages by step: asked, refused, sent, delivered, used",
    ("step", "purpose", "country", "gateway"),
    registry=REGISTRY,
)
MESSAGES_REFUSED = Counter(
    "strongroom_messages_refused",
    "Text messages refused, by what they ran into",
    ("limit", "purpose", "country"),
    registry=REGISTRY,
)
MESSAGE_WATCH = Counter(
    "strongroom_message_watch",
    "Blocks of numbers or countries whose codes went unused: paused, or an alarm alone",
    ("scope", "country", "outcome"),
    registry=REGISTRY,
)
BANK_CALLS = Counter("strongroom_bank_calls", "Calls to banks by outcome", ("bank", "outcome"), registry=REGISTRY)
BANK_DIRECTORY_BROKEN = Gauge(
    "strongroom_bank_directory_broken", "1 while the bank directory or a key that it names cannot be read", registry=REGISTRY
)
ROOT_KEYS_USABLE = Gauge(
    "strongroom_root_keys_usable", "0 when the root keys could not be used when readiness was last asked for", registry=REGISTRY
)
ROOT_KEYS_USABLE.set(1)  # who runs has read them; 0 before anybody asks would be a false alarm
BANK_CALL_SECONDS = Histogram(
    "strongroom_bank_call_seconds",
    "Time of a bank's answer",
    ("bank",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 30),
    registry=REGISTRY,
)
BANK_ERROR_RATE = Gauge(
    "strongroom_bank_error_rate", "Share of this process's last 50 calls of 15 minutes that failed", ("bank",), registry=REGISTRY
)
BANK_ANSWER_SECONDS = Gauge(
    "strongroom_bank_answer_seconds",
    "Time within which that share of the answered ones came",
    ("bank", "quantile"),
    registry=REGISTRY,
)
ISSUER_CALLS = Counter(
    "strongroom_issuer_calls", "Calls to remote issuers by outcome", ("issuer", "question", "outcome"), registry=REGISTRY
)
PAYMENTS_LIVE = Gauge("strongroom_payments_live", "Payments that have not ended", ("state",), registry=REGISTRY)


def watch_bank(
    bank_id: str, error_rate: Callable[[], float], p50: Callable[[], float | None], p99: Callable[[], float | None]
) -> None:
    """Show how a bank has been whenever somebody asks for the metrics; no answer yet is NaN."""
    BANK_ERROR_RATE.labels(bank_id).set_function(error_rate)
    for quantile, read in (("0.5", p50), ("0.99", p99)):
        BANK_ANSWER_SECONDS.labels(bank_id, quantile).set_function(partial(_or_nan, read))


def exposition() -> bytes:
    """Return all metrics in Prometheus' text form."""
    return generate_latest(REGISTRY)


def _or_nan(read: Callable[[], float | None]) -> float:
    found = read()
    return math.nan if found is None else found
