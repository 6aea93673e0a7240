"""Alerts: verdicts, photographs, reports and ticks in, `camera.alert.raised.v1` out, by the rules of a file.

For each batch the states are written and confirmed first, with the alerts that follow from them (`state_store`), then
the alerts are sent and confirmed, then the batch is acknowledged. A crash in between publishes the same alerts, perhaps
a second time, with the same ids and revisions, on a compacted topic.

Silence is judged at ticks that arrive through a topic, as bursts close: the table may be written in the partition of
the current event only, and what a worker has not read yet is no silence (`contact_order`).
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP

from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import PermanentError, SettingsError
from uncia.events import BurstResolved, ClockTicked, ImagePredicted
from uncia.kafka.partitioning import partition_of
from uncia.processors.alerts.contact_order import ContactOrder
from uncia.processors.alerts.rule_file import read_rules
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.silence import is_contact
from uncia.processors.alerts.state_store import TABLE
from uncia.processors.alerts.tracker import AlertTracker, AlertUpdate
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic, faust_topics
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.consumer import start_positions
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.processors.yaml_positions import refuse_emptied
from uncia.settings import Settings
from uncia.storage.file_stamp import file_stamp
from uncia.topics import ALERT_RAISED, BURST_RESOLVED, CLOCK_TICKED, IMAGE_PREDICTED, STATUS_REPORTED

BATCH = 256
BATCH_WAIT_S = 0.05
"""Poll interval of the stream buffer, in seconds."""

TICK_S = 60.0
_BETWEEN_TICKS = timedelta(seconds=TICK_S / 2)
"""Seconds between ticks: silence is a matter of hours."""
MAX_CLOCK_LEAD = timedelta(minutes=10)
"""How far a tick may be ahead of this machine's clock."""

log = structlog.get_logger("uncia")


class AlertsWorker:
    """The loop: read a batch, apply the rules, publish alerts, write the states, acknowledge."""

    def __init__(self, app: WorkerApp, settings: Settings, rules: "WatchedRules", deployments: Deployments) -> None:
        self._app = app
        self._rules = rules
        self._alerts = faust_topic(app, settings, ALERT_RAISED)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._tracker = AlertTracker(self._table.data, rules.current())
        self._deployments = deployments
        self._partitions = settings.partitions
        self._verdicts, self._ticked = BURST_RESOLVED.full_name(settings), CLOCK_TICKED.full_name(settings)
        self._predicted, self._reports = IMAGE_PREDICTED.full_name(settings), STATUS_REPORTED.full_name(settings)
        self._ticks = faust_topic(app, settings, CLOCK_TICKED)
        self._orders: dict[int, ContactOrder] = {}
        self._generation: int | None = None

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def send_ticks(self) -> None:
        """Send a tick to each partition, where a rule is about silence, or an alert of a rule that was."""
        if not (self._rules.current().silence or self._tracker.judges_silence):
            return
        now = datetime.now(UTC)
        try:
            # The clock was read before the end of the log, as in the worker `bursts`.
            for tp, end in (await self._app.consumer.highwaters(*self._assigned(self._predicted))).items():
                tick = ClockTicked(partition=tp.partition, now=now, position=end or 0)
                await self._ticks.send(key=None, value=tick.to_bytes(), partition=tp.partition, force=True)
        except (KafkaError, FaustError) as error:
            log.debug("tick_not_sent", error=str(error))

    def _assigned(self, topic: str) -> list[TP]:
        return [tp for tp in self._app.consumer.assignment() if tp.topic == topic]

    async def _process(self, events: Sequence[faust.Event]) -> None:
        self._tracker.rules = self._rules.current()
        await self._start(events[0].message.generation_id)
        for event in events:
            message = event.message
            try:
                if message.topic == self._verdicts and event.value:
                    self._add(BurstResolved.from_bytes(event.value), message)
                elif message.topic == self._ticked and self._tracker.judges_silence:
                    await self._receive_tick(ClockTicked.from_bytes(event.value), message.partition)
                elif message.topic in (self._predicted, self._reports):
                    self._hear(message)
            except PermanentError as error:
                # Only Uncia writes these topics; what a newer version writes is none of this worker's business.
                log.warning("verdict_invalid", reason=error.reason, topic=message.topic, offset=message.offset)
        updates = self._tracker.take_updates()
        finish = (self._finish(name, one, partition_of(name, self._partitions)) for name, one in updates.items())
        await asyncio.gather(*finish)

    def _add(self, burst: BurstResolved, message: Any) -> None:
        deployment = None
        if self._tracker.rules.drift_at(burst.camera):
            deployment = self._deployments.at(burst.camera, datetime.fromtimestamp(message.timestamp, UTC))
        self._tracker.add(burst, message.offset, message.timestamp, deployment)

    async def _start(self, generation: int) -> None:
        if self._generation == generation:
            return
        self._tracker.restart()
        self._orders = {}
        for topic in (self._predicted, self._reports):
            for number, offset in (await start_positions(self._app.consumer, self._assigned(topic))).items():
                self._order(number).read[topic] = offset
        self._generation = generation

    def _order(self, partition: int) -> ContactOrder:
        return self._orders.setdefault(partition, ContactOrder())

    def _hear(self, message: Any) -> None:
        # The time of a report is that of its producer, whose clock can be ahead of ours.
        camera, at = (message.key or b"").decode(errors="replace"), min(message.timestamp, time.time())
        is_own = bool(camera) and partition_of(camera, self._partitions) == message.partition
        # Decoded only where it counts: once in ten minutes of a camera.
        is_news = is_own and self._tracker.is_news(camera, at)
        if is_news and (message.topic != self._predicted or is_contact(message.value)):
            self._tracker.hear(camera, at)
        if is_own and message.topic == self._predicted and self._tracker.rules.moved_at(camera):
            self._compare(message, camera, at)
        if (now := self._order(message.partition).complete(message.topic, message.offset)) is not None:
            self._judge(message.partition, now)

    def _compare(self, message: Any, camera: str, at: float) -> None:
        try:
            photograph = ImagePredicted.from_bytes(message.value)
            if photograph.camera == camera:
                deployment = self._deployments.at(camera, datetime.fromtimestamp(at, UTC))
                self._tracker.compare(photograph, deployment, message.offset, at)
        except PermanentError as error:
            # It counts for the ticks nevertheless.
            log.warning("photograph_invalid", reason=error.reason, topic=message.topic, offset=message.offset)

    async def _receive_tick(self, tick: ClockTicked, partition: int) -> None:
        if tick.now > datetime.now(UTC) + MAX_CLOCK_LEAD or tick.partition != partition:
            raise PermanentError("wrong-time", f"a tick of {tick.now} for partition {tick.partition}")
        order = self._order(partition)
        # The worker `bursts` sends one each second.
        if not order.wants(tick.now, _BETWEEN_TICKS):
            return
        contacts = [tp for topic in (self._predicted, self._reports) for tp in self._assigned(topic)]
        try:
            highwaters = await self._app.consumer.highwaters(*(tp for tp in contacts if tp.partition == partition))
        except (KafkaError, FaustError) as error:
            # Another tick comes.
            log.debug("tick_not_used", error=str(error))
            return
        ends = {tp.topic: end or 0 for tp, end in highwaters.items()}
        # A position beyond the end, of a topic that was created again, would be waited for in vain.
        ends[self._predicted] = min(tick.position, ends.get(self._predicted, tick.position))
        if (now := order.receive(tick.now, ends)) is not None:
            self._judge(partition, now)

    def _judge(self, partition: int, now: datetime) -> None:
        expected = self._deployments.cameras() if self._tracker.rules.silence else ()
        for camera in dict.fromkeys((*expected, *sorted(self._tracker.silent_cameras()))):
            if partition_of(camera, self._partitions) == partition:
                self._tracker.tick(camera, self._deployments.at(camera, now), now)

    async def _finish(self, camera: str, update: AlertUpdate, partition: int) -> None:
        key = camera.encode()
        if update.events:
            await self._table.write(partition, key, update.outbox)
        for alert in update.events:
            log.info("alert", alert_id=alert.alert_id, revision=alert.revision, state=alert.state, rule=alert.rule)
            try:
                await send(self._alerts, key=alert.alert_id.encode(), value=alert.to_bytes(), partition=partition)
            except PermanentError as error:
                log.error("alert_too_large", alert_id=alert.alert_id, error=str(error))
        state = update.state
        if update.events and state is not None:
            # Where this is lost, the events are published again after the next start.
            await self._table.queue(partition, key, state)
        elif state is not None or self._tracker.has_state(camera):
            await self._table.write(partition, key, state)


