"""Takes versions out of a camera's state and one in, and finds which frames leave bursts or enter them by that.

Which versions count as frames is decided by `versions.select_visible`.
"""

from collections.abc import Mapping, Sequence

from uncia.processors.bursts.changes import FrameContext
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.state import MAX_HIDDEN_VERSIONS, CameraState
from uncia.processors.bursts.versions import select_visible

FrameMoves = tuple[list[FrameRecord], list[FrameRecord]]
"""Frames that leave their bursts, and frames that enter bursts."""


def update_versions(
    context: FrameContext, removed: Sequence[FrameRecord], version: FrameRecord | None
) -> FrameMoves | None:
    """Remove versions and add one. Returns the frames to move; None where only the time of an upload has changed."""
    state = context.state
    related = [] if version is None else state.family(version)
    if version is not None and not removed and not related:
        state.add_version(version)
        return [], [version]
    family = {other.upload_id: other for old in removed for other in state.family(old)}
    family |= {other.upload_id: other for other in related}
    for old in removed:
        family.pop(old.upload_id, None)
    remaining = [*family.values(), *([] if version is None else [version])]
    counted = select_visible(remaining) if len(remaining) > 1 else remaining
    visible = {other.upload_id: other for other in counted}
    if version is not None and _only_uploaded_again(context, removed, version, family, visible):
        return None
    moves = _apply_visibility(state, removed, family, visible)
    if version is not None and version.upload_id not in visible:
        state.hide(version)
    context.changes.touched = True
    _drop_oldest_hidden(state, remaining)
    return moves


def _only_uploaded_again(
    context: FrameContext,
    removed: Sequence[FrameRecord],
    version: FrameRecord,
    family: Mapping[str, FrameRecord],
    visible: Mapping[str, FrameRecord],
) -> bool:
    """Whether a stored version was uploaded again and the same versions count as before: then only note its time."""
    state, changes = context.state, context.changes
    if [old.upload_id for old in removed] != [version.upload_id] or removed[0].readable is not version.readable:
        return False
    if {name for name in (*family, version.upload_id) if name not in state.hidden} != set(visible):
        return False
    if version.upload_id in state.hidden:
        state.hide(version)
    else:
        burst = state.burst_of(version.image_id)
        assert burst is not None
        # A new list: events that are yet to be built show the old one.
        burst.frames = [version if frame.upload_id == version.upload_id else frame for frame in burst.frames]
        state.add_version(version)
        changes.store(burst)
    changes.touched = True
    return True


def _apply_visibility(
    state: CameraState,
    removed: Sequence[FrameRecord],
    family: Mapping[str, FrameRecord],
    visible: Mapping[str, FrameRecord],
) -> FrameMoves:
    leaving = [old for old in removed if old.upload_id not in state.hidden]
    for old in removed:
        state.unhide(old.upload_id)
        state.remove_version(old.upload_id)
    for other in family.values():
        if other.upload_id not in state.hidden and other.upload_id not in visible:
            leaving.append(other)
            state.hide(other)
    entering = []
    for upload_id, frame in visible.items():
        if upload_id in state.hidden or upload_id not in state.versions:
            state.unhide(upload_id)
            state.add_version(frame)
            entering.append(frame)
    return leaving, entering


def _drop_oldest_hidden(state: CameraState, versions: Sequence[FrameRecord]) -> None:
    hidden = [version for version in versions if version.upload_id in state.hidden]
    for version in sorted(hidden, key=lambda version: (version.stored_at, version.upload_id))[:-MAX_HIDDEN_VERSIONS]:
        state.unhide(version.upload_id)
        state.remove_version(version.upload_id)
        state.seen.add([version.image_id])
