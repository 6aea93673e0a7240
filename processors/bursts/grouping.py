"""Which frames belong together: a function of the frames alone.

Nothing here knows when a frame arrived, whether a burst was closed or what was published before. That is why arrival
order cannot matter: the sessioniser calls `split_into_bursts` on the frames that it holds, in whatever order they
came.

Frames are in capture order (`FrameRecord.sort_key`), and a burst is a run of neighbours in it:

1. Frames of one sequence (`relation` is SAME from each to the next numbered one) are together, whatever the gap and
   whatever lies between them.
2. A sequence reset or another event number separates two bursts, however small the gap.
3. Otherwise the gap decides: the wider of the two frames' gaps, where a deployment or a camera without seconds gives
   one of them another gap than usual.
4. A burst of `max_frames` is cut there.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol, TypeVar

from uncia.events import JoinReason
from uncia.processors.bursts.config import MAX_SEQUENCE_STEP
from uncia.processors.bursts.frame_record import FrameRecord


class Relation(Enum):
    """What the camera's own numbers say about two consecutive frames."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


class Groupable(Protocol):
    """What the grouping reads of a frame of a burst, or of a window of a sound recording."""

    @property
    def effective_time(self) -> datetime:
        """When it was captured; naive."""

    @property
    def numbered(self) -> bool:
        """Whether the camera wrote a sequence or event number."""

    @property
    def event_number(self) -> int | None:
        """The number of its trigger."""

    @property
    def sequence(self) -> int | None:
        """n of `n of m`."""

    @property
    def sequence_length(self) -> int | None:
        """m of `n of m`."""

    def max_gap(self, gap: timedelta) -> timedelta:
        """The longest time to its neighbour in a burst, where `gap` is the usual one."""


FrameT = TypeVar("FrameT", bound=Groupable)


class HasFrames(Protocol):
    """What the functions below need of a burst."""

    frames: list[FrameRecord]


def relation(earlier: Groupable, later: Groupable) -> Relation:
    """Whether `later` continues the sequence of `earlier`; neighbours in capture order."""
    a, b = earlier, later
    by_event = a.event_number is not None and b.event_number is not None
    by_sequence = a.sequence is not None and b.sequence is not None
    if not by_event and not by_sequence:
        return Relation.UNKNOWN
    if by_event and a.event_number != b.event_number:
        return Relation.DIFFERENT
    if by_sequence:
        if a.sequence_length != b.sequence_length:
            return Relation.DIFFERENT
        # Cameras with minute precision give one time to several frames: only a later time makes a reset.
        if (b.sequence or 0) <= (a.sequence or 0) and b.effective_time > a.effective_time:
            return Relation.DIFFERENT
    return Relation.SAME if b.effective_time - a.effective_time <= MAX_SEQUENCE_STEP else Relation.DIFFERENT


def within_gap(earlier: Groupable, later: Groupable, gap: timedelta) -> bool:
    """Whether two frames are no further apart than the wider of their gaps."""
    return later.effective_time - earlier.effective_time <= max(earlier.max_gap(gap), later.max_gap(gap))


def split_into_bursts(frames: Sequence[FrameT], gap: timedelta, max_frames: int) -> list[list[FrameT]]:
    """Split frames in capture order into bursts in capture order."""
    chains, ends = _chains(frames)
    bursts: list[list[FrameT]] = []
    chain: int | None = None
    for place, frame in enumerate(frames):
        if not bursts or len(bursts[-1]) >= max_frames:
            starts_burst = True
        elif chain is not None and (chains[place] == chain or ends[chain] > place):
            starts_burst = False
        elif chain is not None and chains[place] is not None and _is_reset(frames, chains, place):
            starts_burst = True
        else:
            starts_burst = not within_gap(frames[place - 1], frame, gap)
        if starts_burst:
            bursts.append([frame])
            chain = chains[place]
        else:
            bursts[-1].append(frame)
            if chains[place] is not None:
                chain = chains[place]
    return bursts


