"""Which burst continues which when frames are regrouped: ids, successors, origins, and the list of changes.

Functions of the bursts before and after; only `name_origins` writes, into the new bursts.
"""

from collections.abc import Mapping, Sequence

from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.state import Burst, CameraState
from uncia.processors.bursts.versions import find_replacement


def choose_id(state: CameraState, burst: Burst, sources: Sequence[Burst]) -> str:
    """The id that follows from the burst's frames, or one derived from that where it was superseded before.

    `sources` are the bursts that its frames were in; their ids are in use and may be taken over.
    """
    in_use = {source.id for source in sources}
    attempt = 1
    while True:
        name = burst.derive_id(state.camera, attempt)
        if name in in_use or not (name in burst.former or name in state.seen):
            return name
        attempt += 1


def find_successor(
    state: CameraState, old: Burst, after: Sequence[Burst], left: Mapping[str, FrameRecord]
) -> Burst | None:
    """The burst that holds the old one's first frame, else any frame of it, else a replacement of its frames.

    `left`: the frames that left their bursts, by image id.
    """
    for frame in (old.earliest, *old.frames):
        if found := next((burst for burst in after if burst.contains(frame.image_id)), None):
            return found
    for frame in old.frames:
        gone = left.get(frame.image_id, frame)
        visible = [other for other in state.family(gone) if other.upload_id not in state.hidden]
        if replaced_by := find_replacement(gone, visible):
            return state.burst_of(replaced_by.image_id)
    return None


def name_origins(before: Sequence[Burst], new: Sequence[Burst], after: Sequence[Burst]) -> None:
    """Set `split_from` of new bursts that are parts of a burst that was split."""
    if len(after) < 2:
        return
    known = {burst.id for burst in before}
    for burst in new:
        if burst.id in known:
            continue
        shares = []
        for old in before:
            taken_over = sum(burst.contains(frame.image_id) for frame in old.frames)
            elsewhere = any(
                other is not burst and other.contains(frame.image_id) for other in after for frame in old.frames
            )
            if taken_over and elsewhere:
                shares.append((taken_over, old.id))
        if shares:
            burst.split_from = max(shares)[1]


def describe_changes(
    state: CameraState,
    burst: Burst,
    before: Sequence[Burst],
    leaving: Sequence[FrameRecord],
    arrived: FrameRecord | None,
    late_for: str | None,
) -> tuple[str, ...]:
    """What happened to a burst, as sentences for its event. `late_for`: the burst that `arrived` came too late for."""
    if late_for and arrived is not None:
        return (f"{arrived.image_id} arrived too late for {late_for}",)
    members = {frame.image_id for frame in burst.frames}
    left = {frame.image_id: frame for frame in leaving}
    sentences: list[str] = []
    for old in before:
        sentences += _compare(state, burst, members, old, left, arrived)
    if arrived is not None and arrived.image_id in members and not burst.open:
        sentences.append(f"{arrived.image_id} arrived late")
    return tuple(sentences)


def _compare(
    state: CameraState,
    burst: Burst,
    members: set[str],
    old: Burst,
    left: Mapping[str, FrameRecord],
    arrived: FrameRecord | None,
) -> list[str]:
    """What became of the frames of one old burst, from the point of view of `burst`, whose frames are `members`."""
    taken_over = sum(frame.image_id in members for frame in old.frames)
    from_other = [f"{taken_over} frames came from {old.id}"] if old.id != burst.id else []
    if taken_over == len(old.frames):
        return from_other
    if old.id != burst.id and not taken_over:
        return []
    sentences = from_other
    elsewhere = sum(frame.image_id in state.images and frame.image_id not in members for frame in old.frames)
    if old.id == burst.id and elsewhere:
        sentences.append(f"{elsewhere} frames went to another burst")
    gone = [left[frame.image_id] for frame in old.frames if frame.image_id in left and frame.image_id not in members]
    return sentences + [_why_gone(state, frame, arrived) for frame in gone if frame.image_id not in state.images]


def _why_gone(state: CameraState, frame: FrameRecord, arrived: FrameRecord | None) -> str:
    if frame.upload_id in state.hidden and arrived is not None:
        return f"{frame.image_id} was replaced by {arrived.image_id}"
    return f"{frame.image_id} belongs to another camera now"
