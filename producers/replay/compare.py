"""Compares the bursts of a replay with those of the live system; pure.

Bursts of both sides are joined by their photographs and ids: each connected component is one `BurstChange`. Where both
sides have the same photographs in one burst, the verdicts are compared; all other components were grouped differently.
A burst with the same category and verdicts, and other scores or boxes, is unchanged.

Some differences have another cause than the replay's model or settings. They are **held**: shown, never promoted.
`HoldReason` lists the causes.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from uncia.events import BurstStatus
from uncia.producers.replay.burst_snapshot import BurstSnapshot, FrameRef


class ChangeKind(StrEnum):
    """How the replay's bursts differ from the live ones."""

    SAME = "same"
    RELABELLED = "relabelled"
    """The same photographs, another category or verdict, or a person in them that only one side found."""
    REREAD = "reread"
    """The same photographs and verdict; other photographs of the burst could be read."""
    SPLIT = "split"
    MERGED = "merged"
    REGROUPED = "regrouped"
    """As many bursts, with other photographs or another id."""
    GAINED = "gained"
    """No live burst contains these photographs."""
    LOST = "lost"
    """No burst of the replay contains them."""


class HoldReason(StrEnum):
    """Why a difference cannot be promoted. The values are printed, and are keys of the JSON output."""

    EDGE = "live's burst has photographs that were not selected"
    UNANSWERED = "the replay has no burst for some of its photographs"
    OBJECT_CHANGED = "the store holds another photograph under the key of one that live judged"
    OBJECT_GONE = "a photograph that live could read is not in the store any more"
    OBJECT_UNREAD = "the store did not hand out a photograph that live could read"
    OPEN = "it is not closed yet"
    RECENT = "live may still revise it; try again later"
    LIVE_BEHIND = "live has not answered these photographs yet; try again later"


@dataclass(frozen=True)
class BurstChange:
    """Live bursts and replay bursts that share photographs."""

    live: tuple[BurstSnapshot, ...]
    replay: tuple[BurstSnapshot, ...]
    held: HoldReason | None = None

    @cached_property
    def kind(self) -> ChangeKind:
        """What the replay changes about the live bursts."""
        if not self.live or not self.replay:
            return ChangeKind.LOST if self.live else ChangeKind.GAINED
        if len(self.live) > 1 or len(self.replay) > 1:
            if len(self.live) == 1:
                return ChangeKind.SPLIT
            return ChangeKind.MERGED if len(self.replay) == 1 else ChangeKind.REGROUPED
        live, replay = self.live[0], self.replay[0]
        if live.images != replay.images or live.burst_id != replay.burst_id:
            return ChangeKind.REGROUPED
        if live.statement != replay.statement:
            return ChangeKind.RELABELLED
        return ChangeKind.SAME if live.rejected == replay.rejected else ChangeKind.REREAD

    @property
    def camera(self) -> str:
        """The camera of all its bursts."""
        return (self.live or self.replay)[0].camera

    def live_frames(self) -> Iterator[FrameRef]:
        """The photographs of the live bursts."""
        return (frame for burst in self.live for frame in burst.frames)

    def replay_frames(self) -> Iterator[FrameRef]:
        """The photographs of the replay's bursts."""
        return (frame for burst in self.replay for frame in burst.frames)

    def pairs(self) -> Iterable[tuple[BurstSnapshot, BurstSnapshot, int]]:
        """Live burst, replay burst, number of shared photographs, for all that share any."""
        for live in self.live:
            for replay in self.replay:
                if shared := live.count_shared(replay):
                    yield live, replay, shared


