"""Everything between reading a batch and writing what it did: cameras, their clocks, and who waits for time.

No Kafka and no wall clock: the worker hands in messages and carries out the pages that come back. A page is one
camera's change; `records` says in which order it is written so that a crash at any point loses nothing.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus, ClockTicked, ImagePredicted
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.changes import Step, worth_saying
from uncia.processors.bursts.config import BurstRules, OverridesOf, no_overrides
from uncia.processors.bursts.sessions import Sessions
from uncia.processors.bursts.state import CameraState
from uncia.processors.bursts.state_store import (
    Writes,
    hidden_name,
    index,
    load,
    split_key,
    writes,
)
from uncia.processors.bursts.tick_order import PartitionClock
from uncia.processors.bursts.verdict import Verdicts

CACHED_CAMERAS = 1000
"""Cameras whose state is held ready beside its records; the others are read again when a frame of theirs comes."""

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class Page:
    """One camera's change: records to write and events to send, both in the camera's partition."""

    camera: str
    partition: int
    writes: Writes
    outbox: tuple[tuple[bytes, bytes], ...]
    """Burst id and event, in order."""
    late: tuple[bytes, ...]
    """What is told of late frames."""


class Desk:
    """The cameras of the partitions that this worker has.

    `records` is what the changelog restored; the worker keeps it in step with what it writes.
    """

    def __init__(
        self,
        rules: BurstRules,
        verdicts: Verdicts,
        records: Mapping[bytes, bytes],
        partitions: int,
        overrides: OverridesOf = no_overrides,
    ) -> None:
        self._rules = rules
        self._sessions = Sessions(rules, verdicts)
        self._overrides = overrides
        self._records = records
        self._partitions = partitions
        self._states: OrderedDict[str, CameraState] = OrderedDict()
        self._bursts: defaultdict[str, set[str]] = defaultdict(set)
        self._due: defaultdict[int, dict[str, datetime]] = defaultdict(dict)
        self._clocks: dict[int, PartitionClock] = {}
        self._steps: dict[str, Step] = {}

    def start(self, positions: Mapping[int, int]) -> None:
        """Begin with the partitions in `positions` (the next offset to be read of each), from the records alone.

        Cameras with an outbox that was not confirmed are in the next pages. Raises `StateTooNew`.
        """
        self._states.clear()
        self._bursts.clear()
        self._due.clear()
        self._steps.clear()
        self._clocks = {partition: PartitionClock(read) for partition, read in positions.items()}
        for key in self._records:
            camera, burst_id = split_key(key)
            if burst_id is not None:
                self._bursts[camera].add(burst_id)
        for camera, head in index(self._records):
            partition = partition_of(camera, self._partitions)
            if partition not in self._clocks:
                continue
            if head.due is not None:
                self._due[partition][camera] = head.due
            if head.outbox or head.late_outbox or head.intent:
                self._resume(camera, {change.id for change in head.intent if change.burst is not None})
                gone = {change.id for change in head.intent if change.removes}
                self._steps[camera].removed |= gone

    def frame(self, partition: int, offset: int, event: ImagePredicted, logged_at: datetime) -> None:
        """Take in one frame. Raises `PermanentError` when it belongs nowhere; `passed` must be called then."""
        if "\0" in event.camera or partition_of(event.camera, self._partitions) != partition:
            raise PermanentError("wrong-partition", f"{event.camera!r} does not belong into partition {partition}")
        state = self._state(event.camera)
        place = self._overrides(event.camera, event.capture.time)
        step = self._sessions.answer(state, event, place, logged_at)
        for late in step.late:
            told = late.model_dump(include={"camera", "image_id", "missed_burst_id", "late_s", "burst_id"})
            log.warning("too late for its burst", **told, late_frames=state.late)
        self._note(state, step)
        self.passed(partition, offset)

    def passed(self, partition: int, offset: int) -> None:
        """The message at `offset` is done with; a tick that waited for it takes effect."""
        if now := self._clock(partition).frame_done(offset):
            self._pass_time(partition, now)

    def tick(self, tick: ClockTicked) -> None:
        """Take in a tick."""
        if now := self._clock(tick.partition).tick(tick):
            self._pass_time(tick.partition, now)

    def wants_tick(self, partition: int, now: datetime) -> bool:
        """Something waits for time to have reached `now`: a deadline, or an outbox after a restart."""
        clock = self._clocks.get(partition)
        if clock is None or clock.waiting is not None:
            return False
        unsent = any(partition_of(camera, self._partitions) == partition for camera in self._steps)
        return unsent or any(due <= now for due in self._due[partition].values())

    def pages(self) -> list[Page]:
        """Everything that changed since the last call. The changes count as written from here on."""
        pages = [self._page(camera, step) for camera, step in self._steps.items()]
        self._steps.clear()
        while len(self._states) > CACHED_CAMERAS:
            camera, state = self._states.popitem(last=False)
            self._bursts[camera] = set(state.held) | state.memory.names | set(map(hidden_name, state.hidden))
        return pages

    def _page(self, camera: str, step: Step) -> Page:
        state = self._states[camera]
        partition = partition_of(camera, self._partitions)
        due = state.due(self._rules)
        if due is None:
            self._due[partition].pop(camera, None)
        else:
            self._due[partition][camera] = due
        state.outbox += [(each.burst_id, each.event.to_bytes()) for each in worth_saying(step.said)]
        state.late_outbox += [late.to_bytes() for late in step.late]
        planned = writes(state, set(step.changed), step.removed, due)
        outbox = tuple((burst_id.encode(), event) for burst_id, event in state.outbox)
        late = tuple(state.late_outbox)
        state.outbox, state.late_outbox = [], []
        return Page(camera, partition, planned, outbox, late)

    def _pass_time(self, partition: int, now: datetime) -> None:
        for camera in [camera for camera, due in self._due[partition].items() if due <= now]:
            state = self._state(camera)
            self._note(state, self._sessions.pass_time(state, now))

    def _note(self, state: CameraState, step: Step) -> None:
        if not (step.said or step.changed or step.removed or step.touched):
            return
        due = state.due(self._rules)
        if due is not None:
            self._due[partition_of(state.camera, self._partitions)][state.camera] = due
        for said in step.said:
            if said.status is not BurstStatus.PROVISIONAL:
                self._tell(said.event)
        self._steps.setdefault(state.camera, Step()).add(step)

    @staticmethod
    def _tell(event: BurstResolved) -> None:
        log.info(
            f"burst {event.status}",
            burst_id=event.burst_id,
            camera=event.camera,
            revision=event.revision,
            frames=event.frame_count,
            verdict=event.verdict.taxon or event.verdict.label if event.verdict else None,
            closed_by=event.closed_by,
        )

    def _resume(self, camera: str, changed: set[str]) -> None:
        state = self._state(camera, also=changed)
        held = {burst.id: burst for _, burst in state.bursts() if burst.id in changed}
        self._steps[camera] = Step(changed=held)
        log.info("sending again what was not confirmed", camera=camera, events=len(state.outbox))

    def _state(self, camera: str, also: frozenset[str] | set[str] = frozenset()) -> CameraState:
        if camera not in self._states:
            self._states[camera] = load(camera, self._records, self._bursts[camera] | also)
        self._states.move_to_end(camera)
        return self._states[camera]

    def _clock(self, partition: int) -> PartitionClock:
        return self._clocks.setdefault(partition, PartitionClock(0))
