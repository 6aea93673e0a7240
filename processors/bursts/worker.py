"""Bursts: `camera.image.predicted.v1` and ticks in, `camera.burst.resolved.v1` and `camera.frame.late.v1` out.

What a `kill -9` finds, at any point: Faust commits an offset some time after its acknowledgement and acknowledges
nothing by itself here, so the input of everything below is read again. The changelog is written by confirmed sends
(`runtime.table`), and in this order:

1. the heads of all cameras of the batch, with intent and outbox, confirmed;
2. the records of their bursts and the results, confirmed;
3. the empty heads, queued: one that is lost costs a repetition;
4. the acknowledgement.

Before 1 is confirmed nothing was said; after it, the outbox is sent again by the next run (`records`).

A table may be written in the partition of the event at hand only. A tick is in the partition of its cameras, since
all camera topics have one partition count and one partitioner: this is why closing waits for a tick that comes in
by a topic and is not done by the timer that makes it.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.errors import PermanentError
from uncia.events import BurstResolved, ClockTicked, ImagePredicted
from uncia.processors.bursts.config import BurstRules, Overrides, OverridesOf, no_overrides
from uncia.processors.bursts.engine import Desk, Page
from uncia.processors.bursts.label_sets import LabelSets
from uncia.processors.bursts.stacked_ensemble import stacked_model
from uncia.processors.bursts.state_store import CHANGELOG, TABLE
from uncia.processors.bursts.verdict import Verdicts
from uncia.processors.faust_runtime import metrics
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.batches import settle_in_batches
from uncia.processors.faust_runtime.dead_letters import DeadLetters
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.state_table import Records
from uncia.serving.model_card import read_active_card
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CLOCK_TICKED, FRAME_LATE, IMAGE_PREDICTED, Topic

BATCH, WITHIN_S = 64, 0.1
"""Faust looks into its buffer so often, full or empty: at 0.02 that was most of an idle worker's work."""

MOST_AHEAD = timedelta(minutes=10)
"""How far this machine's clock, which ticks carry, may be ahead of the broker's, which writes down when they came."""

log = structlog.get_logger("uncia")


def own_topics(_: Settings) -> tuple[Topic, ...]:
    """The changelog of the cameras' states."""
    return (CHANGELOG,)


def overrides_of(deployments: Deployments) -> OverridesOf:
    """What each camera's deployment sets otherwise at the time of a capture."""

    def at(camera: str, taken: datetime) -> Overrides | None:
        place = deployments.at(camera, taken.replace(tzinfo=None))
        if place is None or (place.burst_gap_s, place.burst_idle_s, place.burst_lateness_s) == (None, None, None):
            return None
        return Overrides(gap_s=place.burst_gap_s, idle_s=place.burst_idle_s, lateness_s=place.burst_lateness_s)

    return at


def make_desk(
    settings: Settings, labels: LabelSets, records: Mapping[bytes, bytes], overrides: OverridesOf = no_overrides
) -> Desk:
    """The desk of these settings. Raises `SettingsError` for a wrong model file of the ensemble."""
    stacked = stacked_model(settings, labels.find)
    rules = BurstRules.of(settings, stacked.digest if stacked else "")
    verdicts = Verdicts(rules, labels.name, stacked.ensemble() if stacked else None, labels.calibration)
    return Desk(rules, verdicts, records, settings.partitions, overrides)


