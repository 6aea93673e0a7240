"""Snapshots of bursts for comparisons: a few fields of the newest event of each burst that is not superseded."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from uncia.errors import PermanentError
from uncia.events import BurstCategory, BurstFrame, BurstResolved, BurstStatus, TaxonVerdict
from uncia.ids import image_id, successor_burst_id
from uncia.kafka.broker import Message

_NOTHING_READABLE = "nothing could be read"

VerdictKey = tuple[str, str, str, bool]
"""Taxon, label, group, and whether it is certain: what a verdict states, without its score."""


@dataclass(frozen=True)
class FrameRef:
    """One photograph of a burst, with its rejection reason, if any."""

    image_id: str
    upload_id: str
    rejection: str | None
    read: bool = True
    """True where its bytes were read: `image_id` is derived from its content. Otherwise from its upload id."""


@dataclass(frozen=True)
class BurstSnapshot:
    """One burst at its newest revision. Two snapshots may be equivalent although their scores differ."""

    burst_id: str
    revision: int
    status: BurstStatus
    camera: str
    frames: tuple[FrameRef, ...]
    verdicts: tuple[VerdictKey, ...]
    """The verdict, then the other certain taxa in order. Empty where no frame could be read."""
    closed_at: datetime | None
    category: str
    """Animal, person, vehicle or blank; empty where no detector looked."""
    crops_withheld: bool
    raw: bytes
    """The whole event: a comparison holds thousands of bursts and needs few of their events."""

    @classmethod
    def of(cls, event: BurstResolved, raw: bytes | None = None) -> "BurstSnapshot":
        """Create a snapshot from an event and, if available, its bytes."""
        others = sorted(_verdict_key(taxon) for taxon in event.taxa[1:] if taxon.certain)
        return cls(
            burst_id=event.burst_id,
            revision=event.revision,
            status=event.status,
            camera=event.camera,
            frames=tuple(_frame_ref(frame, event.camera) for frame in event.frames),
            verdicts=(_verdict_key(event.verdict), *others) if event.verdict else (),
            closed_at=event.closed_at,
            category=event.category.value if event.category else "",
            crops_withheld=bool(event.crops_withheld),
            raw=raw if raw is not None else event.to_bytes(),
        )

    @property
    def statement(self) -> tuple[object, ...]:
        """What the burst states: its category, its taxa, and that no crop of it may be seen. Scores, boxes and the
        choice of the best crop are not part of it."""
        return self.category, self.verdicts, self.crops_withheld

    @property
    def label(self) -> str:
        """The label of the verdict, followed by a question mark where it is uncertain.

        After the category, where that is no animal and the label does not say so.
        """
        if not self.verdicts:
            return self.category or _NOTHING_READABLE
        _, label, _, certain = self.verdicts[0]
        shown = label if certain else f"{label}?"
        return shown if self.category in ("", BurstCategory.ANIMAL, label) else f"{self.category}: {shown}"

    @cached_property
    def images(self) -> frozenset[str]:
        """Image ids of its photographs."""
        return frozenset(frame.image_id for frame in self.frames)

    @cached_property
    def uploads(self) -> frozenset[str]:
        """Upload ids of its photographs: they join a photograph that only one side could read."""
        return frozenset(frame.upload_id for frame in self.frames)

    @cached_property
    def rejected(self) -> dict[str, str]:
        """The rejection reason, by image id, of each rejected photograph."""
        return {frame.image_id: frame.rejection for frame in self.frames if frame.rejection}

    @property
    def event(self) -> BurstResolved:
        """The whole event, parsed from `raw` at each access."""
        return BurstResolved.from_bytes(self.raw)

    def count_shared(self, other: "BurstSnapshot") -> int:
        """The number of its photographs that the other burst contains too."""
        return sum(frame.image_id in other.images or frame.upload_id in other.uploads for frame in self.frames)

    def is_equivalent(self, other: "BurstSnapshot") -> bool:
        """True for the same id, photographs, rejections, category and verdicts, whatever the scores and boxes."""
        return (
            self.burst_id == other.burst_id
            and self.images == other.images
            and self.statement == other.statement
            and self.rejected == other.rejected
        )


@dataclass
class BurstSnapshots:
    """The newest revision of the bursts on a topic; of superseded ones only the revision."""

    current: dict[str, BurstSnapshot] = field(default_factory=dict)
    """Bursts that are not superseded, by id."""
    revisions: dict[str, int] = field(default_factory=dict)
    """The highest revision of every id."""

    def read(self, messages: Iterable[Message], includes: Callable[[BurstResolved], bool]) -> None:
        """Add messages of `camera.burst.resolved.v1`, in the order of their partitions.

        An event that `includes` rejects is skipped, unless an earlier revision of its burst was included.
        """
        for message in messages:
            try:
                event = BurstResolved.from_bytes(message.value)
            except PermanentError:
                continue  # a tombstone, or an event of a later schema version
            known = self.revisions.get(event.burst_id)
            if known is None and not includes(event):
                continue
            if known is not None and event.revision < known:
                continue
            self.revisions[event.burst_id] = event.revision
            if event.status is BurstStatus.SUPERSEDED:
                self.current.pop(event.burst_id, None)
            else:
                self.current[event.burst_id] = BurstSnapshot.of(event, message.value)

    def is_superseded(self, burst_id: str) -> bool:
        """Return whether an id was published and is superseded; it is never used again."""
        return burst_id in self.revisions and burst_id not in self.current


def with_usable_ids(replay: Mapping[str, BurstSnapshot], live: BurstSnapshots) -> list[BurstSnapshot]:
    """Return the bursts of the replay with ids that are not superseded in the live system.

    A burst with a superseded id takes the id of the current live burst that contains its first photograph; where there
    is none, a later id is derived, which is the same at each call.
    """
    live_id_of_image = {image: burst.burst_id for burst in live.current.values() for image in burst.images}
    usable = []
    for burst in replay.values():
        if live.is_superseded(burst.burst_id):
            first_image = burst.frames[0].image_id if burst.frames else ""
            burst = _renamed(burst, _usable_id(burst.burst_id, live_id_of_image.get(first_image, ""), replay, live))
        usable.append(burst)
    return usable


def _usable_id(burst_id: str, live_id: str, replay: Container[str], live: BurstSnapshots) -> str:
    candidate = live_id if live_id and live_id not in replay else successor_burst_id(burst_id)
    while live.is_superseded(candidate):
        candidate = successor_burst_id(candidate)
    return candidate


def _renamed(burst: BurstSnapshot, burst_id: str) -> BurstSnapshot:
    event = burst.event.model_copy(update={"burst_id": burst_id})
    return replace(burst, burst_id=burst_id, raw=event.to_bytes())


def overlaps(
    images: Container[str], uploads: Container[str], burst_ids: Container[str]
) -> Callable[[BurstResolved], bool]:
    """A filter for live bursts: true where one shares a photograph or the id with the replay's bursts."""

    def includes(event: BurstResolved) -> bool:
        return event.burst_id in burst_ids or any(
            frame.image_id in images or frame.upload_id in uploads for frame in event.frames
        )

    return includes


def _verdict_key(taxon: TaxonVerdict) -> VerdictKey:
    return taxon.taxon, taxon.label, taxon.group, taxon.certain


def _frame_ref(frame: BurstFrame, camera: str) -> FrameRef:
    reason = frame.rejection.reason if frame.rejection else None
    unread = (reason or "").startswith("object-") or frame.image_id == image_id(camera, frame.upload_id)
    return FrameRef(frame.image_id, frame.upload_id, reason, read=not unread)
