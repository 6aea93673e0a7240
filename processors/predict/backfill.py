"""Predict's other lane: `camera.image.backfilled.v1` in, behind live photographs wherever the two meet.

In Triton's queue its requests have the lower priority; few are there at once, because a live one still waits for the
batch that is being computed and shares the next one; and the processor is left to whoever wants it. How many wait
does not matter to the live lane: another process with another group reads that.
"""

import os

from uncia.events import Lane
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.predict.worker import create_lane
from uncia.settings import Settings

NICENESS = 10
"""What decodes here gets a tenth of a core while the live lane decodes, and all of it otherwise."""


def create(settings: Settings) -> WorkerApp:
    """The app of the backfill lane's worker. Lowers the priority of this process."""
    os.nice(NICENESS)
    # Beside those that Triton has, as many as the threads can read meanwhile.
    asked = settings.backfill_at_once
    return create_lane(settings, Lane.BACKFILL, at_once=asked + settings.decode_threads, asked_at_once=asked)