@dataclass
class ReplayComparison:
    """All changes, unchanged bursts included, by camera and time."""

    changes: list[BurstChange] = field(default_factory=list)

    def different(self) -> list[BurstChange]:
        """Changes without the unchanged bursts."""
        return [change for change in self.changes if change.kind is not ChangeKind.SAME]

    def to_promote(self) -> list[BurstChange]:
        """Differences that are not held."""
        return [change for change in self.different() if change.held is None]

    def kinds(self) -> dict[ChangeKind, int]:
        """The number of changes of each kind, zeros included."""
        counted = Counter(change.kind for change in self.changes)
        return {kind: counted[kind] for kind in ChangeKind}

    def held_changes(self) -> list[BurstChange]:
        """Differences that are held."""
        return [change for change in self.different() if change.held is not None]

    def held(self) -> dict[HoldReason, int]:
        """The number of held differences by reason."""
        return dict(Counter(change.held for change in self.held_changes() if change.held))

    def confusion(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Maps (live label, replay label) to the numbers of bursts and photographs.

        A photograph counts for each pair of bursts that contain it. A live burst counts once, with the replay burst
        that shares most of its photographs.
        """
        bursts: Counter[tuple[str, str]] = Counter()
        frames: Counter[tuple[str, str]] = Counter()
        for change in self.changes:
            most: dict[str, tuple[int, str, tuple[str, str]]] = {}
            for live, replay, shared in change.pairs():
                labels = (live.label, replay.label)
                frames[labels] += shared
                most[live.burst_id] = max(most.get(live.burst_id, (0, "", labels)), (shared, replay.burst_id, labels))
            bursts.update(labels for _, _, labels in most.values())
        return {labels: (bursts[labels], frames[labels]) for labels in frames}


@dataclass(frozen=True)
class HoldContext:
    """Further inputs of the decision whether a difference is held."""

    now: datetime
    """Log time."""
    lateness: timedelta
    """How long after its close the live system may revise a burst."""
    camera_lateness: Mapping[str, timedelta] = field(default_factory=dict)
    """The same for cameras whose deployment sets a longer one."""
    copied: Collection[str] = frozenset()
    """Upload ids that were copied into the replay."""
    live_caught_up: bool = True
    """The live system has processed every upload from before the replay was created."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Rejection reasons, by upload id, of photographs that the replay could not read and put into no burst."""


def compare_bursts(
    live: Iterable[BurstSnapshot], replay: Iterable[BurstSnapshot], context: HoldContext
) -> ReplayComparison:
    """Join the bursts of both sides, and decide which differences are held."""
    sides = (list(live), list(replay))
    components = _Components()
    for burst in (*sides[0], *sides[1]):
        components.join(f"burst {burst.burst_id}", *(f"image {frame.image_id}" for frame in burst.frames))
        components.join(f"burst {burst.burst_id}", *(f"upload {frame.upload_id}" for frame in burst.frames))
    groups: defaultdict[str, tuple[list[BurstSnapshot], list[BurstSnapshot]]] = defaultdict(lambda: ([], []))
    for side, bursts in enumerate(sides):
        for burst in bursts:
            groups[components.root(f"burst {burst.burst_id}")][side].append(burst)
    changes = []
    for of_live, of_replay in groups.values():
        change = BurstChange(tuple(of_live), tuple(of_replay))
        changes.append(BurstChange(change.live, change.replay, _hold_reason(change, context)))
    changes.sort(key=lambda change: (change.camera, min(burst.burst_id for burst in (*change.live, *change.replay))))
    return ReplayComparison(changes)


def _hold_reason(change: BurstChange, context: HoldContext) -> HoldReason | None:
    return _content_differs(change, context) or _not_final(change, context)


_UNREAD = {
    "object-missing": HoldReason.OBJECT_GONE,
    "object-changed": HoldReason.OBJECT_CHANGED,
    "object-moved": HoldReason.OBJECT_GONE,
}


def _content_differs(change: BurstChange, context: HoldContext) -> HoldReason | None:
    """Return whether the replay could not read the content of the live verdict, which its verdict must not replace.

    Retention and overwriting do not invalidate the live verdict. One such photograph holds everything
    that shares a burst with it on either side.
    """
    not_replayed = {frame.upload_id: frame for frame in change.live_frames()}
    reasons = set()
    for frame in change.replay_frames():
        live = not_replayed.pop(frame.upload_id, None)
        if live is not None and not live.read and (frame.read or frame.rejection == live.rejection):
            continue  # readable now, or rejected in both
        if not frame.read:
            reasons.add(_UNREAD.get(frame.rejection or "", HoldReason.OBJECT_UNREAD))
        elif live is not None and frame.image_id != live.image_id:
            reasons.add(HoldReason.OBJECT_CHANGED)
    for live in not_replayed.values():
        if live.read and live.upload_id in context.unread:
            reasons.add(_UNREAD.get(context.unread[live.upload_id], HoldReason.OBJECT_UNREAD))
    return next((reason for reason in HoldReason if reason in reasons), None)


def _not_final(change: BurstChange, context: HoldContext) -> HoldReason | None:
    """Return the reason if one side is incomplete or can still change."""
    images = {image for burst in change.replay for image in burst.images}
    uploads = {frame.upload_id for frame in change.replay_frames()}
    for frame in change.live_frames():
        if frame.image_id in images or frame.upload_id in uploads:
            continue
        return HoldReason.UNANSWERED if frame.upload_id in context.copied else HoldReason.EDGE
    if any(burst.status is BurstStatus.PROVISIONAL for burst in (*change.live, *change.replay)):
        return HoldReason.OPEN
    lateness = max(context.lateness, context.camera_lateness.get(change.camera, context.lateness))
    if any(burst.closed_at is not None and context.now - burst.closed_at <= lateness for burst in change.live):
        return HoldReason.RECENT
    live_images = {image for burst in change.live for image in burst.images}
    if not context.live_caught_up and not images <= live_images:
        return HoldReason.LIVE_BEHIND
    return None


class _Components:
    """Connected components of names (union-find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (parent := self._parent.get(name, name)) != name:
            self._parent[name] = self._parent.get(parent, parent)
            name = parent
        return name

    def join(self, first: str, *others: str) -> None:
        for other in others:
            first_root, other_root = self.root(first), self.root(other)
            if first_root != other_root:
                self._parent[other_root] = first_root
