"""What a replay says differently; pure.

Bursts of both worlds are joined by their photographs (and ids): whatever is connected is one `Change`. Where both
sides hold the same photographs in one burst each, the verdicts are compared; everything else was grouped differently.
A burst that says the same with other scores is the same.

Some differences are no news of the replay's and are **held**: shown, never promoted. `Held` says which.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from uncia.events import BurstStatus
from uncia.producers.replay.burst_snapshot import Standing


class Kind(StrEnum):
    """What became of a burst."""

    SAME = "same"
    RELABELLED = "relabelled"
    """The same photographs, another verdict."""
    REREAD = "reread"
    """The same photographs and verdict; other photographs of it could be read."""
    SPLIT = "split"
    MERGED = "merged"
    REGROUPED = "regrouped"
    """The same occasion, other photographs."""
    GAINED = "gained"
    """No burst of live holds these photographs."""
    LOST = "lost"
    """No burst of the replay does."""


class Held(StrEnum):
    """Why a difference cannot be promoted."""

    EDGE = "live's burst has photographs that were not selected"
    UNANSWERED = "the replay has no burst for some of its photographs"
    OBJECT_CHANGED = "the store holds another photograph under the key of one that live judged"
    OBJECT_GONE = "a photograph that live could read is not in the store any more"
    OBJECT_UNREAD = "the store did not hand out a photograph that live could read"
    OPEN = "it is not closed yet"
    RECENT = "live may still revise it; try again later"
    LIVE_BEHIND = "live has not answered these photographs yet; try again later"


@dataclass(frozen=True)
class Change:
    """Bursts of live and of the replay that share photographs."""

    live: tuple[Standing, ...]
    replay: tuple[Standing, ...]
    held: Held | None = None

    @cached_property
    def kind(self) -> Kind:
        """What became of live's."""
        if not self.live or not self.replay:
            return Kind.LOST if self.live else Kind.GAINED
        if len(self.live) > 1 or len(self.replay) > 1:
            return Kind.SPLIT if len(self.live) == 1 else Kind.MERGED if len(self.replay) == 1 else Kind.REGROUPED
        live, replay = self.live[0], self.replay[0]
        if live.images != replay.images or live.burst_id != replay.burst_id:
            return Kind.REGROUPED
        if live.says != replay.says:
            return Kind.RELABELLED
        return Kind.SAME if live.rejected == replay.rejected else Kind.REREAD

    @property
    def camera(self) -> str:
        """Whose bursts these are."""
        return (self.live or self.replay)[0].camera

    def pairs(self) -> Iterable[tuple[Standing, Standing, int]]:
        """Which burst became which, with the number of photographs that they share."""
        for live in self.live:
            for replay in self.replay:
                if shared := live.shared_with(replay):
                    yield live, replay, shared


