"""Public events: `camera.burst.resolved.v1` in, `public.burst.resolved.v1` out, after a random delay.

For each batch the states are written and confirmed, then the batch is acknowledged. A timer publishes what is due, in a
random order: it writes each state before the event is sent, and again after the event was confirmed. A crash in between
publishes the same event a second time, under the same id, on a compacted topic. Before that it has processed all
verdicts that the topic has by then. The publication ends with the assignment of its partitions: another worker may know
a later verdict.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP

from uncia.camtrap.deployments import DeploymentReader
from uncia.camtrap.public_view import KnownDeployments, public_view
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import PermanentError
from uncia.events import BurstResolved, PublicBurstResolved
from uncia.processors.faust_runtime.app import WorkerApp, create_app, faust_topic
from uncia.processors.faust_runtime.assignment_task import AssignmentTask
from uncia.processors.faust_runtime.batches import process_batches
from uncia.processors.faust_runtime.consumer import start_positions
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.lease import Lease
from uncia.processors.faust_runtime.state_table import StateTable
from uncia.processors.redact.outbox import Entry, begun, changed, earliest_due, ended, is_due, published
from uncia.processors.redact.state_store import TABLE, from_bytes, to_bytes
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, PUBLIC_BURST_RESOLVED

BATCH = 256
BATCH_WAIT_S = 0.05
"""Poll interval of the stream buffer, in seconds."""

PARTITION = 0
"""All public events are in one partition: that of a burst is its camera's."""

_DAY_S = 86_400
_POLL_S = 0.2
_QUIET_S = 10
"""So long nothing arrives, in seconds, where the last offsets of a partition hold no verdict (compacted, expired)."""

log = structlog.get_logger("uncia")


