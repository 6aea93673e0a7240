"""Finds the bursts that frames belong to when they enter or leave, and regroups those bursts.

Three cases, from cheap to expensive: one new frame regroups its neighbourhood; frames that leave, or a clock jump that
is discovered, regroup whole tracks; new knowledge of the camera (`reassign`) may move any frame to another track.
"""

from collections.abc import Sequence

from uncia.processors.bursts.changes import FrameContext
from uncia.processors.bursts.clock_jumps import clock_is_continuous, correct_times
from uncia.processors.bursts.config import BurstConfig
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.grouping import regroup, split_into_bursts
from uncia.processors.bursts.lifecycle import BurstLifecycle
from uncia.processors.bursts.regrouping import Regrouper, TrackRange
from uncia.processors.bursts.state import Burst, CameraState


class Placement:
    """Places frames into the bursts of a camera. Holds no state."""

    def __init__(self, config: BurstConfig, lifecycle: BurstLifecycle, regrouper: Regrouper) -> None:
        self._config = config
        self._lifecycle = lifecycle
        self._regrouper = regrouper

    def place(
        self,
        context: FrameContext,
        leaving: Sequence[FrameRecord],
        entering: Sequence[FrameRecord],
        *,
        reassign: bool,
    ) -> None:
        """Find the places of frames that leave or enter, and of frames that move with them.

        `reassign`: frames that were not touched may belong to another track too.
        """
        alone = len(entering) == 1 and not leaving and not reassign
        if alone and _continues_sequence(context.state, entering[0]):
            self._place_one(context, entering[0])
            return
        leaving, entering = _with_corrected_times(context.state, leaving, entering)
        if len(entering) == 1 and not leaving and not reassign:
            self._place_one(context, entering[0])
            return
        self.regroup_tracks(context, leaving, entering, reassign=reassign)

    def regroup_tracks(
        self,
        context: FrameContext,
        leaving: Sequence[FrameRecord],
        entering: Sequence[FrameRecord],
        *,
        reassign: bool,
    ) -> None:
        """Group the frames of whole tracks again: frames leave, or what is known of the camera has changed."""
        state = context.state
        left = list(leaving)
        placed = [state.assign_track(frame) for frame in entering]
        if reassign:
            for frame, track, assigned in _reassigned(state, {f.upload_id for f in (*leaving, *entering)}):
                left.append(frame)
                placed.append((track, assigned))
        ranges = self._whole_tracks(state, left, placed)
        if not ranges:
            self._lifecycle.enforce_limits(state, context.now, context.changes)
            return
        for _, frame in placed:
            state.add_version(frame)
        self._regrouper.regroup(context, ranges, left, [frame for _, frame in placed])
        self._finish_regrouped(context, placed)

    def _place_one(self, context: FrameContext, frame: FrameRecord) -> None:
        """Put one more frame into its burst."""
        state = context.state
        track, assigned = state.assign_track(frame)
        if assigned is not frame or state.versions[frame.upload_id] is not frame:
            state.add_version(assigned)
        bursts = state.tracks.get(track, [])
        first, last, groups = regroup(bursts, assigned, self._config.gap, self._config.max_frames)
        after = self._regrouper.regroup(context, [TrackRange(track, first, last, groups)], [], [assigned])
        joined = after[0] if len(after) == 1 else next(burst for burst in after if burst.contains(assigned.image_id))
        self._finish(context, track, joined, assigned)

    def _whole_tracks(
        self, state: CameraState, leaving: Sequence[FrameRecord], placed: Sequence[tuple[str, FrameRecord]]
    ) -> list[TrackRange]:
        """Every track that frames leave or are placed in, grouped again from beginning to end."""
        tracks = {state.images[frame.image_id] for frame in leaving} | {track for track, _ in placed}
        left = {frame.image_id for frame in leaving}
        ranges = []
        for track in sorted(tracks):
            bursts = state.tracks.get(track, [])
            frames = [frame for burst in bursts for frame in burst.frames if frame.image_id not in left]
            frames += [frame for to, frame in placed if to == track]
            frames.sort(key=lambda frame: frame.sort_key)
            groups = split_into_bursts(frames, self._config.gap, self._config.max_frames) if frames else []
            ranges.append(TrackRange(track, 0, len(bursts), groups))
        return ranges

    def _finish_regrouped(self, context: FrameContext, placed: Sequence[tuple[str, FrameRecord]]) -> None:
        state, arrived = context.state, context.arrived
        for track, frame in placed:
            if arrived is not None and frame.upload_id == arrived.upload_id and frame.image_id in state.images:
                joined = state.burst_of(frame.image_id)
                assert joined is not None
                self._finish(context, track, joined, frame)
                return
        self._lifecycle.enforce_limits(state, context.now, context.changes)

    def _finish(self, context: FrameContext, track: str, joined: Burst, frame: FrameRecord) -> None:
        """Close what the arrived frame overtakes, and keep the state within its limits."""
        state, changes, now = context.state, context.changes, context.now
        if context.arrived is not None and frame.upload_id == context.arrived.upload_id:
            self._lifecycle.close_overtaken(state, track, joined, frame, now, changes)
        self._lifecycle.enforce_limits(state, now, changes)


def _continues_sequence(state: CameraState, frame: FrameRecord) -> bool:
    """Whether nothing indicates a clock jump in the sequence of this frame: the usual case, kept cheap."""
    if frame.sequence_link is None:
        return True
    return all(clock_is_continuous(other, frame) for other in state.same_sequence(frame))


def _with_corrected_times(
    state: CameraState, leaving: Sequence[FrameRecord], entering: Sequence[FrameRecord]
) -> tuple[list[FrameRecord], list[FrameRecord]]:
    """Frames that leave and enter, with those of their sequences whose corrected time changes by that."""
    moves: dict[str, tuple[FrameRecord, FrameRecord]] = {}
    one_of_each = {frame.sequence_link: frame for frame in (*leaving, *entering) if frame.sequence_link}
    for frame in one_of_each.values():
        members = {other.upload_id: other for other in state.same_sequence(frame)}
        if frame.upload_id in state.versions and frame.upload_id not in state.hidden:
            members[frame.upload_id] = state.versions[frame.upload_id]
        corrected = correct_times(members.values()) if members else {}
        for upload_id, member in members.items():
            if corrected[upload_id] != member.placed_at:
                moves[upload_id] = (member, member.with_changes(placed_at=corrected[upload_id]))
    fresh = {frame.upload_id for frame in entering}
    leaving, entering = list(leaving), list(entering)
    for upload_id, (old, new) in moves.items():
        if upload_id not in fresh:
            leaving.append(old)
        entering = [frame for frame in entering if frame.upload_id != upload_id] + [new]
    return leaving, entering


def _reassigned(state: CameraState, except_for: set[str]) -> list[tuple[FrameRecord, str, FrameRecord]]:
    """Frames in bursts that belong to another track, or are described differently, by what is known now."""
    found = []
    for frame in [f for _, burst in state.bursts() for f in burst.frames if f.upload_id not in except_for]:
        track, assigned = state.assign_track(frame)
        if assigned is not frame or track != state.images[frame.image_id]:
            found.append((frame, track, assigned))
    return found