@dataclass
class Comparison:
    """All changes, those that are none included."""

    changes: list[Change] = field(default_factory=list)

    def different(self) -> list[Change]:
        """Changes that are some, by camera and time."""
        return [change for change in self.changes if change.kind is not Kind.SAME]

    def to_promote(self) -> list[Change]:
        """What differs and is not held."""
        return [change for change in self.different() if change.held is None]

    def kinds(self) -> dict[Kind, int]:
        """How many of each kind, all kinds."""
        counted = Counter(change.kind for change in self.changes)
        return {kind: counted[kind] for kind in Kind}

    def held_changes(self) -> list[Change]:
        """What differs and is held, by camera and time."""
        return [change for change in self.different() if change.held is not None]

    def held(self) -> dict[Held, int]:
        """How many differences are held, and why."""
        return dict(Counter(change.held for change in self.held_changes() if change.held))

    def confusion(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Live's verdict and the replay's, to bursts and photographs.

        Photographs are counted by the bursts that hold them. Each burst of live is counted once, with the burst that
        has most of it.
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
class Circumstances:
    """What decides whether a difference is held."""

    now: datetime
    """Log time."""
    lateness: timedelta
    """How long after its close live may revise a burst."""
    lateness_of: Mapping[str, timedelta] = field(default_factory=dict)
    """The same where a camera's deployment has it longer."""
    copied: Collection[str] = frozenset()
    """Upload ids that the replay was given."""
    live_caught_up: bool = True
    """Live has answered whatever was uploaded before the replay was made."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Rejection reasons, by upload id, of what the replay could not read and put into no burst."""


def compare(live: Iterable[Standing], replay: Iterable[Standing], around: Circumstances) -> Comparison:
    """Join and judge."""
    groups: defaultdict[str, tuple[list[Standing], list[Standing]]] = defaultdict(lambda: ([], []))
    joined = _Joined()
    sides = (list(live), list(replay))
    for burst in (*sides[0], *sides[1]):
        joined.join(f"burst {burst.burst_id}", *(f"image {frame.image_id}" for frame in burst.frames))
        joined.join(f"burst {burst.burst_id}", *(f"upload {frame.upload_id}" for frame in burst.frames))
    for side, bursts in enumerate(sides):
        for burst in bursts:
            groups[joined.root(f"burst {burst.burst_id}")][side].append(burst)
    changes = []
    for of_live, of_replay in groups.values():
        change = Change(tuple(of_live), tuple(of_replay))
        changes.append(Change(change.live, change.replay, _held(change, around)))
    changes.sort(key=lambda each: (each.camera, min(burst.burst_id for burst in (*each.live, *each.replay))))
    return Comparison(changes)


def _held(change: Change, around: Circumstances) -> Held | None:
    return _not_what_was_judged(change, around) or _not_settled(change, around)


_UNREAD = {"object-missing": Held.OBJECT_GONE, "object-changed": Held.OBJECT_CHANGED, "object-moved": Held.OBJECT_GONE}


def _not_what_was_judged(change: Change, around: Circumstances) -> Held | None:
    """The replay did not see the photographs that live judged: a verdict without them says nothing about the past.

    Retention and overwriting change the store, not what was once photographed. One such photograph holds everything
    that shares a burst with it on either side.
    """
    before = {frame.upload_id: frame for burst in change.live for frame in burst.frames}
    found = set()
    for frame in (frame for burst in change.replay for frame in burst.frames):
        live = before.pop(frame.upload_id, None)
        if live is not None and not live.read and (frame.read or frame.rejection == live.rejection):
            continue  # read at last, or as little known as before
        if not frame.read:
            found.add(_UNREAD.get(frame.rejection or "", Held.OBJECT_UNREAD))
        elif live is not None and frame.image_id != live.image_id:
            found.add(Held.OBJECT_CHANGED)
    for live in before.values():
        if live.read and live.upload_id in around.unread:
            found.add(_UNREAD.get(around.unread[live.upload_id], Held.OBJECT_UNREAD))
    return next((why for why in Held if why in found), None)


def _not_settled(change: Change, around: Circumstances) -> Held | None:
    images = {image for burst in change.replay for image in burst.images}
    uploads = {frame.upload_id for burst in change.replay for frame in burst.frames}
    for frame in (frame for burst in change.live for frame in burst.frames):
        if frame.image_id in images or frame.upload_id in uploads:
            continue
        return Held.UNANSWERED if frame.upload_id in around.copied else Held.EDGE
    if any(burst.status is BurstStatus.PROVISIONAL for burst in (*change.live, *change.replay)):
        return Held.OPEN
    lateness = max(around.lateness, around.lateness_of.get(change.camera, around.lateness))
    if any(burst.closed_at is not None and around.now - burst.closed_at <= lateness for burst in change.live):
        return Held.RECENT
    known = {image for burst in change.live for image in burst.images}
    if not around.live_caught_up and not images <= known:
        return Held.LIVE_BEHIND
    return None


class _Joined:
    """Union-find over names."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (above := self._above.get(name, name)) != name:
            self._above[name] = self._above.get(above, above)
            name = above
        return name

    def join(self, first: str, *others: str) -> None:
        for other in others:
            ours, theirs = self.root(first), self.root(other)
            if ours != theirs:
                self._above[theirs] = ours
