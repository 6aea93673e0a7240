"""Bursts: `camera.image.predicted.v1`, second looks, reviews, orders and ticks in; `camera.burst.resolved.v1` and
`camera.frame.late.v1` out.

What a `kill -9` leaves behind, at any point: Faust commits an offset some time after its acknowledgement, and nothing
is acknowledged automatically here, so the input of everything below is read again. The changelog is written by
confirmed sends (`faust_runtime.state_table`), and in this order:

1. the camera records of all cameras of the batch, with intent and outbox, confirmed;
2. the records of their bursts and the results, confirmed;
3. the camera records without intent and outbox, queued: one that is lost costs a repetition;
4. the acknowledgement.

Before 1 is confirmed nothing was published; after it, the outbox is sent again by the next run (`state_store`).

A table may be written in the partition of the current event only. A tick is in the partition of its cameras, since
all camera topics have the same partition count and partitioner: this is why closing waits for a tick that arrives
through a topic and is not done by the timer that makes it.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.errors import PermanentError
from uncia.events import (
    BurstResolved,
    ClockTicked,
    ImagePredicted,
    ObservationReviewed,
    SecondLookCompleted,
    StaticObjectsCleared,
)
from uncia.processors.bursts.config import BurstConfig, BurstOverrides, OverridesLookup, no_overrides
from uncia.processors.bursts.engine import BurstEngine, CameraUpdate
from uncia.processors.bursts.label_sets import LabelSets
from uncia.processors.bursts.stacked_ensemble import configured_stacked_model
from uncia.processors.bursts.state_store import TABLE
from uncia.processors.bursts.verdict import VerdictBuilder
from uncia.processors.bursts.verdict_sources import verdict_sources
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.consumer import start_positions
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.serving.model_card import read_active_card
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CLOCK_TICKED,
    FRAME_LATE,
    IMAGE_PREDICTED,
    OBSERVATION_REVIEWED,
    SECOND_LOOK_COMPLETED,
    STATIC_OBJECTS_CHANGED,
    STATIC_OBJECTS_CLEARED,
)

BATCH = 512
"""Messages processed together where so many wait. Each camera of a batch is written once, and of its provisional
verdicts on a burst only the last one is published. With 64, a backlog wrote four times as many records."""
BATCH_WAIT_S = 0.1
"""Poll interval of the stream buffer, in seconds; 0.02 caused most of the CPU use of an idle worker."""

MAX_CLOCK_LEAD = timedelta(minutes=10)
"""How far this machine's clock, which sets the time of ticks, may be ahead of the broker's, which stamps messages."""

log = structlog.get_logger("uncia")


def overrides_lookup(deployments: Deployments) -> OverridesLookup:
    """The overrides of each camera's deployment at the time of a capture."""

    def overrides_at(camera: str, captured_at: datetime) -> BurstOverrides | None:
        deployment = deployments.at(camera, captured_at.replace(tzinfo=None))
        if deployment is None:
            return None
        gap_s, idle_s, lateness_s = deployment.burst_gap_s, deployment.burst_idle_s, deployment.burst_lateness_s
        if (gap_s, idle_s, lateness_s) == (None, None, None):
            return None
        return BurstOverrides(gap_s=gap_s, idle_s=idle_s, lateness_s=lateness_s)

    return overrides_at


def make_engine(
    settings: Settings, labels: LabelSets, records: Mapping[bytes, bytes], overrides: OverridesLookup = no_overrides
) -> BurstEngine:
    """The engine with these settings. Raises `SettingsError` for an invalid model file of the ensemble."""
    stacked = configured_stacked_model(settings, labels.find)
    sources = verdict_sources(settings)
    config = BurstConfig.from_settings(settings, stacked.digest if stacked else "", sources.digest)
    ensemble = stacked.ensemble() if stacked else None
    verdicts = VerdictBuilder(config, labels.class_name, ensemble, labels.calibration, sources)
    return BurstEngine(config, verdicts, records, settings.partitions, overrides)


