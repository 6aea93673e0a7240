"""The state of one camera: open bursts, bursts that a late frame may still revise, and events that were not yet sent.

Bounded whatever arrives: open bursts by `MAX_OPEN_BURSTS` and the idle time, frames by `MAX_STATE_FRAMES` (and one
burst of `max_frames`), everything else by its own constant. All times named `..._at` are log time; the times of frames
are by the camera's clock.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush

from uncia import ids
from uncia.events import BurstReview, CloseReason, Trigger
from uncia.events.base import UtcTime
from uncia.processors.bursts.camera_bodies import MAX_SOURCES, CameraSource, merge_sources
from uncia.processors.bursts.config import BurstConfig
from uncia.processors.bursts.frame_record import FrameRecord, Link
from uncia.processors.bursts.second_looks import MAX_WAITING, StoredSecondLook, with_second_look
from uncia.processors.bursts.seen_images import SeenImages
from uncia.processors.bursts.static_objects import StaticObjects


def track_of(trigger: Trigger) -> str:
    """The track of a trigger; frames share bursts only within a track.

    The trigger is unknown for frames whose metadata cannot be read, and for cameras without maker notes: they go with
    motion. Time-lapse never shares a burst with either.
    """
    return Trigger.MOTION.value if trigger is Trigger.UNKNOWN else trigger.value


def track_of_body(trigger: Trigger, body: str | None, main: str) -> str:
    """The track of a frame that this body took; bodies share no track. `body` is None where there are too many."""
    track = track_of(trigger)
    if body is None:
        return f"{track}#"
    return track if body == main else f"{track}#{body}"


MAX_MOVED_KEYS = 64
"""Keys stored of photographs that moved to another camera."""

MAX_HIDDEN_VERSIONS = 8
"""Hidden uploads stored of one photograph: some clients write one key over and over."""


@dataclass(eq=False)
class Burst:
    """Frames that belong together, in capture order, and what was published of them. Field names are stored."""

    station: str
    frames: list[FrameRecord]
    last_arrival: UtcTime
    id: str = ""
    revision: int = 0
    closed_at: UtcTime | None = None
    closed_by: CloseReason | None = None
    kept_until: UtcTime | None = None
    """Once closed: late frames revise it until then."""
    verdict: str = ""
    """The taxon or label of the last event since it closed."""
    supersedes: tuple[str, ...] = ()
    split_from: str | None = None
    """The burst that its frames were a part of."""
    former: dict[str, int] = field(default_factory=dict)
    """Superseded ids, in records of layout 2; since then `CameraState.seen` holds them."""
    changes: tuple[str, ...] = ()
    late: bool = False
    """Whether all its frames came too late for the burst they belong to."""
    flags: tuple[str, ...] = ()
    review: BurstReview | None = None
    """The review that counts, if any."""

    @property
    def open(self) -> bool:
        """Whether it has not been closed."""
        return self.closed_at is None

    @property
    def expires_at(self) -> datetime:
        """The log time from which nothing revises it any more; of closed bursts only."""
        assert self.closed_at is not None
        return self.kept_until or self.closed_at

    @property
    def trigger(self) -> Trigger:
        """The trigger of its frames; `unknown` only where no frame has another."""
        known = [frame.trigger for frame in self.frames if frame.trigger is not Trigger.UNKNOWN]
        return known[0] if known else Trigger.UNKNOWN

    @property
    def earliest(self) -> FrameRecord:
        """The frame that determines the id: earliest capture time, then least image id."""
        return min(self.frames, key=lambda frame: (frame.effective_time, frame.image_id))

    @property
    def expected(self) -> int | None:
        """m of `n of m`."""
        return max((frame.sequence_length for frame in self.frames if frame.sequence_length), default=None)

    @property
    def complete(self) -> bool:
        """Whether every number of `1 of m` to `m of m` has arrived, unreadable photographs counted.

        Two triggers within a minute of a camera without seconds are indistinguishable and form one burst; then there
        are as many sequences as its most frequent n.
        """
        if self.expected is None:
            return False
        counts = Counter(frame.sequence for frame in self.frames if frame.sequence is not None)
        # A photograph whose metadata are lost counts as a missing one; a readable one without numbers does not.
        lost = sum(frame.sequence is None and not frame.readable for frame in self.frames)
        return counts.total() + lost >= self.expected * max(counts.values(), default=1)

    def contains(self, image_id: str) -> bool:
        """Whether the frame is in this burst."""
        return any(frame.image_id == image_id for frame in self.frames)

    @property
    def awaits_frames(self) -> bool:
        """Whether its camera announced more frames than have arrived."""
        return self.expected is not None and not self.complete

    @property
    def clock_jumped(self) -> bool:
        """Whether its camera's clock jumped within it."""
        return any(frame.placed_at is not None for frame in self.frames)

    def derive_id(self, camera: str, attempt: int = 1) -> str:
        """The id that follows from its frames. Further attempts give other ids, where the first was superseded."""
        first = self.earliest
        image = first.image_id if attempt == 1 else f"{first.image_id} {attempt}"
        return ids.burst_id(camera, self.trigger.value, first.captured_at, image)

    def deadline(self, config: BurstConfig) -> datetime:
        """The log time at which it closes unless a frame arrives."""
        return self.last_arrival + config.idle_for(self.frames[0].overrides)


