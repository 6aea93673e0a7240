"""What is kept of one camera: its open bursts, those that a late frame may still revise, and what was not yet sent.

Bounded whatever arrives: open bursts by `KEPT_OPEN` and the idle time, frames by `KEPT_FRAMES` (and one burst of
`max_frames`), the rest by their own constants. All times named `..._at` are log time, frames' times are the
camera's.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import pairwise

from processors.bursts.frames import Frame
from processors.bursts.memory import Memory
from processors.bursts.rules import BurstRules
from uncia import ids
from uncia.events import CloseReason, Trigger
from uncia.events.base import UtcTime


def track_of(trigger: Trigger) -> str:
    """Frames share bursts within a track. What fired is unknown of frames whose metadata cannot be read, and of
    cameras without maker notes: they go with motion. Time-lapse never shares a burst with either."""
    return Trigger.MOTION.value if trigger is Trigger.UNKNOWN else trigger.value


KEPT_SERIALS = 8
"""Serial numbers remembered of one camera id; what more there are share a track."""


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
    kept_until: UtcTime | None = None
    """Once closed: late frames revise it until then."""
    verdict: str = ""
    """The taxon or label said last since it closed."""
    supersedes: tuple[str, ...] = ()
    former: dict[str, int] = field(default_factory=dict)
    """Last revision of ids that these frames had before: were one to come back, its revision goes on rising."""
    changes: tuple[str, ...] = ()
    late: bool = False
    """All its frames came too late for the burst they belong to."""
    flags: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Not closed."""
        return self.closed_at is None

    @property
    def expires(self) -> datetime:
        """The log time from which nothing revises it any more; of a closed one."""
        assert self.closed_at is not None
        return self.kept_until or self.closed_at

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
        """Every frame that the camera announced is in, the unreadable ones counted.

        Two triggers within a minute of a camera without seconds cannot be told apart and are one burst; then there
        are as many sequences as its most frequent n.
        """
        if self.expected is None:
            return False
        counts = Counter(frame.sequence for frame in self.frames if frame.sequence is not None)
        # A photograph whose metadata are lost stands for one that is missing; one that tells otherwise does not.
        lost = sum(frame.sequence is None and not frame.readable for frame in self.frames)
        return counts.total() + lost >= self.expected * max(counts.values(), default=1)

    def holds(self, image_id: str) -> bool:
        """The frame is in this burst."""
        return any(frame.image_id == image_id for frame in self.frames)

    def identify(self, camera: str) -> str:
        """The id that its frames give it."""
        first = self.earliest
        return ids.burst_id(camera, self.trigger.value, first.captured_at, first.image_id)

    def deadline(self, rules: BurstRules) -> datetime:
        """The log time at which it closes unless a frame comes."""
        return self.last_arrival + rules.idle_at(self.frames[0].overrides)


@dataclass
class Forgotten:
    """A burst that nothing can revise any more."""

    id: str
    track: str
    started: datetime
    ended: datetime
    revision: int
    closed_at: UtcTime | None = None
    complete: bool = False


@dataclass
class CameraState:
    """One camera's story. `sessions` alone changes it."""

    camera: str
    arrived_at: UtcTime | None = None
    """The latest time at which a frame of this camera came: what decides. Ticks do not move it."""
    tracks: dict[str, list[Burst]] = field(default_factory=dict)
    """Bursts by track, in capture order, none overlapping another."""
    forgotten: list[Forgotten] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    """The photographs of forgotten bursts."""
    serials: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Serial numbers that came under this camera's id, first come first, and the capture times they span."""
    late: int = 0
    """Frames that came too late for the burst they belonged to."""
    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    """Events that were decided and not yet confirmed as sent, in order: burst id and message."""
    late_outbox: list[bytes] = field(default_factory=list)
    """The same for what is told of late frames."""

    def __post_init__(self) -> None:
        self.images: dict[str, str] = {}
        """Track of every frame that is held."""
        self.held: dict[str, tuple[str, Burst]] = {}
        """Every burst and its track, by id."""
        self.waiting: dict[str, Burst] = {}
        """Those that are open."""
        self._closed: list[tuple[datetime, str]] = []

    def take_in(self, track: str, burst: Burst) -> None:
        """Put back a burst that was stored; in capture order."""
        self.tracks.setdefault(track, []).append(burst)
        self.images.update((frame.image_id, track) for frame in burst.frames)
        self.add(track, burst)

    def track_for(self, frame: Frame) -> str:
        """The track of a frame, its serial number taken note of.

        Two cameras under one id never share a burst. What tells no serial number (an unreadable photograph) goes with
        the camera that came first; so does everything of cameras that write none.
        """
        track, serial = track_of(frame.trigger), frame.serial
        if serial is None:
            return track
        if serial not in self.serials and len(self.serials) >= KEPT_SERIALS:
            return f"{track}#"
        first, last = self.serials.get(serial, (frame.captured_at, frame.captured_at))
        self.serials[serial] = (min(first, frame.captured_at), max(last, frame.captured_at))
        return track if serial == next(iter(self.serials)) else f"{track}#{serial}"

    @property
    def two_cameras(self) -> bool:
        """Two serial numbers took turns. One that only follows the other is a camera that was replaced."""
        spans = sorted(self.serials.values())
        return any(later[0] < earlier[1] for earlier, later in pairwise(spans))

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
        heappush(self._closed, (burst.expires, burst.id))

    def discard(self, burst: Burst) -> None:
        """Count a burst out."""
        del self.held[burst.id]
        self.waiting.pop(burst.id, None)

    def closed_first(self) -> tuple[str, Burst] | None:
        """The burst that a late frame can revise least long, with its track; None when all are open."""
        while self._closed:
            kept_until, burst_id = self._closed[0]
            track, burst = self.held.get(burst_id, ("", None))
            if burst is not None and not burst.open and burst.expires == kept_until:
                return track, burst
            heappop(self._closed)  # It has gone, or is part of another by now.
        return None

    def bursts(self) -> Iterator[tuple[str, Burst]]:
        """All that are kept, with their track."""
        return iter(self.held.values())

    def knows(self, image_id: str) -> bool:
        """This very photograph was taken in before."""
        return image_id in self.images or self.memory.knows(image_id)

    def due(self, rules: BurstRules) -> datetime | None:
        """The log time at which the next thing happens by itself: a close, or forgetting. None: nothing will."""
        times = [burst.deadline(rules) for burst in self.waiting.values()]
        if first := self.closed_first():
            times.append(first[1].expires)
        return min(times, default=None)
