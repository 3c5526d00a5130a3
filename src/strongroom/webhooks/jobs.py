"""Names the work on webhooks."""

from __future__ import annotations

from strongroom.kit.jobs import Job
from strongroom.webhooks.deliveries import Deliveries
from strongroom.webhooks.events import Events


def jobs(events: Events, deliveries: Deliveries) -> list[Job]:
    """Return the jobs, which run as the worker's role; call `deliveries.finish()` when the runner has stopped."""
    sequencer = events.sequencer()
    return [
        Job("webhooks sequence", sequencer.run, every_seconds=0.5, woken_by_notify=True),
        Job("webhooks deliver", deliveries.send_due, every_seconds=0.25, woken_by_notify=True),
        Job("webhooks purge", sequencer.forget_old, every_seconds=3600),
    ]
