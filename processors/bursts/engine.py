"""Everything between reading a batch and writing its effects: cameras, partition clocks, and who is due when.

No Kafka and no wall clock: the worker passes messages in and carries out the updates that come back. An update is one
camera's change; `state_store` defines the order in which it is written, so that a crash at any point loses nothing.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from uncia.errors import PermanentError
from uncia.events import (
    BurstResolved,
    BurstStatus,
    ClockTicked,
    FrameLate,
    ImagePredicted,
    ObservationReviewed,
    SecondLookCompleted,
    StaticObjectsCleared,
)
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.changes import StateChanges, drop_overtaken_provisionals
from uncia.processors.bursts.config import BurstConfig, OverridesLookup, no_overrides
from uncia.processors.bursts.lifecycle import BurstLifecycle, clear_static
from uncia.processors.bursts.reviews import apply_review
from uncia.processors.bursts.sessions import Sessioniser
from uncia.processors.bursts.state import CameraState
from uncia.processors.bursts.state_store import (
    CameraRecord,
    PlannedWrites,
    camera_key,
    camera_records,
    hidden_name,
    load_state,
    plan_writes,
    second_look_name,
    split_key,
)
from uncia.processors.bursts.tick_order import PartitionClock
from uncia.processors.bursts.verdict import VerdictBuilder

CACHED_CAMERAS = 1000
"""Cameras whose decoded state stays in memory; the others are decoded again when one of their frames arrives."""

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class CameraUpdate:
    """One camera's change: records to write and events to send, both in the camera's partition."""

    camera: str
    partition: int
    writes: PlannedWrites
    outbox: tuple[tuple[bytes, bytes], ...]
    """Burst id and event, in order."""
    late_events: tuple[bytes, ...]
    """Events about late frames."""
    static_events: tuple[bytes, ...] = ()
    """Events about static objects."""


class BurstEngine:
    """The cameras of the partitions that are assigned to this worker.

    `records` is what the changelog restored; the worker keeps it in step with what it writes. Not thread-safe.
    """

    def __init__(
        self,
        config: BurstConfig,
        verdicts: VerdictBuilder,
        records: Mapping[bytes, bytes],
        partitions: int,
        overrides: OverridesLookup = no_overrides,
    ) -> None:
        self._config = config
        self._sessioniser = Sessioniser(config, verdicts)
        self._lifecycle = BurstLifecycle(config, verdicts)
        self._overrides = overrides
        self._records = records
        self._partitions = partitions
        self._states: OrderedDict[str, CameraState] = OrderedDict()
        self._record_names: defaultdict[str, set[str]] = defaultdict(set)
        self._due: defaultdict[int, dict[str, datetime]] = defaultdict(dict)
        self._clocks: dict[int, PartitionClock] = {}
        self._changes: dict[str, StateChanges] = {}

    def start(self, positions: Mapping[int, int]) -> None:
        """Start with the partitions in `positions` (each with its next offset to read), from the records alone.

        Cameras with an unconfirmed outbox are part of the next updates. Raises `StateTooNew`.
        """
        self._states.clear()
        self._record_names.clear()
        self._due.clear()
        self._changes.clear()
        self._clocks = {partition: PartitionClock(offset) for partition, offset in positions.items()}
        for key in self._records:
            camera, name = split_key(key)
            if name is not None:
                self._record_names[camera].add(name)
        for camera, record in camera_records(self._records):
            partition = partition_of(camera, self._partitions)
            if partition not in self._clocks:
                continue
            if record.due is not None:
                self._due[partition][camera] = record.due
            if record.outbox or record.late_outbox or record.static_outbox or record.intent:
                self._resume(camera, record)

    def process_prediction(self, partition: int, offset: int, event: ImagePredicted, logged_at: datetime) -> None:
        """Apply one prediction. Raises `PermanentError` for a message that belongs nowhere; then call `skip`."""
        if "\0" in event.camera or partition_of(event.camera, self._partitions) != partition:
            raise PermanentError("wrong-partition", f"{event.camera!r} does not belong into partition {partition}")
        state = self._state(event.camera)
        overrides = self._overrides(event.camera, event.capture.time)
        changes = self._sessioniser.apply_prediction(state, event, overrides, logged_at)
        for late in changes.late:
            _log_late(late, state.late_count)
        self._record(state, changes)
        self.skip(partition, offset)

    def process_clear(self, partition: int, order: StaticObjectsCleared) -> None:
        """Forget static objects. Raises `PermanentError` for an order that belongs into another partition."""
        if "\0" in order.camera or partition_of(order.camera, self._partitions) != partition:
            raise PermanentError("wrong-partition", f"{order.camera!r} does not belong into partition {partition}")
        if camera_key(order.camera) in self._records or order.camera in self._states:
            state = self._state(order.camera)
            self._record(state, clear_static(state, order, self._config.category))

    def process_review(self, partition: int, review: ObservationReviewed) -> None:
        """Revise the burst of a review. Raises `PermanentError` for one that belongs into another partition."""
        if "\0" in review.camera or partition_of(review.camera, self._partitions) != partition:
            raise PermanentError("wrong-partition", f"{review.camera!r} does not belong into partition {partition}")
        state = self._state(review.camera)
        self._record(state, apply_review(state, review, self._lifecycle))

    def process_second_look(self, partition: int, event: SecondLookCompleted, logged_at: datetime) -> None:
        """Apply second looks. Raises `PermanentError` for an event of another partition, or an invalid one."""
        if "\0" in event.camera or partition_of(event.camera, self._partitions) != partition:
            raise PermanentError("wrong-partition", f"{event.camera!r} does not belong into partition {partition}")
        state = self._state(event.camera)
        self._record(state, self._sessioniser.apply_second_looks(state, event, logged_at))

    def skip(self, partition: int, offset: int) -> None:
        """Mark the message at `offset` as processed; a tick that was deferred until then takes effect."""
        if now := self._clock(partition).complete_frame(offset):
            self._advance_time(partition, now)

    def process_tick(self, tick: ClockTicked) -> None:
        """Apply a tick, or defer it until all frames before its position were processed."""
        if now := self._clock(tick.partition).receive_tick(tick):
            self._advance_time(tick.partition, now)

    def needs_tick(self, partition: int, now: datetime) -> bool:
        """Whether something waits for log time to reach `now`: a deadline, or an outbox after a restart."""
        clock = self._clocks.get(partition)
        if clock is None or clock.deferred is not None:
            return False
        unsent = any(partition_of(camera, self._partitions) == partition for camera in self._changes)
        return unsent or any(due <= now for due in self._due[partition].values())

    def take_updates(self) -> list[CameraUpdate]:
        """All changes since the last call. They count as written from here on."""
        updates = [self._update(camera, changes) for camera, changes in self._changes.items()]
        self._changes.clear()
        while len(self._states) > CACHED_CAMERAS:
            camera, state = self._states.popitem(last=False)
            hidden = set(map(hidden_name, state.hidden))
            looks = set(map(second_look_name, state.second_looks))
            self._record_names[camera] = set(state.bursts_by_id) | state.seen.record_names | hidden | looks
        return updates

    def _update(self, camera: str, changes: StateChanges) -> CameraUpdate:
        state = self._states[camera]
        partition = partition_of(camera, self._partitions)
        due = state.next_due(self._config)
        if due is None:
            self._due[partition].pop(camera, None)
        else:
            self._due[partition][camera] = due
        published = drop_overtaken_provisionals(changes.pending)
        state.outbox += [(pending.burst_id, pending.event.to_bytes()) for pending in published]
        state.late_outbox += [late.to_bytes() for late in changes.late]
        if changes.static is not None:
            state.static_outbox.append(changes.static.to_bytes())
        writes = plan_writes(state, set(changes.changed), changes.removed, due)
        outbox = tuple((burst_id.encode(), event) for burst_id, event in state.outbox)
        late_events = tuple(state.late_outbox)
        static_events = tuple(state.static_outbox)
        state.outbox, state.late_outbox, state.static_outbox = [], [], []
        return CameraUpdate(camera, partition, writes, outbox, late_events, static_events)

    def _advance_time(self, partition: int, now: datetime) -> None:
        for camera in [camera for camera, due in self._due[partition].items() if due <= now]:
            state = self._state(camera)
            self._record(state, self._sessioniser.advance_time(state, now))

    def _record(self, state: CameraState, changes: StateChanges) -> None:
        if changes.empty:
            return
        due = state.next_due(self._config)
        if due is not None:
            self._due[partition_of(state.camera, self._partitions)][state.camera] = due
        for pending in changes.pending:
            if pending.status is not BurstStatus.PROVISIONAL:
                _log_event(pending.event)
        self._changes.setdefault(state.camera, StateChanges()).merge(changes)

    def _resume(self, camera: str, record: CameraRecord) -> None:
        """Plan to write and send again what the last run had decided and did not confirm."""
        changed = {change.id for change in record.intent if change.burst is not None}
        removed = {change.id for change in record.intent if change.removes}
        state = self._state(camera, also=changed)
        bursts = {burst.id: burst for _, burst in state.bursts() if burst.id in changed}
        self._changes[camera] = StateChanges(changed=bursts, removed=removed)
        log.info("outbox_resumed", camera=camera, events=len(state.outbox))

    def _state(self, camera: str, also: frozenset[str] | set[str] = frozenset()) -> CameraState:
        if camera not in self._states:
            self._states[camera] = load_state(camera, self._records, self._record_names[camera] | also)
        self._states.move_to_end(camera)
        return self._states[camera]

    def _clock(self, partition: int) -> PartitionClock:
        return self._clocks.setdefault(partition, PartitionClock(0))


def _log_event(event: BurstResolved) -> None:
    log.info(
        f"burst_{event.status}",
        burst_id=event.burst_id,
        camera=event.camera,
        revision=event.revision,
        frames=event.frame_count,
        verdict=event.verdict.taxon or event.verdict.label if event.verdict else None,
        closed_by=event.closed_by,
    )


def _log_late(late: FrameLate, late_frames: int) -> None:
    fields = late.model_dump(include={"camera", "image_id", "missed_burst_id", "late_s", "burst_id"})
    log.warning("frame_late", **fields, late_frames=late_frames)
