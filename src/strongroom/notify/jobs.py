"""Names the work on text messages."""

from __future__ import annotations

from strongroom.kit.jobs import Job
from strongroom.notify.sending import Sender
from strongroom.notify.watching import Watch


def jobs(sender: Sender, watch: Watch) -> list[Job]:
    """Return the jobs; call `sender.finish()` when the runner has stopped."""
    return [
        Job("notify send", sender.send_due, every_seconds=1, woken_by_notify=True),
        Job("notify settle", sender.settle, every_seconds=5),
        Job("notify watch", watch.look, every_seconds=60),
        Job("notify purge", sender.forget_old, every_seconds=3600),
    ]