class WatchedRules:
    """The rules of a file, read again when it changes. A mistake in a later version leaves the earlier one in force."""

    def __init__(self, path: Path | None, taxonomy: Taxonomy) -> None:
        """Raises `SettingsError` for a file that cannot be used."""
        self._path = path
        self._taxonomy = taxonomy
        self._seen = self._stamp()
        self._index = self._read()

    def current(self) -> RuleIndex:
        """The rules as the file is now."""
        if (stamp := self._stamp()) != self._seen:
            self._seen = stamp
            try:
                # To remove all rules, write `rules: []`.
                if self._path is not None:
                    refuse_emptied(self._path)
                self._index = self._read()
                log.info("alert_rules_read", rules=len(self._index.rules))
            except SettingsError as error:
                log.error("alert_rules_not_read", error=str(error))
        return self._index

    def _read(self) -> RuleIndex:
        if self._path is None:
            return RuleIndex((), self._taxonomy)
        found = read_rules(self._path, self._taxonomy)
        for warning in found.warnings:
            log.warning("alert_rule_doubtful", at=str(warning))
        return RuleIndex(found.rules, self._taxonomy)

    def _stamp(self) -> tuple[int, int, int] | None:
        return file_stamp(self._path) if self._path else None


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Raises `SettingsError` for rules that cannot be used."""
    app = create_app("alerts", settings, stream_buffer_maxsize=2 * BATCH)
    rules = WatchedRules(settings.alert_rules, Taxonomy.load(settings.taxonomy_file))
    worker = AlertsWorker(app, settings, rules, DeploymentReader(settings).start())
    inputs = (BURST_RESOLVED, IMAGE_PREDICTED, STATUS_REPORTED, CLOCK_TICKED)
    app.agent(faust_topics(app, [topic.full_name(settings) for topic in inputs]), name="alerts")(worker.run)
    app.timer(TICK_S)(worker.send_ticks)
    return app
