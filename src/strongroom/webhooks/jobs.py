"""Names the work on webhooks."""

from __future__ import annotations

from strongroom.kit.jobs import Job
from strongroom.webhooks.deliveries import Deliveries
from strongroom.webhooks.events import Sequencer


def jobs(sequencer: Sequencer, deliveries: Deliveries) -> list[Job]:
    """Return the jobs; call `deliveries.finish()` when the runner has stopped."""
    return [
        Job("webhooks sequence", sequencer.run, every_seconds=0.5, woken_by_notify=True),
        Job("webhooks deliver", deliveries.send_due, every_seconds=0.25, woken_by_notify=True),
        Job("webhooks purge", sequencer.forget_old, every_seconds=3600),
    ]
