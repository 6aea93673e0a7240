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

from uncia import ids
from uncia.events import CloseReason, Trigger
from uncia.events.base import UtcTime
from uncia.processors.bursts.camera_bodies import KEPT_SOURCES, Source, merge_sources
from uncia.processors.bursts.config import BurstRules
from uncia.processors.bursts.frames import Frame, Link
from uncia.processors.bursts.seen_images import Memory


def track_of(trigger: Trigger) -> str:
    """Frames share bursts within a track. What fired is unknown of frames whose metadata cannot be read, and of
    cameras without maker notes: they go with motion. Time-lapse never shares a burst with either."""
    return Trigger.MOTION.value if trigger is Trigger.UNKNOWN else trigger.value


def track_of_body(trigger: Trigger, body: str | None, main: str) -> str:
    """The track of a frame that this body took: bodies share none. `body` is None where there are too many to tell."""
    track = track_of(trigger)
    if body is None:
        return f"{track}#"
    return track if body == main else f"{track}#{body}"


KEPT_MOVED = 64
"""Keys remembered from which a photograph went to another camera."""

KEPT_VERSIONS = 8
"""Hidden uploads that are kept of one photograph: some clients write one key over and over."""


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
    split_from: str | None = None
    """The burst that its frames were a part of."""
    former: dict[str, int] = field(default_factory=dict)
    """Superseded ids, in records of layout 2; now the camera's memory has them."""
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
        return min(self.frames, key=lambda frame: (frame.at, frame.image_id))

    @property
    def expected(self) -> int | None:
        """m of `n of m`."""
        return max((frame.sequence_length for frame in self.frames if frame.sequence_length), default=None)

    @property
    def complete(self) -> bool:
        """Every number of `1 of m` to `m of m` is in, unreadable photographs counted.

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

    @property
    def waits_for_numbers(self) -> bool:
        """Its camera announced more frames than have come."""
        return self.expected is not None and not self.complete

    @property
    def clock_jumped(self) -> bool:
        """Its camera's clock jumped within it."""
        return any(frame.placed_at is not None for frame in self.frames)

    def identify(self, camera: str, turn: int = 1) -> str:
        """The id that its frames give it. `turn` counts on where an earlier one was superseded."""
        first = self.earliest
        image = first.image_id if turn == 1 else f"{first.image_id} {turn}"
        return ids.burst_id(camera, self.trigger.value, first.captured_at, image)

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
    """The photographs of forgotten bursts, and ids of bursts that were superseded."""
    sources: dict[str, Source] = field(default_factory=dict)
    """What frames of this camera id said of their camera."""
    moved: dict[str, UtcTime] = field(default_factory=dict)
    """Keys from which a photograph went to another camera, and when that one was stored; the last `KEPT_MOVED`."""
    late: int = 0
    """Frames that came too late for the burst they belonged to."""
    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    """Events that were decided and not yet confirmed as sent, in order: burst id and message."""
    late_outbox: list[bytes] = field(default_factory=list)
    """The same for what is told of late frames."""

    def __post_init__(self) -> None:
        self.images: dict[str, str] = {}
        """Track of every frame that is in a burst, by image id."""
        self.versions: dict[str, Frame] = {}
        """Every upload that is held, by upload id: frames and hidden ones."""
        self.hidden: dict[str, Frame] = {}
        """Uploads that count for nothing because of others (`versions.visible`), by upload id."""
        self.hidden_changed: set[str] = set()
        """Hidden uploads that were not yet written."""
        self.hidden_removed: set[str] = set()
        """Upload ids whose records are to go."""
        self.held: dict[str, tuple[str, Burst]] = {}
        """Every burst and its track, by id."""
        self.waiting: dict[str, Burst] = {}
        """Those that are open."""
        self.bodies = merge_sources(self.sources)
        self._links: dict[Link, tuple[str, ...]] = {}
        self._closed: list[tuple[datetime, str]] = []

    @property
    def size(self) -> int:
        """Uploads that are held."""
        return len(self.versions)

    def take_in(self, track: str, burst: Burst) -> None:
        """Put back a burst that was stored; in capture order."""
        self.tracks.setdefault(track, []).append(burst)
        for frame in burst.frames:
            self.images[frame.image_id] = track
            self.hold(frame)
        self.add(track, burst)

    def hold(self, version: Frame) -> None:
        """Keep a version, in place of the one of the same upload."""
        if version.upload_id in self.versions:
            self.release(version.upload_id)
        self.versions[version.upload_id] = version
        for link in (*version.links, *self._marks(version)):
            self._links[link] = (*self._links.get(link, ()), version.upload_id)

    def release(self, upload_id: str) -> None:
        """Let a version go."""
        version = self.versions.pop(upload_id)
        for link in (*version.links, *self._marks(version)):
            held = tuple(each for each in self._links[link] if each != upload_id)
            if held:
                self._links[link] = held
            else:
                del self._links[link]

    def hide(self, version: Frame) -> None:
        """Keep a version that is no frame now."""
        self.hold(version)
        self.hidden[version.upload_id] = version
        self.hidden_changed.add(version.upload_id)
        self.hidden_removed.discard(version.upload_id)

    def unhide(self, upload_id: str) -> None:
        """It is a frame now, or has gone."""
        if self.hidden.pop(upload_id, None) is not None:
            self.hidden_changed.discard(upload_id)
            self.hidden_removed.add(upload_id)

    @staticmethod
    def _marks(version: Frame) -> tuple[Link, ...]:
        marks: tuple[Link, ...] = () if version.numbered_as is None else (version.numbered_as,)
        return (*marks, ("minute", version.source, version.captured_at)) if version.full_minute else marks

    def family(self, version: Frame) -> list[Frame]:
        """Held versions that may replace each other and this one; without itself."""
        links = version.links
        if not any(link in self._links for link in links):
            return []
        found: dict[str, Frame] = {}
        queue = [version]
        while queue:
            for link in queue.pop().links:
                for upload_id in self._links.get(link, ()):
                    if upload_id not in found and upload_id != version.upload_id:
                        found[upload_id] = self.versions[upload_id]
                        queue.append(found[upload_id])
        return [found[upload_id] for upload_id in sorted(found)]

    def numbered_with(self, version: Frame) -> list[Frame]:
        """Frames that its camera numbered in the same sequence, as far as serial and event number tell."""
        if version.numbered_as is None:
            return []
        linked = sorted(self._links.get(version.numbered_as, ()))
        return [self.versions[each] for each in linked if each not in self.hidden and each != version.upload_id]

    def at_key(self, bucket: str, key: str) -> list[Frame]:
        """Held versions of one object."""
        return [self.versions[each] for each in sorted(self._links.get(("key", bucket, key), ()))]

    def note_source(self, frame: Frame) -> bool:
        """Remember what a frame says of its camera. True when that changes what is known of other frames."""
        source = self.sources.get(frame.source)
        if source is None:
            if len(self.sources) >= KEPT_SOURCES:
                return False
            source = self.sources[frame.source] = Source(frame.captured_at, frame.captured_at)
        elif len(self.sources) == 1 and source.first <= frame.captured_at and (source.seconds or not frame.exif_time):
            source.last = max(source.last, frame.captured_at)
            return False
        source.first = min(source.first, frame.captured_at)
        source.last = max(source.last, frame.captured_at)
        source.seconds = source.seconds or (frame.exif_time and not frame.full_minute)
        source.twins = source.twins or (not source.seconds and self._has_twin(frame))
        before, self.bodies = self.bodies, merge_sources(self.sources)
        return bool(self.versions) and (
            before.main != self.bodies.main
            or before.without_seconds != self.bodies.without_seconds
            or any(self.bodies.body_of[name] != body for name, body in before.body_of.items())
        )

    def _has_twin(self, frame: Frame) -> bool:
        """Another photograph has its capture time, a full minute."""
        if not frame.full_minute or frame.trigger is Trigger.TIME_LAPSE:
            return False
        others = [self.versions[each] for each in self._links.get(("minute", frame.source, frame.captured_at), ())]
        return any(
            each.trigger is not Trigger.TIME_LAPSE
            and each.image_id != frame.image_id
            and (each.bucket, each.key) != (frame.bucket, frame.key)
            and (each.size_group is None or each.size_group != frame.size_group)
            for each in others
        )

    def settled_in(self, frame: Frame) -> tuple[str, Frame]:
        """The track of a frame, and the frame as what is known of its camera makes it.

        Two cameras under one id never share a burst.
        """
        body = self.bodies.body_of.get(frame.source)
        to_the_minute = body in self.bodies.without_seconds
        if to_the_minute != frame.to_the_minute:
            frame = frame.changed(to_the_minute=to_the_minute)
        return track_of_body(frame.trigger, body, self.bodies.main), frame

    def burst_with(self, image_id: str) -> Burst | None:
        """The burst that holds a frame."""
        bursts = self.tracks.get(self.images.get(image_id, ""), [])
        return next((burst for burst in bursts if burst.holds(image_id)), None)

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

    def due(self, rules: BurstRules) -> datetime | None:
        """The log time at which the next thing happens by itself: a close, or forgetting. None: nothing will."""
        times = [burst.deadline(rules) for burst in self.waiting.values()]
        if first := self.closed_first():
            times.append(first[1].expires)
        return min(times, default=None)