def join_reasons(frames: Sequence[FrameRecord]) -> list[JoinReason]:
    """For each frame of one burst, in capture order, what connects it to the frames before it."""
    chains, ends = _chains(frames)
    reasons: list[JoinReason] = []
    chain: int | None = None
    for place, own in enumerate(chains):
        by_sequence = chain is not None and (own == chain or ends[chain] > place)
        reasons.append(JoinReason.FIRST if place == 0 else JoinReason.SEQUENCE if by_sequence else JoinReason.GAP)
        chain = chain if own is None else own
    return reasons


def _chains(frames: Sequence[Groupable]) -> tuple[list[int | None], list[int]]:
    """For each frame the index of its sequence, or None; for each sequence the index of its last frame."""
    chains: list[int | None] = []
    ends: list[int] = []
    last: Groupable | None = None
    for place, frame in enumerate(frames):
        if not frame.numbered:
            chains.append(None)
            continue
        if last is None or relation(last, frame) is not Relation.SAME:
            ends.append(place)
        ends[-1] = place
        chains.append(len(ends) - 1)
        last = frame
    return chains, ends


def _is_reset(frames: Sequence[Groupable], chains: list[int | None], place: int) -> bool:
    previous = next(before for before in range(place - 1, -1, -1) if chains[before] is not None)
    return relation(frames[previous], frames[place]) is Relation.DIFFERENT


def affected_range(bursts: Sequence[HasFrames], frame: FrameRecord, gap: timedelta, max_frames: int) -> tuple[int, int]:
    """The range of bursts (in capture order; first, last excluded) that one more frame may regroup.

    A frame reaches across the gap; a numbered one reaches to the next numbered burst on either side; and a change
    before a full burst moves all cuts behind it. `regroup` extends the range to the right where bursts that changed
    reach further.
    """

    def reaches(earlier: FrameRecord, later: FrameRecord, numbered_between: bool) -> bool:
        step = later.effective_time - earlier.effective_time
        by_sequence = frame.numbered and not numbered_between and step <= MAX_SEQUENCE_STEP
        return by_sequence or within_gap(earlier, later, gap)

    first = last = bisect_left(bursts, frame.sort_key, key=lambda burst: burst.frames[0].sort_key)
    numbered = False
    while first > 0:
        left = bursts[first - 1]
        if not reaches(left.frames[-1], frame, numbered):
            break
        numbered = numbered or any(other.numbered for other in left.frames if other.sort_key < frame.sort_key)
        first -= 1
    numbered = False
    while last < len(bursts):
        right = bursts[last]
        cut = last > first and len(bursts[last - 1].frames) >= max_frames
        if not cut and not reaches(frame, right.frames[0], numbered):
            break
        numbered = numbered or any(other.numbered for other in right.frames)
        last += 1
    return first, last


def regroup(
    bursts: Sequence[HasFrames], frame: FrameRecord, gap: timedelta, max_frames: int
) -> tuple[int, int, list[list[FrameRecord]]]:
    """The range of bursts that one more frame changes, and the groups of frames that replace them."""
    first, last = affected_range(bursts, frame, gap, max_frames)
    while True:
        held = [other for burst in bursts[first:last] for other in burst.frames]
        groups = split_into_bursts(sorted([*held, frame], key=lambda other: other.sort_key), gap, max_frames)
        if last == len(bursts) or _is_stable(bursts, first, last, groups):
            return first, last, groups
        last += 1


def _is_stable(bursts: Sequence[HasFrames], first: int, last: int, groups: list[list[FrameRecord]]) -> bool:
    """Whether nothing behind the range can change: `split_into_bursts` reaches its end in the same state as before.

    That is so once the last burst of the range comes out unchanged. If no frame of it is numbered, a sequence that
    began before it may still continue behind it.
    """
    if first == last:
        return len(groups) == 1
    tail, following = bursts[last - 1].frames, bursts[last].frames[0]
    if groups[-1] != tail:
        return False
    if any(frame.numbered for frame in tail):
        return True
    if following.effective_time - tail[-1].effective_time > MAX_SEQUENCE_STEP:
        return True
    return not any(frame.numbered for group in groups for frame in group)
