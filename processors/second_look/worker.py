"""Second look: `camera.second-look.requested.v1` in, `camera.second-look.completed.v1` out, at the lowest priority.

The second agent follows `camera.burst.resolved.v1` and requests second looks at inconclusive bursts, at a bounded rate.
A request is committed when its result is confirmed. Both agents remember what they did in memory only: after a crash a
burst may be requested, or a request carried out, once more, and the same result changes nothing.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import faust
import structlog

from uncia.camtrap.presence import load_presence_model
from uncia.errors import PermanentError
from uncia.events import SecondLookRequested
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.hourly_budget import HourlyBudget
from uncia.processors.faust_runtime.object_errors import warn_if_bucket_unreadable
from uncia.processors.faust_runtime.verdicts import verdict_of
from uncia.processors.predict.live_model import LiveDetector, LiveModel
from uncia.processors.predict.recent_ids import RecentIds
from uncia.processors.second_look.selection import Inconclusive, build_request
from uncia.processors.second_look.tiled_detection import TiledDetection
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, key_problem
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, SECOND_LOOK_COMPLETED, SECOND_LOOK_REQUESTED

NICENESS = 15
"""Below the backfill lane: decoding and scaling take what the other workers leave."""

REQUEST_WAIT_S = 0.5
BURSTS = 64
BURSTS_WAIT_S = 1.0
"""Poll intervals of the stream buffers, in seconds."""

_READ_TIMEOUT_S = 10.0
_RECENT_BURSTS = 20_000

log = structlog.get_logger("uncia")


class SecondLookWorker:
    """The two agents. Requests are carried out one at a time, in the order of their topic."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._results = faust_topic(app, settings, SECOND_LOOK_COMPLETED)
        self._requests = faust_topic(app, settings, SECOND_LOOK_REQUESTED)
        self._bursts = BURST_RESOLVED.full_name(settings)
        self._dead_letters = DeadLetters(app, settings)
        self._requested = RecentIds(_RECENT_BURSTS)
        self._budget = HourlyBudget(settings.second_looks_per_hour, settings.partitions, time.monotonic)
        threshold = settings.animal_threshold
        if threshold is None:
            threshold = load_presence_model(settings.presence_model).threshold
        self._inconclusive = Inconclusive(threshold, settings.second_look_within, settings.second_look_taxa)
        self._store = ObjectStore(settings, max_connections=2, timeout_s=_READ_TIMEOUT_S, attempts=1)
        self._detection = TiledDetection(settings, LiveModel(settings), LiveDetector(settings), self._store)

    async def look(self, stream: faust.StreamT[bytes]) -> None:
        """Carry out the requests; the first agent of the app."""
        await asyncio.to_thread(warn_if_bucket_unreadable, self._store, self._settings.bucket)

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._carry_out(event)

        try:
            await process_batches(self._app, stream, 1, REQUEST_WAIT_S, process)
        finally:
            await self._detection.close()

    async def follow(self, stream: faust.StreamT[bytes]) -> None:
        """Follow the verdicts; the second agent of the app."""

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._consider(event)

        await process_batches(self._app, stream, BURSTS, BURSTS_WAIT_S, process)

    async def _carry_out(self, event: faust.Event) -> None:
        try:
            request = SecondLookRequested.from_bytes(event.value)
            for key in (frame.key for frame in request.frames):
                if problem := key_problem(key):
                    raise PermanentError("key-unusable", f"the key {displayable_key(key)} {problem}")
            result = await self._detection.complete(request)
            await send(self._results, key=result.camera.encode(), value=result.to_bytes())
        except PermanentError as error:
            await self._dead_letters.put(event, error, "second-look")
            return
        rejected = sorted({frame.rejection.reason for frame in result.frames if frame.rejection})
        log.info(
            "second_look_completed",
            second_look_id=result.second_look_id,
            burst_id=result.burst_id,
            camera=result.camera,
            frames=len(result.frames),
            seconds=result.seconds,
            rejected=rejected or None,
        )

    async def _consider(self, event: faust.Event) -> None:
        """Request a second look at an inconclusive burst."""
        if not self._settings.second_looks_per_hour or (burst := verdict_of(event)) is None:
            return
        reason = self._inconclusive.reason(burst)
        if reason is None or burst.burst_id in self._requested:
            return
        now, lateness = datetime.now(UTC), timedelta(seconds=self._settings.burst_lateness_s)
        request = build_request(burst, reason, self._settings.second_look_frames, lateness, now)
        too_late = request is not None and request.useful_until is not None and request.useful_until < now
        if request is None or too_late or not self._budget.take(self._app.partitions_of(self._bursts)):
            return
        self._requested.add(burst.burst_id)
        log.info("second_look_requested", burst_id=burst.burst_id, camera=burst.camera, reason=reason.value)
        await send(self._requests, key=request.camera.encode(), value=request.to_bytes())


def create(settings: Settings) -> WorkerApp:
    """Create the app of the worker, and lower the priority of this process. Raises `SettingsError` without a model."""
    os.nice(NICENESS)
    app = create_app("second-look", settings)
    worker = SecondLookWorker(app, settings)
    app.agent(faust_topic(app, settings, SECOND_LOOK_REQUESTED), name="second-look")(worker.look)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="second-look-bursts")(worker.follow)
    return app