class Bursts:
    """The loop: read a batch, apply it, write it, say it, acknowledge it."""

    def __init__(self, app: WorkerApp, settings: Settings, labels: LabelSets, overrides: OverridesOf) -> None:
        self._app = app
        self._predicted = IMAGE_PREDICTED.full_name(settings)
        self._results = faust_topic(app, settings, BURST_RESOLVED)
        self._late = faust_topic(app, settings, FRAME_LATE)
        self._ticks = faust_topic(app, settings, CLOCK_TICKED)
        self._dead_letters = DeadLetters(app, settings)
        self._records = Records(app, TABLE, settings.partitions)
        self._desk = make_desk(settings, labels, self._records.data, overrides)
        self._generation: int | None = None

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """The agent."""
        await settle_in_batches(self._app, stream, BATCH, WITHIN_S, self._settle)

    async def tick(self) -> None:
        """Say in each partition where somebody waits for it that time has passed."""
        if self._generation != self._app.consumer_generation_id:
            # Before the first event of an assignment nobody knows who waits: one tick to every partition.
            wanted = self._assigned()
            now = datetime.now(UTC)
        else:
            now = datetime.now(UTC)
            wanted = [tp for tp in self._assigned() if self._desk.wants_tick(tp.partition, now)]
        try:
            # The clock was read before the end of the log: what is written after that end is written after `now`.
            ends = await self._app.consumer.highwaters(*wanted) if wanted else {}
            for tp, end in ends.items():
                tick = ClockTicked(partition=tp.partition, now=now, position=end or 0)
                await self._ticks.send(key=None, value=tick.to_bytes(), partition=tp.partition, force=True)
        except (KafkaError, FaustError) as error:
            log.debug("no tick this time", error=str(error))

    def _assigned(self) -> list[TP]:
        return [tp for tp in self._app.consumer.assignment() if tp.topic == self._predicted]

    async def _settle(self, events: list[faust.Event]) -> None:
        generation = events[0].message.generation_id
        if self._generation != generation:
            self._desk.start(await self._positions())
            self._generation = generation
        for event in events:
            await self._apply(event)
        await self._carry_out(self._desk.pages())

    async def _apply(self, event: faust.Event) -> None:
        message = event.message
        frame = message.topic == self._predicted
        try:
            if frame:
                logged_at = datetime.fromtimestamp(message.timestamp, UTC)
                self._desk.frame(message.partition, message.offset, ImagePredicted.from_bytes(event.value), logged_at)
            else:
                tick = ClockTicked.from_bytes(event.value)
                await self._check(tick, message)
                self._desk.tick(tick)
        except PermanentError as error:
            await self._dead_letters.put(event, error, "bursts")
            if frame:
                self._desk.passed(message.partition, message.offset)

    async def _carry_out(self, pages: list[Page]) -> None:
        write = self._records.write
        await asyncio.gather(*(write(page.partition, *page.writes.intent) for page in pages))
        await asyncio.gather(
            *(write(page.partition, *record) for page in pages for record in page.writes.settle.items()),
            *(self._publish(burst_id, result, page.partition) for page in pages for burst_id, result in page.outbox),
            *(self._publish_late(page.camera, late, page.partition) for page in pages for late in page.late),
        )
        for page in pages:
            metrics.LATE_FRAMES.inc(len(page.late))
            await self._records.queue(page.partition, *page.writes.clear)

    async def _publish(self, burst_id: bytes, result: bytes, partition: int) -> None:
        try:
            await send(self._results, key=burst_id, value=result, partition=partition)
        except PermanentError as error:
            # Of a topic with a smaller limit than ours: the verdict without its frames is better than none.
            log.error("a burst is too large to be published with its frames", burst_id=burst_id, error=str(error))
            try:
                bare = BurstResolved.from_bytes(result).truncated_to(0).to_bytes()
                await send(self._results, key=burst_id, value=bare, partition=partition)
            except PermanentError as again:
                log.error("a burst cannot be published", burst_id=burst_id, error=str(again))

    async def _publish_late(self, camera: str, late: bytes, partition: int) -> None:
        try:
            await send(self._late, key=camera.encode(), value=late, partition=partition)
        except PermanentError as error:
            log.error("a late frame cannot be published", camera=camera, error=str(error))

    async def _check(self, tick: ClockTicked, message: Any) -> None:
        """Raises `PermanentError` for a tick that cannot be ours: it would close bursts early, or hold up the next."""
        if tick.partition != message.partition:
            raise PermanentError("wrong-partition", f"a tick of partition {tick.partition}")
        if tick.now > datetime.fromtimestamp(message.timestamp, UTC) + MOST_AHEAD:
            raise PermanentError("wrong-time", f"a tick of {tick.now}, written before that")
        tp = TP(self._predicted, tick.partition)
        with contextlib.suppress(KafkaError, FaustError):
            if tick.position > (self._app.consumer.highwater(tp) or 0):
                # What the consumer knows may be older than the tick: the broker knows.
                end = (await self._app.consumer.highwaters(tp)).get(tp) or 0
                if tick.position > end:
                    raise PermanentError("wrong-position", f"a tick after {tick.position}; the log ends at {end}")

    async def _positions(self) -> dict[int, int]:
        """The next offset of each partition that was assigned: where this group had got to, or where the log begins."""
        assigned = self._assigned()
        begins: dict[TP, int | None] = await self._app.consumer.earliest_offsets(*assigned)
        # Faust notes here what it sought to at the start of the assignment; it has no public way to ask.
        committed: Any = self._app.consumer._committed_offset
        return {tp.partition: max(begins.get(tp) or 0, committed[tp] or 0) for tp in assigned}


def create(settings: Settings) -> WorkerApp:
    """The worker's app."""
    app = create_app("bursts", settings, stream_buffer_maxsize=2 * BATCH)
    Lease(app.conf.broker_session_timeout).guard(app)
    # Not to use it: a repository without a model is told now, and not by verdicts without names.
    read_active_card(settings)
    labels = LabelSets(settings.model_repository)
    bursts = Bursts(app, settings, labels, overrides_of(DeploymentReader(settings).start()))
    inputs = faust_topics(app, [topic.full_name(settings) for topic in (IMAGE_PREDICTED, CLOCK_TICKED)])
    app.agent(inputs, name="bursts")(bursts.run)
    app.timer(settings.tick_s)(bursts.tick)
    return app
