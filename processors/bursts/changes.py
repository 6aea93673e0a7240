"""What one frame or tick did to a camera: which events to publish, and what to store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from uncia.events import BurstResolved, BurstStatus, FrameLate, StaticObjectsChanged
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.state import Burst, CameraState


@dataclass
class PendingEvent:
    """One event to publish. Its revision number is used up, whether or not the event is ever built.

    A provisional verdict is built only on access: of several within one batch only the last one is published.
    """

    burst_id: str
    status: BurstStatus
    build: Callable[[], BurstResolved]

    @classmethod
    def of(cls, event: BurstResolved) -> "PendingEvent":
        """An event that is built already."""
        return cls(event.burst_id, event.status, lambda: event)

    @cached_property
    def event(self) -> BurstResolved:
        """The event, built on first access."""
        return self.build()


def drop_overtaken_provisionals(pending: Sequence[PendingEvent]) -> list[PendingEvent]:
    """Leave out provisional verdicts that a later event of the same burst overtakes; keep all other events."""
    last = {event.burst_id: place for place, event in enumerate(pending)}
    return [
        event
        for place, event in enumerate(pending)
        if event.status is not BurstStatus.PROVISIONAL or last[event.burst_id] == place
    ]


@dataclass
class StateChanges:
    """Events to publish, in order, and which bursts to store or remove, by id."""

    pending: list[PendingEvent] = field(default_factory=list)
    late: list[FrameLate] = field(default_factory=list)
    static: StaticObjectsChanged | None = None
    """The static objects of the camera, where they changed."""
    changed: dict[str, Burst] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    touched: bool = False
    """The state of the camera changed without an event, and must be stored."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to publish or to store."""
        return not (self.pending or self.changed or self.removed or self.touched)

    @property
    def events(self) -> list[BurstResolved]:
        """All pending events, built."""
        return [pending.event for pending in self.pending]

    def store(self, burst: Burst) -> None:
        """Mark a burst to be stored."""
        self.changed[burst.id] = burst
        self.removed.discard(burst.id)

    def remove(self, burst_id: str) -> None:
        """Mark a burst's record to be removed."""
        self.changed.pop(burst_id, None)
        self.removed.add(burst_id)

    def merge(self, later: "StateChanges") -> None:
        """Append changes that were made after these."""
        self.pending += later.pending
        self.late += later.late
        self.static = later.static or self.static
        self.touched = self.touched or later.touched
        for burst_id in later.removed:
            self.remove(burst_id)
        for burst in later.changed.values():
            self.store(burst)


@dataclass(frozen=True)
class FrameContext:
    """The message that is being applied: to which state, and where its changes are collected."""

    state: CameraState
    station: str
    arrived: FrameRecord | None
    """The frame of the message; None where only what is known of the camera has changed."""
    changes: StateChanges

    @property
    def now(self) -> datetime:
        """The camera's log time."""
        assert self.state.arrived_at is not None
        return self.state.arrived_at
