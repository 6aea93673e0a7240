"""Predict's other lane: `camera.image.backfilled.v1` in, behind live photographs wherever the two meet.

In Triton's queue its requests have the lower priority; few are in work at once, so that a live one finds at most those
few before it, whatever the queue is like; and the processor is left to whoever wants it. How many wait does not matter
to the live lane: another process with another group reads that.
"""

import os

from processors.predict.worker import create_lane
from processors.runtime.app import WorkerApp
from uncia.events import Lane
from uncia.settings import Settings

NICENESS = 10
"""What decodes here gets a tenth of a core while the live lane decodes, and all of it otherwise."""


def create(settings: Settings) -> WorkerApp:
    """The app of the backfill lane's worker. Lowers the priority of this process."""
    os.nice(NICENESS)
    return create_lane(settings, Lane.BACKFILL, at_once=settings.backfill_at_once)
