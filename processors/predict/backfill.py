"""Predict's backfill lane: `camera.image.backfilled.v1` in, with lower priority than live photographs.

Its requests have the lower priority in Triton's queue; only few are there at once, because a live request still waits
for the batch that is being computed and shares the next one; and its process yields the CPU to all others. The length
of its backlog does not affect the live lane: another process with another group reads it.
"""

import os

from uncia.events import Lane
from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.predict.worker import LaneOptions, create_lane
from uncia.settings import Settings

NICENESS = 10
"""Decoding gets a tenth of a core while the live lane decodes, and a whole core otherwise."""


def backfill_options(settings: Settings, name: str = "", input_topics: tuple[str, ...] = ()) -> LaneOptions:
    """Options of the backfill lane: besides the requests in Triton, as many photographs as the threads can read."""
    requests = settings.backfill_at_once
    return LaneOptions(Lane.BACKFILL, requests + settings.decode_threads, requests, name, input_topics)


def create(settings: Settings) -> WorkerApp:
    """Create the app of the backfill lane's worker. Lowers the priority of this process."""
    os.nice(NICENESS)
    return create_lane(settings, backfill_options(settings))
