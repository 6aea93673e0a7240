"""What is kept of one camera: its open bursts, those that a late frame may still revise, and what was not yet sent.

Bounded whatever arrives: open bursts by `KEPT_OPEN` and the idle time, frames by `KEPT_FRAMES` (and one burst of
`max_frames`), the rest by their own constants. All times named `..._at` are log time, frames' times are the
camera's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush

from processors.bursts.frames import Frame
from uncia import ids
from uncia.events import CloseReason, Trigger
from uncia.events.base import UtcTime


def track_of(trigger: Trigger) -> str:
    """Frames share bursts within a track. What fired is unknown of frames whose metadata cannot be read, and of
    cameras without maker notes: they go with motion. Time-lapse never shares a burst with either."""
    return Trigger.MOTION.value if trigger is Trigger.UNKNOWN else trigger.value


@dataclass(eq=False)
class Burst:
    """Frames that belong together, in capture order, and what was said of them."""

    station: str
    frames: list[Frame]
    last_arrival: UtcTime
    id: str = ""
    revision: int = 0
    closed_at: UtcTime | None = None
    closed_by: CloseReason | None = None
    verdict: str = ""
    """The taxon or label last said."""
    supersedes: tuple[str, ...] = ()
    former: dict[str, int] = field(default_factory=dict)
    """Last revision of ids that these frames had before: were one to come back, its revision goes on rising."""
    changes: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Not closed."""
        return self.closed_at is None

    @property
    def trigger(self) -> Trigger:
        """What its frames tell, `unknown` only where none does."""
        told = [frame.trigger for frame in self.frames if frame.trigger is not Trigger.UNKNOWN]
        return told[0] if told else Trigger.UNKNOWN

    @property
    def earliest(self) -> Frame:
        """The frame that gives the id: earliest capture time, then least image id."""
        return min(self.frames, key=lambda frame: (frame.captured_at, frame.image_id))

    @property
    def expected(self) -> int | None:
        """m of `n of m`."""
        return max((frame.sequence_length for frame in self.frames if frame.sequence_length), default=None)

    @property
    def complete(self) -> bool:
        """Every frame that the camera announced is in, the unreadable ones counted."""
        return self.expected is not None and len(self.frames) >= self.expected

    def holds(self, image_id: str) -> bool:
        """The frame is in this burst."""
        return any(frame.image_id == image_id for frame in self.frames)

    def identify(self, camera: str) -> str:
        """The id that its frames give it."""
        first = self.earliest
        return ids.burst_id(camera, self.trigger.value, first.captured_at, first.image_id)

    def deadline(self, idle: timedelta) -> datetime:
        """The log time at which it closes unless a frame comes."""
        return self.last_arrival + idle


@dataclass
class Forgotten:
    """A burst that nothing can revise any more."""

    id: str
    track: str
    started: datetime
    ended: datetime
    revision: int


@dataclass
class CameraState:
    """One camera's story. `sessions` alone changes it."""

    camera: str
    arrived_at: UtcTime | None = None
    """The latest time at which a frame of this camera came: what decides. Ticks do not move it."""
    tracks: dict[str, list[Burst]] = field(default_factory=dict)
    """Bursts by track, in capture order, none overlapping another."""
    forgotten: list[Forgotten] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Image ids of forgotten bursts, latest last."""
    late: int = 0
    """Frames that came too late for the burst they belonged to."""
    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    """Events that were decided and not yet confirmed as sent, in order: burst id and message."""

    def __post_init__(self) -> None:
        self.images: dict[str, str] = {}
        """Track of every frame that is held."""
        self.held: dict[str, tuple[str, Burst]] = {}
        """Every burst and its track, by id."""
        self.waiting: dict[str, Burst] = {}
        """Those that are open."""
        self._closed: list[tuple[datetime, str]] = []
        for track, bursts in self.tracks.items():
            for burst in bursts:
                self.images.update((frame.image_id, track) for frame in burst.frames)
                self.add(track, burst)

    def add(self, track: str, burst: Burst) -> None:
        """Count a burst of `tracks` in."""
        self.held[burst.id] = (track, burst)
        if burst.open:
            self.waiting[burst.id] = burst
        else:
            self.closed(burst)

    def closed(self, burst: Burst) -> None:
        """A burst has closed."""
        assert burst.closed_at is not None
        self.waiting.pop(burst.id, None)
        heappush(self._closed, (burst.closed_at, burst.id))

    def discard(self, burst: Burst) -> None:
        """Count a burst out."""
        del self.held[burst.id]
        self.waiting.pop(burst.id, None)

    def closed_first(self) -> tuple[str, Burst] | None:
        """The burst that closed longest ago, with its track; None when all are open."""
        while self._closed:
            closed_at, burst_id = self._closed[0]
            track, burst = self.held.get(burst_id, ("", None))
            if burst is not None and burst.closed_at == closed_at:
                return track, burst
            heappop(self._closed)  # It has gone, or is part of another by now.
        return None

    def bursts(self) -> Iterator[tuple[str, Burst]]:
        """All that are kept, with their track."""
        return iter(self.held.values())

    def knows(self, image_id: str) -> bool:
        """This very photograph was taken in before."""
        return image_id in self.images or image_id in self.seen

    def due(self, idle: timedelta, lateness: timedelta) -> datetime | None:
        """The log time at which the next thing happens by itself: a close, or forgetting. None: nothing will."""
        times = [burst.deadline(idle) for burst in self.waiting.values()]
        if (first := self.closed_first()) and first[1].closed_at is not None:
            times.append(first[1].closed_at + lateness)
        return min(times, default=None)
