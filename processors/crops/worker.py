"""Crops: `camera.burst.resolved.v1` in, `camera.crop.published.v1` and JPEGs in the store out.

A person anywhere in a burst withholds all its crops, so none can be published before the burst is settled: hence a
worker of its own behind the bursts, off the path of live photographs, with low priority. It reads a photograph a
second time, which the live path never does, and only for bursts with an animal. Provisional verdicts are skipped.

It has no state: what was published is in a manifest next to the crops (`publication` has the order of the writes). A
burst is acknowledged when its crops are in the store and their events confirmed.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence

import faust
import structlog

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus, CropPublished
from uncia.processors.crops.publication import CropPublisher
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.object_errors import warn_if_bucket_unreadable
from uncia.settings import Settings
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED

BATCH = 16
BATCH_WAIT_S = 0.5
"""Poll interval of the stream buffer, in seconds."""

NICENESS = 10
READ_TIMEOUT_S = 10.0

log = structlog.get_logger("uncia")


class CropsWorker:
    """The agent: bursts of several cameras at a time, those of one camera in their order."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._crops = faust_topic(app, settings, CROP_PUBLISHED)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        store = ObjectStore(self._settings, timeout_s=READ_TIMEOUT_S, attempts=1)
        await asyncio.to_thread(warn_if_bucket_unreadable, store, self._settings.bucket)
        publisher = CropPublisher(self._settings, store, self._publish)

        async def process(events: Sequence[faust.Event]) -> None:
            await self._process(events, publisher)

        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, process)

    async def _process(self, events: Sequence[faust.Event], publisher: CropPublisher) -> None:
        by_camera: dict[str, list[BurstResolved]] = defaultdict(list)
        for event in events:
            if event.value is None:
                continue  # A tombstone of the compacted topic.
            try:
                burst = BurstResolved.from_bytes(event.value)
            except PermanentError as error:
                # No dead letter: sent back, an old revision would take the place of a newer one when the topic is
                # compacted.
                log.error("burst_invalid", reason=error.reason, error=str(error), offset=event.message.offset)
                continue
            if burst.status is not BurstStatus.PROVISIONAL:
                by_camera[burst.camera].append(burst)
        await asyncio.gather(*(self._apply(bursts, publisher) for bursts in by_camera.values()))

    async def _apply(self, bursts: Sequence[BurstResolved], publisher: CropPublisher) -> None:
        for burst in bursts:
            try:
                await publisher.apply(burst)
            except PermanentError as error:
                log.error("crops_not_published", burst_id=burst.burst_id, camera=burst.camera, error=str(error))

    async def _publish(self, crop: CropPublished) -> None:
        await send(self._crops, key=crop.camera.encode(), value=crop.to_bytes())


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Lowers the priority of this process."""
    os.nice(NICENESS)
    app = create_app("crops", settings)
    worker = CropsWorker(app, settings)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="crops")(worker.run)
    return app
