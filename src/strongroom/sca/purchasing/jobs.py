"""Names the work on purchases."""

from __future__ import annotations

from strongroom.kit.jobs import Job
from strongroom.sca.purchasing.purchases import Purchases


def jobs(purchases: Purchases) -> list[Job]:
    """Return the jobs."""
    return [
        Job("purchases settle", purchases.settle_overdue, every_seconds=5),
        Job("purchases forget", purchases.forget_old, every_seconds=3600),
    ]
