"""Explain: `camera.explanation.requested.v1` in, `camera.image.explained.v1` out, at the lowest priority.

A request is committed when its event is confirmed; heat map and weights are stored before. Killed in between, the
worker finds the stored weights and publishes their event again: under the same id, with the same content.

The second agent follows `camera.burst.resolved.v1`: it requests explanations of doubtful bursts at a bounded rate, and
withdraws those of bursts in which a person was found later. Such photographs are marked in the store, so that a request
that was sent before the person was found is refused by any process, and after a restart.

Both agents have one Kafka consumer, and one must not wait for the other: explaining takes seconds, and a withdrawal is
urgent. Faust stops reading every topic while it waits for room in the buffer of one; `create` makes that impossible.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import faust
import structlog

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus, ExplanationRequested, ImageExplained
from uncia.processors.explain.explainer import Explainer, object_keys
from uncia.processors.explain.selection import build_request, find_doubt, may_show_person
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.hourly_budget import HourlyBudget
from uncia.processors.faust_runtime.object_errors import warn_if_bucket_unreadable
from uncia.processors.faust_runtime.verdicts import verdict_of
from uncia.processors.predict.live_model import LiveModel
from uncia.processors.predict.recent_ids import RecentIds
from uncia.settings import Settings
from uncia.storage.object_keys import displayable_key, key_problem
from uncia.storage.object_store import ObjectStore
from uncia.topics import BURST_RESOLVED, EXPLANATION_REQUESTED, IMAGE_EXPLAINED

NICENESS = 15
"""Below the backfill lane: segmenting and fitting take what the other workers leave."""

REQUEST_WAIT_S = 0.5
BURSTS = 64
BURSTS_WAIT_S = 1.0
"""Poll intervals of the stream buffers, in seconds."""

MAX_POLL_RECORDS = 16
"""Messages that Faust reads at a time, of all partitions together."""

_READ_TIMEOUT_S = 10.0
_WITHHELD_IMAGES = 20_000

log = structlog.get_logger("uncia")


class ExplainWorker:
    """The two agents. Requests are processed one at a time, in the order of their topic."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._model = LiveModel(settings)
        self._results = faust_topic(app, settings, IMAGE_EXPLAINED)
        self._requests = faust_topic(app, settings, EXPLANATION_REQUESTED)
        self._bursts = BURST_RESOLVED.full_name(settings)
        self._dead_letters = DeadLetters(app, settings)
        self._withheld = RecentIds(_WITHHELD_IMAGES)
        self._budget = HourlyBudget(settings.explanations_per_hour, settings.partitions, time.monotonic)
        self._store = ObjectStore(settings, max_connections=4, timeout_s=_READ_TIMEOUT_S, attempts=1)
        self._explainer = Explainer(settings, self._model, self._store, self._withheld.__contains__)

    async def explain(self, stream: faust.StreamT[bytes]) -> None:
        """Process the requests; the first agent of the app."""
        await asyncio.to_thread(warn_if_bucket_unreadable, self._store, self._settings.bucket)

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._answer(event)

        try:
            await process_batches(self._app, stream, 1, REQUEST_WAIT_S, process)
        finally:
            await self._explainer.close()

    async def follow(self, stream: faust.StreamT[bytes]) -> None:
        """Follow the verdicts; the second agent of the app."""

        async def process(events: Sequence[faust.Event]) -> None:
            for event in events:
                await self._consider(event)

        await process_batches(self._app, stream, BURSTS, BURSTS_WAIT_S, process)

    async def _answer(self, event: faust.Event) -> None:
        try:
            request = ExplanationRequested.from_bytes(event.value)
            for key in (request.key, *object_keys(request)):
                if problem := key_problem(key):
                    raise PermanentError("key-unusable", f"the key {displayable_key(key)} {problem}")
            result = await self._explainer.explain(request)
            await self._publish(result)
        except PermanentError as error:
            await self._dead_letters.put(event, error, "explain")

    async def _publish(self, result: ImageExplained) -> None:
        await send(self._results, key=result.camera.encode(), value=result.to_bytes())
        bound = log.bind(explanation_id=result.explanation_id, image_id=result.image_id, camera=result.camera)
        if result.rejection is not None:
            bound.info("explanation_rejected", reason=result.rejection.reason, error=result.rejection.message)
            return
        bound.info("explained", label=result.label, score=result.score, r2=result.r2, seconds=result.seconds)

    async def _consider(self, event: faust.Event) -> None:
        """Request an explanation of a doubtful burst; withdraw those of a burst with a person."""
        if (burst := verdict_of(event)) is None:
            return
        if may_show_person(burst):
            if self._settings.crops_withheld_by_person and burst.status is not BurstStatus.SUPERSEDED:
                await self._withdraw(burst)
            return
        doubt = find_doubt(burst) if self._settings.explanations_per_hour else None
        if doubt is None or not self._budget.take(self._app.partitions_of(self._bursts)):
            return
        request = build_request(burst, doubt.frame, doubt.reason, self._model.current().card, datetime.now(UTC))
        log.info("explanation_requested", burst_id=burst.burst_id, image_id=request.image_id, reason=doubt.reason.value)
        await send(self._requests, key=request.camera.encode(), value=request.to_bytes())

    async def _withdraw(self, burst: BurstResolved) -> None:
        for frame in burst.frames:
            if frame.image_id in self._withheld:
                continue
            # First remembered, then deleted: what is being explained now is not stored after this.
            self._withheld.add(frame.image_id)
            await self._explainer.withdraw(burst.camera, frame.image_id, self._publish)


def request_buffer(partitions: int) -> int:
    """Size of the buffer of requests, which can never be full.

    At four fifths of it Faust stops reading the partition of each further message: at the least one partition for every
    `MAX_POLL_RECORDS` messages, so that so many more arrive for each partition at the most.
    """
    return 5 * MAX_POLL_RECORDS * (partitions + 1)


def create(settings: Settings) -> WorkerApp:
    """Create the app of the worker, and lower the priority of this process. Raises `SettingsError` without a model."""
    os.nice(NICENESS)
    app = create_app("explain", settings, broker_max_poll_records=MAX_POLL_RECORDS)
    worker = ExplainWorker(app, settings)
    requests = faust_topic(app, settings, EXPLANATION_REQUESTED, buffer=request_buffer(settings.partitions))
    app.agent(requests, name="explain")(worker.explain)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="explain-bursts")(worker.follow)
    return app