class RedactWorker:
    """The loop: read a batch, write the states, acknowledge; and a timer that publishes what is due."""

    def __init__(
        self,
        app: WorkerApp,
        settings: Settings,
        deployments: KnownDeployments,
        taxa: SensitiveTaxa,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._bursts = BURST_RESOLVED.full_name(settings)
        self._public = faust_topic(app, settings, PUBLIC_BURST_RESOLVED)
        self._table = StateTable(app, TABLE, settings.partitions)
        self._deployments = deployments
        self._taxa = taxa
        self._clock = clock or steady_clock()
        self._due: dict[bytes, float] = {}
        self._generation: int | None = None
        self._next: dict[int, int] = {}
        """By partition, the offset after the last verdict that was processed, here or before the assignment."""
        self._random = random.SystemRandom()
        # A verdict that arrives while its burst is being published must not be overwritten by the older state.
        self._writing = asyncio.Lock()
        self._task = AssignmentTask(app)

    async def run(self, stream: faust.StreamT[bytes]) -> None:
        """Process the stream; the agent of the app."""
        await process_batches(self._app, stream, BATCH, BATCH_WAIT_S, self._process)

    async def publish_due(self) -> None:
        """Publish everything that is due, in a random order; ends early when partitions are revoked."""
        await self._task.run(self._publish_all)

    async def _publish_all(self) -> None:
        now, generation = self._clock(), self._app.consumer_generation_id
        try:
            if self._generation != generation:
                await self._index()
            if not await self._has_read_the_log(generation):
                return
        except (KafkaError, FaustError) as error:
            # Kafka does not answer: the next interval tries again.
            log.debug("publication_postponed", error=str(error))
            return
        due = [key for key, at in self._due.items() if at <= now]
        self._random.shuffle(due)
        for key in due:
            async with self._writing:
                if not self._task.is_of(generation):
                    return
                await self._publish(key, now)

    async def _has_read_the_log(self, generation: int) -> bool:
        """Wait until all verdicts are processed that are on the topic now: a later one may withhold what is due.

        False: the assignment ended meanwhile. Raises `KafkaError` and `FaustError`.
        """
        own = [TP(self._bursts, number) for number in self._app.partitions_of(self._bursts)]
        ends = await self._app.consumer.highwaters(*own)
        progress, quiet_s = dict(self._next), 0.0
        while behind := [tp for tp in own if self._next[tp.partition] < (ends.get(tp) or 0)]:
            if quiet_s >= _QUIET_S and await self._is_past(behind, ends):
                break
            await asyncio.sleep(_POLL_S)
            if not self._task.is_of(generation):
                return False
            # While a batch is written, the next one may wait behind it: the consumer's position then proves nothing.
            is_quiet = progress == self._next and not self._writing.locked()
            quiet_s = quiet_s + _POLL_S if is_quiet else 0.0
            progress = dict(self._next)
        return True

    async def _is_past(self, partitions: Sequence[TP], ends: Mapping[TP, int | None]) -> bool:
        """Whether the consumer reads behind these ends, so that nothing before them is still to come."""
        return all([(await self._app.consumer.position(tp) or 0) >= (ends.get(tp) or 0) for tp in partitions])

    async def _index(self) -> None:
        """Note when each burst of this assignment is due."""
        generation, own = self._app.consumer_generation_id, self._app.partitions_of(self._bursts)
        starts = await start_positions(self._app.consumer, [TP(self._bursts, number) for number in own])
        async with self._writing:
            for partition, offset in starts.items():
                self._next[partition] = max(offset, self._next.get(partition, 0))
            self._due = {}
            for number, key in enumerate(list(self._table.data)):
                entry = self._load(key)
                if entry is not None and entry.partition in own:
                    self._note(key, entry)
                if number % BATCH == 0:
                    # Heartbeats: a million states take a minute.
                    await asyncio.sleep(0)
            self._generation = generation

    def _note(self, key: bytes, entry: Entry | None) -> None:
        if entry is None or entry.due is None:
            self._due.pop(key, None)
        else:
            self._due[key] = entry.due

    async def _write(self, key: bytes, partition: int, entry: Entry | None) -> None:
        await self._table.write(partition, key, None if entry is None else to_bytes(entry))
        self._note(key, entry)

    async def _publish(self, key: bytes, now: float) -> None:
        entry = self._load(key)
        if entry is None or not is_due(entry, now):
            self._note(key, entry)
            return
        event = entry.due_event(self._view)
        if (after := begun(entry, event)) is not entry:
            # What was begun is known to be public even where the clock is an earlier one after a crash.
            await self._write(key, entry.partition, after)
            entry = after
        if entry.withdrawal or entry.begun is not None or event != entry.published:
            # The day, not the second: several events have it.
            stamp = now - now % _DAY_S
            value = event.to_bytes() if event else None
            await send(self._public, key=entry.public_id.encode(), value=value, partition=PARTITION, timestamp=stamp)
        await self._write(key, entry.partition, published(entry, event, now, self._view, self._draw_id, self._draw_due))

    async def _process(self, events: Sequence[faust.Event]) -> None:
        async with self._writing:
            next_offsets = {event.message.partition: event.message.offset + 1 for event in events}
            before: dict[bytes, Entry | None] = {}
            after: dict[bytes, tuple[int, Entry | None]] = {}
            for event in events:
                try:
                    burst = BurstResolved.from_bytes(event.value) if event.value else None
                except PermanentError as error:
                    # Only Uncia writes this topic, perhaps a newer version. What was said before is no longer true.
                    log.warning("verdict_invalid", reason=error.reason, offset=event.message.offset)
                    burst = None
                key = burst.burst_id.encode() if burst else event.message.key or b""
                if key not in before:
                    before[key] = self._load(key)
                _, known = after.get(key) or (0, before[key])
                after[key] = (event.message.partition, self._after(known, burst, event.message))
            writes = (
                self._write(key, partition, entry)
                for key, (partition, entry) in after.items()
                if entry is not before[key]
            )
            await asyncio.gather(*writes)
            self._next |= next_offsets

    def _after(self, entry: Entry | None, burst: BurstResolved | None, message: Any) -> Entry | None:
        if burst is None:
            return ended(entry, message.timestamp)
        return changed(
            entry,
            burst,
            message.partition,
            message.timestamp,
            self._view,
            self._draw_id,
            self._draw_due,
        )

    def _view(self, burst: BurstResolved) -> PublicBurstResolved | None:
        return public_view(burst, self._deployments, self._taxa, cell_cameras=self._settings.public_cell_cameras)

    def _draw_id(self) -> str:
        return secrets.token_hex(16)

    def _draw_due(self, period: str, logged_at: float) -> float:
        delay = self._random.uniform(self._settings.public_delay_least_s, self._settings.public_delay_most_s)
        whole_days = self._settings.public_delay_from_day_end
        return (earliest_due(period, logged_at) if whole_days else logged_at) + delay

    def _load(self, key: bytes) -> Entry | None:
        raw = self._table.data.get(key)
        return None if raw is None else from_bytes(key.decode(), raw)


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970, by the time of now and the time that passes: a jump of the clock makes nothing due early."""
    # It also runs while the machine is suspended, which `time.monotonic` does not.
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    ahead = time.time() - time.clock_gettime(kind)
    return lambda: min(time.time(), ahead + time.clock_gettime(kind))


def create(settings: Settings) -> WorkerApp:
    """Create the worker's app. Raises `SettingsError` for a table of taxa that cannot be used."""
    app = create_app("redact", settings, stream_buffer_maxsize=2 * BATCH)
    Lease(app.conf.broker_session_timeout).guard(app)
    taxa = SensitiveTaxa.load(settings.sensitive_taxa, Taxonomy.load(settings.taxonomy_file))
    worker = RedactWorker(app, settings, DeploymentReader(settings).start(), taxa)
    app.agent(faust_topic(app, settings, BURST_RESOLVED), name="redact")(worker.run)
    app.timer(settings.public_interval_s)(worker.publish_due)
    return app
