"""Which frames belong together: a function of the frames alone.

Nothing here knows when a frame arrived, whether a burst was closed or what was said before. That is why arrival
order cannot matter: `sessions` calls `divide` on the frames that it holds, whatever the way they came in.

Frames stand in capture order (`Frame.order`), and a burst is a run of neighbours in it:

1. Frames of one sequence (`related` is SAME from each to the next that tells) are together, whatever the gap and
   whatever stands between them.
2. A sequence reset or another event number parts two bursts, however small the gap.
3. Else the gap decides: that of either frame, where a deployment or a camera without seconds gives them another than
   usual, the wider one.
4. A burst of `max_frames` is cut there.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from typing import Protocol

from uncia.events import JoinReason
from uncia.processors.bursts.config import SEQUENCE_REACH
from uncia.processors.bursts.frames import Frame


class Relation(Enum):
    """What the camera itself says about two frames that follow each other."""

    SAME = "same"
    OTHER = "other"
    UNTOLD = "untold"


class Run(Protocol):
    """A burst as far as `around` looks at it."""

    frames: list[Frame]


def related(earlier: Frame, later: Frame) -> Relation:
    """Whether `later` goes on with the sequence of `earlier`; neighbours in capture order."""
    a, b = earlier, later
    by_event = a.event_number is not None and b.event_number is not None
    by_sequence = a.sequence is not None and b.sequence is not None
    if not by_event and not by_sequence:
        return Relation.UNTOLD
    if by_event and a.event_number != b.event_number:
        return Relation.OTHER
    if by_sequence:
        if a.sequence_length != b.sequence_length:
            return Relation.OTHER
        # Cameras with minute precision give one time to several frames: only a later time makes a reset.
        if (b.sequence or 0) <= (a.sequence or 0) and b.at > a.at:
            return Relation.OTHER
    return Relation.SAME if b.at - a.at <= SEQUENCE_REACH else Relation.OTHER


def near(earlier: Frame, later: Frame, gap: timedelta) -> bool:
    """No further apart than the gap."""
    return later.at - earlier.at <= max(earlier.gap(gap), later.gap(gap))


def divide(frames: Sequence[Frame], gap: timedelta, max_frames: int) -> list[list[Frame]]:
    """Frames in capture order, as bursts in capture order."""
    chains, ends = _chains(frames)
    bursts: list[list[Frame]] = []
    chain: int | None = None
    for place, frame in enumerate(frames):
        if not bursts or len(bursts[-1]) >= max_frames:
            apart = True
        elif chain is not None and (chains[place] == chain or ends[chain] > place):
            apart = False
        elif chain is not None and chains[place] is not None and _reset(frames, chains, place):
            apart = True
        else:
            apart = not near(frames[place - 1], frame, gap)
        if apart:
            bursts.append([frame])
            chain = chains[place]
        else:
            bursts[-1].append(frame)
            if chains[place] is not None:
                chain = chains[place]
    return bursts


def joins(frames: Sequence[Frame]) -> list[JoinReason]:
    """What ties each frame of one burst, in capture order, to those before it."""
    chains, ends = _chains(frames)
    reasons: list[JoinReason] = []
    chain: int | None = None
    for place, own in enumerate(chains):
        told = chain is not None and (own == chain or ends[chain] > place)
        reasons.append(JoinReason.FIRST if place == 0 else JoinReason.SEQUENCE if told else JoinReason.GAP)
        chain = chain if own is None else own
    return reasons


def _chains(frames: Sequence[Frame]) -> tuple[list[int | None], list[int]]:
    """For each frame the number of its sequence, or None; for each sequence the place of its last frame."""
    chains: list[int | None] = []
    ends: list[int] = []
    last: Frame | None = None
    for place, frame in enumerate(frames):
        if not frame.told:
            chains.append(None)
            continue
        if last is None or related(last, frame) is not Relation.SAME:
            ends.append(place)
        ends[-1] = place
        chains.append(len(ends) - 1)
        last = frame
    return chains, ends


def _reset(frames: Sequence[Frame], chains: list[int | None], place: int) -> bool:
    previous = next(before for before in range(place - 1, -1, -1) if chains[before] is not None)
    return related(frames[previous], frames[place]) is Relation.OTHER


def around(bursts: Sequence[Run], frame: Frame, gap: timedelta, max_frames: int) -> tuple[int, int]:
    """The range of bursts (in capture order) whose division one more frame can change.

    A frame reaches over the gap; one that tells its sequence reaches to the next burst that tells one on either
    side; and a change before a full burst moves all cuts behind it. `regroup` looks further to the right where those
    that moved reach on.
    """

    def reaches(earlier: Frame, later: Frame, told: bool) -> bool:
        by_sequence = frame.told and not told and later.at - earlier.at <= SEQUENCE_REACH
        return by_sequence or near(earlier, later, gap)

    first = last = bisect_left(bursts, frame.order, key=lambda burst: burst.frames[0].order)
    told = False
    while first > 0:
        left = bursts[first - 1]
        if not reaches(left.frames[-1], frame, told):
            break
        told = told or any(each.told for each in left.frames if each.order < frame.order)
        first -= 1
    told = False
    while last < len(bursts):
        right = bursts[last]
        cut = last > first and len(bursts[last - 1].frames) >= max_frames
        if not cut and not reaches(frame, right.frames[0], told):
            break
        told = told or any(each.told for each in right.frames)
        last += 1
    return first, last


def regroup(bursts: Sequence[Run], frame: Frame, gap: timedelta, max_frames: int) -> tuple[int, int, list[list[Frame]]]:
    """The range of bursts that one more frame changes, and what becomes of them."""
    first, last = around(bursts, frame, gap, max_frames)
    while True:
        held = [each for burst in bursts[first:last] for each in burst.frames]
        groups = divide(sorted([*held, frame], key=lambda each: each.order), gap, max_frames)
        if last == len(bursts) or _settled(bursts, first, last, groups):
            return first, last, groups
        last += 1


def _settled(bursts: Sequence[Run], first: int, last: int, groups: list[list[Frame]]) -> bool:
    """Nothing behind the range can change: `divide` has come to its end as it did before.

    That is so once the last burst comes out as it was. If it tells no sequence, one that began before it may yet go on
    behind it.
    """
    if first == last:
        return len(groups) == 1
    tail, following = bursts[last - 1].frames, bursts[last].frames[0]
    if groups[-1] != tail:
        return False
    if any(each.told for each in tail) or following.at - tail[-1].at > SEQUENCE_REACH:
        return True
    return not any(each.told for group in groups for each in group)
