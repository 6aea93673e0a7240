"""Bursts as a comparison needs them: the newest event of each id that stands, small, with its bytes beside it."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from uncia.errors import PermanentError
from uncia.events import BurstFrame, BurstResolved, BurstStatus, TaxonVerdict
from uncia.ids import image_id, successor_burst_id
from uncia.kafka.broker import Message

NOTHING_READ = "nothing could be read"


@dataclass(frozen=True)
class FrameRef:
    """One photograph of a burst, and why it could not be judged."""

    image_id: str
    upload_id: str
    rejection: str | None
    read: bool = True
    """Its bytes were read: `image_id` is of its content, and not of its upload for want of any."""


@dataclass(frozen=True)
class Standing:
    """One burst that stands. Two of them `say` the same or not, whatever their scores."""

    burst_id: str
    revision: int
    status: BurstStatus
    camera: str
    frames: tuple[FrameRef, ...]
    says: tuple[tuple[str, str, str, bool], ...]
    """The verdict, then everything else that is certain: taxon, label, group, certain. Empty: nothing could be read."""
    closed_at: datetime | None
    raw: bytes

    @classmethod
    def of(cls, event: BurstResolved, raw: bytes | None = None) -> "Standing":
        """From its event."""
        others = sorted(_said(taxon) for taxon in event.taxa[1:] if taxon.certain)
        return cls(
            burst_id=event.burst_id,
            revision=event.revision,
            status=event.status,
            camera=event.camera,
            frames=tuple(_ref(frame, event.camera) for frame in event.frames),
            says=(_said(event.verdict), *others) if event.verdict else (),
            closed_at=event.closed_at,
            raw=raw if raw is not None else event.to_bytes(),
        )

    @property
    def label(self) -> str:
        """The verdict in a word; a question mark where nobody decided."""
        if not self.says:
            return NOTHING_READ
        _, label, _, certain = self.says[0]
        return label if certain else f"{label}?"

    @cached_property
    def images(self) -> frozenset[str]:
        """Image ids of its photographs."""
        return frozenset(frame.image_id for frame in self.frames)

    @cached_property
    def uploads(self) -> frozenset[str]:
        """Upload ids of its photographs: what joins a photograph that only one side could read."""
        return frozenset(frame.upload_id for frame in self.frames)

    @cached_property
    def rejected(self) -> dict[str, str]:
        """Why, by image id, for those that could not be judged."""
        return {frame.image_id: frame.rejection for frame in self.frames if frame.rejection}

    @property
    def event(self) -> BurstResolved:
        """The whole event, read anew."""
        return BurstResolved.from_bytes(self.raw)

    def shared_with(self, other: "Standing") -> int:
        """How many of its photographs the other holds too."""
        return sum(frame.image_id in other.images or frame.upload_id in other.uploads for frame in self.frames)

    def agrees(self, other: "Standing") -> bool:
        """Same id, same photographs, same unreadable ones, same words."""
        return (
            self.burst_id == other.burst_id
            and self.images == other.images
            and self.says == other.says
            and self.rejected == other.rejected
        )


@dataclass
class Bursts:
    """The newest revision of every burst that somebody asks for, superseded ones by their revision alone."""

    standing: dict[str, Standing] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)

    def read(self, messages: Iterable[Message], keep: Callable[[BurstResolved], bool]) -> None:
        """Take in messages of `camera.burst.resolved.v1`, in the order of their partitions.

        What `keep` refuses is passed over, unless an earlier revision of it was kept.
        """
        for message in messages:
            try:
                event = BurstResolved.from_bytes(message.value)
            except PermanentError:
                continue  # a tombstone, or of a version that is not ours to judge
            known = self.revisions.get(event.burst_id)
            if known is None and not keep(event):
                continue
            if known is not None and event.revision < known:
                continue
            self.revisions[event.burst_id] = event.revision
            if event.status is BurstStatus.SUPERSEDED:
                self.standing.pop(event.burst_id, None)
            else:
                self.standing[event.burst_id] = Standing.of(event, message.value)


def under_usable_ids(ours: Mapping[str, Standing], theirs: Bursts) -> list[Standing]:
    """The replay's bursts under ids that live can still use: one that live has superseded never comes back.

    Where the live burst that holds the first photograph still stands, its id is taken; else a later id is derived, the
    same one each time.
    """
    holders = {image: live.burst_id for live in theirs.standing.values() for image in live.images}
    usable = []
    for burst in ours.values():
        burst_id = burst.burst_id
        if burst_id in theirs.revisions and burst_id not in theirs.standing:
            holder = holders.get(burst.frames[0].image_id, "") if burst.frames else ""
            burst_id = holder if holder and holder not in ours else successor_burst_id(burst_id)
            while burst_id in theirs.revisions and burst_id not in theirs.standing:
                burst_id = successor_burst_id(burst_id)
            renamed = burst.event.model_copy(update={"burst_id": burst_id})
            burst = replace(burst, burst_id=burst_id, raw=renamed.to_bytes())
        usable.append(burst)
    return usable


def touching(
    images: Container[str], uploads: Container[str], burst_ids: Container[str]
) -> Callable[[BurstResolved], bool]:
    """Live bursts that a replay of these photographs, which made these bursts, has to do with."""

    def keep(event: BurstResolved) -> bool:
        return event.burst_id in burst_ids or any(
            frame.image_id in images or frame.upload_id in uploads for frame in event.frames
        )

    return keep


def _said(taxon: TaxonVerdict) -> tuple[str, str, str, bool]:
    return taxon.taxon, taxon.label, taxon.group, taxon.certain


def _ref(frame: BurstFrame, camera: str) -> FrameRef:
    reason = frame.rejection.reason if frame.rejection else None
    unread = (reason or "").startswith("object-") or frame.image_id == image_id(camera, frame.upload_id)
    return FrameRef(frame.image_id, frame.upload_id, reason, read=not unread)