class BurstsWorker:
    """The loop: read a batch, apply it, write and publish its effects, acknowledge it."""

    def __init__(self, app: WorkerApp, settings: Settings, labels: LabelSets, overrides: OverridesLookup) -> None:
        self._app = app
        self._predicted = IMAGE_PREDICTED.full_name(settings)
        self._results = faust_topic(app, settings, BURST_RESOLVED)
        self._late = faust_topic(app, settings, FRAME_LATE)
        self._static = faust_topic(app, settings, STATIC_OBJECTS_CHANGED)
        self._second_looks = SECOND_LOOK_COMPLETED.full_name(settings)
        self._orders = STATIC_OBJECTS_CLEARED.full_name(settings)
        self._reviews = OBSERVATION_REVIEWED.full_name(settings)
        self._ticks = faust_topic(app, settings, CLOCK_TICKED)
        self._dead_letters = DeadLetters(app, settings)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._engine = make_engine(settings, labels, self._table.data, overrides)
        self._generation: int | None = None

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def send_ticks(self) -> None:
        """Send a tick to each partition in which something waits for time to pass."""
        now = datetime.now(UTC)
        wanted = self._assigned()
        # Before the first event of an assignment it is unknown what waits: then every partition gets a tick.
        if self._generation == self._app.consumer_generation_id:
            wanted = [tp for tp in wanted if self._engine.needs_tick(tp.partition, now)]
        try:
            # The clock was read before the end of the log: what is written after that end is written after `now`.
            ends = await self._app.consumer.highwaters(*wanted) if wanted else {}
            for tp, end in ends.items():
                tick = ClockTicked(partition=tp.partition, now=now, position=end or 0)
                await self._ticks.send(key=None, value=tick.to_bytes(), partition=tp.partition, force=True)
        except (KafkaError, FaustError) as error:
            log.debug("tick_not_sent", error=str(error))

    def _assigned(self) -> list[TP]:
        return [tp for tp in self._app.consumer.assignment() if tp.topic == self._predicted]

    async def _process(self, events: Sequence[faust.Event]) -> None:
        generation = events[0].message.generation_id
        if self._generation != generation:
            self._engine.start(await start_positions(self._app.consumer, self._assigned()))
            self._generation = generation
        for event in events:
            await self._apply(event)
        await self._carry_out(self._engine.take_updates())

    async def _apply(self, event: faust.Event) -> None:
        message = event.message
        is_prediction = message.topic == self._predicted
        try:
            if is_prediction:
                logged_at = datetime.fromtimestamp(message.timestamp, UTC)
                prediction = ImagePredicted.from_bytes(event.value)
                self._engine.process_prediction(message.partition, message.offset, prediction, logged_at)
            elif message.topic == self._second_looks:
                second_look = SecondLookCompleted.from_bytes(event.value)
                logged_at = datetime.fromtimestamp(message.timestamp, UTC)
                self._engine.process_second_look(message.partition, second_look, logged_at)
            elif message.topic == self._orders:
                self._engine.process_clear(message.partition, StaticObjectsCleared.from_bytes(event.value))
            elif message.topic == self._reviews:
                self._engine.process_review(message.partition, ObservationReviewed.from_bytes(event.value))
            else:
                tick = ClockTicked.from_bytes(event.value)
                await self._check_tick(tick, message)
                self._engine.process_tick(tick)
        except PermanentError as error:
            await self._dead_letters.put(event, error, "bursts")
            if is_prediction:
                self._engine.skip(message.partition, message.offset)

    async def _carry_out(self, updates: Sequence[CameraUpdate]) -> None:
        write = self._table.write
        await asyncio.gather(*(write(update.partition, *update.writes.intent) for update in updates))
        await asyncio.gather(
            *(write(update.partition, *record) for update in updates for record in update.writes.apply.items()),
            *(
                self._publish(burst_id, result, update.partition)
                for update in updates
                for burst_id, result in update.outbox
            ),
            *(
                self._publish_late(update.camera, late, update.partition)
                for update in updates
                for late in update.late_events
            ),
            *(
                send(self._static, key=update.camera.encode(), value=value, partition=update.partition)
                for update in updates
                for value in update.static_events
            ),
        )
        for update in updates:
            metrics.LATE_FRAMES.inc(len(update.late_events))
            await self._table.queue(update.partition, *update.writes.clear)

    async def _publish(self, burst_id: bytes, result: bytes, partition: int) -> None:
        try:
            await send(self._results, key=burst_id, value=result, partition=partition)
        except PermanentError as error:
            # The topic has a smaller limit than ours: the verdict without its frames is better than none.
            log.error("burst_too_large", burst_id=burst_id, error=str(error), action="published without its frames")
            try:
                bare = BurstResolved.from_bytes(result).truncated_to(0).to_bytes()
                await send(self._results, key=burst_id, value=bare, partition=partition)
            except PermanentError as again:
                log.error("burst_not_published", burst_id=burst_id, error=str(again))

    async def _publish_late(self, camera: str, late: bytes, partition: int) -> None:
        try:
            await send(self._late, key=camera.encode(), value=late, partition=partition)
        except PermanentError as error:
            log.error("late_frame_not_published", camera=camera, error=str(error))

    async def _check_tick(self, tick: ClockTicked, message: Any) -> None:
        """Raise `PermanentError` for a tick that this worker cannot have sent.

        It would close bursts early, or hold up the next tick.
        """
        if tick.partition != message.partition:
            raise PermanentError("wrong-partition", f"a tick of partition {tick.partition}")
        if tick.now > datetime.fromtimestamp(message.timestamp, UTC) + MAX_CLOCK_LEAD:
            raise PermanentError("wrong-time", f"a tick of {tick.now}, written before that")
        tp = TP(self._predicted, tick.partition)
        with contextlib.suppress(KafkaError, FaustError):
            if tick.position > (self._app.consumer.highwater(tp) or 0):
                # The consumer's value may be older than the tick: ask the broker.
                end = (await self._app.consumer.highwaters(tp)).get(tp) or 0
                if tick.position > end:
                    raise PermanentError("wrong-position", f"a tick after {tick.position}; the log ends at {end}")


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Raises `SettingsError` where the repository has no model."""
    app = create_app("bursts", settings, stream_buffer_maxsize=2 * BATCH)
    Lease(app.conf.broker_session_timeout).guard(app)
    # The card is not used: a repository without a model fails here, not by verdicts without class names.
    read_active_card(settings)
    labels = LabelSets(settings.model_repository)
    worker = BurstsWorker(app, settings, labels, overrides_lookup(DeploymentReader(settings).start()))
    inputs = faust_topics(
        app,
        [
            topic.full_name(settings)
            for topic in (
                IMAGE_PREDICTED,
                SECOND_LOOK_COMPLETED,
                STATIC_OBJECTS_CLEARED,
                OBSERVATION_REVIEWED,
                CLOCK_TICKED,
            )
        ],
    )
    app.agent(inputs, name="bursts")(worker.run)
    app.timer(settings.tick_s)(worker.send_ticks)
    return app