@dataclass
class ExpiredBurst:
    """What is stored of a burst that nothing can revise any more. Field names are stored."""

    id: str
    track: str
    started: datetime
    ended: datetime
    revision: int
    closed_at: UtcTime | None = None
    complete: bool = False
    review: str = ""
    """Id of the last review that revised it after it had expired."""


@dataclass
class CameraState:
    """The state of one camera, with the indexes that make a frame cheap. Only the sessioniser changes it."""

    camera: str
    arrived_at: UtcTime | None = None
    """The latest log time of a frame of this camera: the clock that decides. Ticks do not advance it."""
    tracks: dict[str, list[Burst]] = field(default_factory=dict)
    """Bursts by track, in capture order, none overlapping another."""
    expired: list[ExpiredBurst] = field(default_factory=list)
    seen: SeenImages = field(default_factory=SeenImages)
    """The photographs of expired bursts, and ids of bursts that were superseded."""
    sources: dict[str, CameraSource] = field(default_factory=dict)
    """What frames of this camera id state about their camera."""
    moved: dict[str, UtcTime] = field(default_factory=dict)
    """Keys of photographs that moved to another camera, and when that one was stored; the last `MAX_MOVED_KEYS`."""
    late_count: int = 0
    """Frames that came too late for the burst they belonged to."""
    outbox: list[tuple[str, bytes]] = field(default_factory=list)
    """Events that are decided but not yet confirmed as sent, in order: burst id and message."""
    late_outbox: list[bytes] = field(default_factory=list)
    """The same for events about late frames."""
    static: StaticObjects = field(default_factory=StaticObjects)
    """Where boxes were found in bursts that have expired."""
    static_outbox: list[bytes] = field(default_factory=list)
    """As `outbox`, for events about static objects."""

    def __post_init__(self) -> None:
        self.images: dict[str, str] = {}
        """Track of every frame that is in a burst, by image id."""
        self.versions: dict[str, FrameRecord] = {}
        """Every upload in the state, by upload id: frames and hidden ones."""
        self.hidden: dict[str, FrameRecord] = {}
        """Uploads that do not count because of others (`versions.select_visible`), by upload id."""
        self.hidden_changed: set[str] = set()
        """Hidden uploads that were not yet written."""
        self.hidden_removed: set[str] = set()
        """Upload ids whose records must be removed."""
        self.second_looks: dict[str, StoredSecondLook] = {}
        """Second looks at frames of the state, and at frames that are yet to come, by image id."""
        self.second_looks_changed: set[str] = set()
        """Image ids of second looks that were not yet written."""
        self.second_looks_removed: set[str] = set()
        """Image ids of second looks whose records must be removed."""
        self.bursts_by_id: dict[str, tuple[str, Burst]] = {}
        """Every burst with its track."""
        self.open_bursts: dict[str, Burst] = {}
        """Open bursts by id."""
        self.bodies = merge_sources(self.sources)
        self._links: dict[Link, tuple[str, ...]] = {}
        self._expiries: list[tuple[datetime, str]] = []

    def restore(self, track: str, burst: Burst) -> None:
        """Put back a burst that was stored. Call in capture order."""
        self.tracks.setdefault(track, []).append(burst)
        for frame in burst.frames:
            self.images[frame.image_id] = track
            self.add_version(frame)
        self.register(track, burst)

    def add_version(self, version: FrameRecord) -> None:
        """Add a version, in place of the one of the same upload."""
        if version.upload_id in self.versions:
            self.remove_version(version.upload_id)
        self.versions[version.upload_id] = version
        for link in (*version.links, *self._further_links(version)):
            self._links[link] = (*self._links.get(link, ()), version.upload_id)

    def remove_version(self, upload_id: str) -> None:
        """Remove a version from the indexes."""
        version = self.versions.pop(upload_id)
        for link in (*version.links, *self._further_links(version)):
            linked = tuple(other for other in self._links[link] if other != upload_id)
            if linked:
                self._links[link] = linked
            else:
                del self._links[link]

    def hide(self, version: FrameRecord) -> None:
        """Store a version that does not count as a frame now."""
        self.add_version(version)
        self.hidden[version.upload_id] = version
        self.hidden_changed.add(version.upload_id)
        self.hidden_removed.discard(version.upload_id)

    def unhide(self, upload_id: str) -> None:
        """Mark a version as not hidden: it is a frame now, or leaves."""
        if self.hidden.pop(upload_id, None) is not None:
            self.hidden_changed.discard(upload_id)
            self.hidden_removed.add(upload_id)

    def add_second_look(self, look: StoredSecondLook) -> None:
        """Store a second look, in place of another one at its image.

        Of those whose frames are in no burst, the oldest are dropped where there are more than `MAX_WAITING`.
        """
        self.second_looks[look.image_id] = look
        self.second_looks_changed.add(look.image_id)
        self.second_looks_removed.discard(look.image_id)
        if len(self.second_looks) <= MAX_WAITING:
            return
        waiting = [other for other in self.second_looks.values() if other.image_id not in self.images]
        waiting.sort(key=lambda other: (*other.rank, other.image_id), reverse=True)
        self.remove_second_looks([other.image_id for other in waiting[MAX_WAITING:]])

    def remove_second_looks(self, images: Iterable[str]) -> None:
        """Forget the second looks at these images, where there are any."""
        for image_id in images:
            if self.second_looks.pop(image_id, None) is not None:
                self.second_looks_changed.discard(image_id)
                self.second_looks_removed.add(image_id)

    def with_second_looks(self, frames: Sequence[FrameRecord]) -> list[FrameRecord]:
        """The frames with what their second looks add, as events show them."""
        return [
            frame if (look := self.second_looks.get(frame.image_id)) is None else with_second_look(frame, look)
            for frame in frames
        ]

    @staticmethod
    def _further_links(version: FrameRecord) -> tuple[Link, ...]:
        links: tuple[Link, ...] = () if version.sequence_link is None else (version.sequence_link,)
        return (*links, ("minute", version.source, version.captured_at)) if version.full_minute else links

    def family(self, version: FrameRecord) -> list[FrameRecord]:
        """Versions in the state that may replace each other and this one; without itself."""
        links = version.links
        if not any(link in self._links for link in links):
            return []
        found: dict[str, FrameRecord] = {}
        queue = [version]
        while queue:
            for link in queue.pop().links:
                for upload_id in self._links.get(link, ()):
                    if upload_id not in found and upload_id != version.upload_id:
                        found[upload_id] = self.versions[upload_id]
                        queue.append(found[upload_id])
        return [found[upload_id] for upload_id in sorted(found)]

    def same_sequence(self, version: FrameRecord) -> list[FrameRecord]:
        """Other frames of the same numbered sequence, as far as serial and event number identify it."""
        if version.sequence_link is None:
            return []
        linked = sorted(self._links.get(version.sequence_link, ()))
        return [self.versions[name] for name in linked if name not in self.hidden and name != version.upload_id]

    def versions_at(self, bucket: str, key: str) -> list[FrameRecord]:
        """The versions of one object."""
        return [self.versions[upload_id] for upload_id in sorted(self._links.get(("key", bucket, key), ()))]

    def record_source(self, frame: FrameRecord) -> bool:
        """Record what a frame states about its camera. Returns whether other frames may belong elsewhere now."""
        source = self.sources.get(frame.source)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                return False
            source = self.sources[frame.source] = CameraSource(frame.captured_at, frame.captured_at)
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

    def _has_twin(self, frame: FrameRecord) -> bool:
        """Whether another photograph has its capture time, a full minute."""
        if not frame.full_minute or frame.trigger is Trigger.TIME_LAPSE:
            return False
        linked = self._links.get(("minute", frame.source, frame.captured_at), ())
        return any(
            other.trigger is not Trigger.TIME_LAPSE
            and other.image_id != frame.image_id
            and (other.bucket, other.key) != (frame.bucket, frame.key)
            and (other.size_group is None or other.size_group != frame.size_group)
            for other in map(self.versions.__getitem__, linked)
        )

    def assign_track(self, frame: FrameRecord) -> tuple[str, FrameRecord]:
        """The track of a frame, and the frame with what is known of its camera.

        Two cameras under one id never share a burst.
        """
        body = self.bodies.body_of.get(frame.source)
        to_the_minute = body in self.bodies.without_seconds
        if to_the_minute != frame.to_the_minute:
            frame = frame.with_changes(to_the_minute=to_the_minute)
        return track_of_body(frame.trigger, body, self.bodies.main), frame

    def burst_of(self, image_id: str) -> Burst | None:
        """The burst that contains a frame."""
        bursts = self.tracks.get(self.images.get(image_id, ""), [])
        return next((burst for burst in bursts if burst.contains(image_id)), None)

    def register(self, track: str, burst: Burst) -> None:
        """Add a burst of `tracks` to the indexes."""
        self.bursts_by_id[burst.id] = (track, burst)
        if burst.open:
            self.open_bursts[burst.id] = burst
        else:
            self.register_closed(burst)

    def register_closed(self, burst: Burst) -> None:
        """Update the indexes for a burst that has closed."""
        assert burst.closed_at is not None
        self.open_bursts.pop(burst.id, None)
        heappush(self._expiries, (burst.expires_at, burst.id))

    def unregister(self, burst: Burst) -> None:
        """Remove a burst from the indexes."""
        del self.bursts_by_id[burst.id]
        self.open_bursts.pop(burst.id, None)

    def first_to_expire(self) -> tuple[str, Burst] | None:
        """The closed burst that expires first, with its track; None when all are open."""
        while self._expiries:
            expires_at, burst_id = self._expiries[0]
            track, burst = self.bursts_by_id.get(burst_id, ("", None))
            if burst is not None and not burst.open and burst.expires_at == expires_at:
                return track, burst
            heappop(self._expiries)  # The burst is gone, or part of another by now.
        return None

    def bursts(self) -> Iterator[tuple[str, Burst]]:
        """All bursts, with their track."""
        return iter(self.bursts_by_id.values())

    def next_due(self, config: BurstConfig) -> datetime | None:
        """The log time at which the next burst closes or expires without a frame; None: none will."""
        times = [burst.deadline(config) for burst in self.open_bursts.values()]
        if first := self.first_to_expire():
            times.append(first[1].expires_at)
        return min(times, default=None)
