"""The sessioniser: frames and time go in, events come out.

**Time reveals, it never decides.** A camera's clock is the latest log time of its own frames (`arrived_at`). An
open burst has a deadline: the arrival of its last frame plus the idle time. A frame that arrives at A first closes
every burst of its camera whose deadline is at or before A, *at that deadline*; then it is applied. A tick does the
first half for silent cameras. No frame that is read after a legal tick arrived before it (`tick_order`), so the tick
only shows earlier what the next frame would have shown: the events, their order and every byte are those of the frame
log alone.

**Membership is a function of the frames** (`grouping`); closing only determines the status of an event: `provisional`
while open, `final` at the close, `revised` when a frame joins later. So any arrival order ends in the same bursts, ids
and verdicts.

A burst closes
- `sequence`: when as many frames as its camera announced are in;
- `watermark`: when a frame of the same track arrives that was taken later than its end by more than the gap and
  `REORDER_TOLERANCE`, unless its camera announced more frames than are in. That frame is compared, not the latest time
  ever seen: a single photograph of the year 2070, or a live frame in the middle of an SD card, closes what is open at
  that moment and affects nothing that comes after;
- `idle`: at its deadline.

**Lateness.** A closed burst is stored until `lateness` after its close, and frames revise it meanwhile. Then it
expires, as does the one closed longest ago when more than `MAX_STATE_FRAMES` are stored. A frame that comes later
belongs to a late burst, which is opened and closed as any other: no frame is ever without a final burst.

**What counts as a frame** is a function of the uploads in the state (`versions`): a later upload under the same key,
a copy, a larger size, a move to another camera. What is known of a camera (`camera_bodies`, `clock_jumps`) may change
with any frame. So frames also leave bursts; the bursts around them are then regrouped as if they had never arrived.

**Second looks** (`second_looks`) add evidence to frames and change neither membership nor time.

A repetition (same upload) changes nothing; it only shows that time has passed.

A revision number rises by one with every event of its id. A superseded id is never used again: the camera's
`seen` set has it, and a burst whose frames would give it takes an id derived from it.
"""

from datetime import datetime

from uncia.events import IMAGE_FORGOTTEN, OBJECT_MOVED, ImagePredicted, SecondLookCompleted
from uncia.processors.bursts.changes import FrameContext, StateChanges
from uncia.processors.bursts.config import BurstConfig, BurstOverrides
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.lifecycle import BurstLifecycle
from uncia.processors.bursts.placement import Placement
from uncia.processors.bursts.regrouping import Regrouper
from uncia.processors.bursts.second_looks import stored_second_looks
from uncia.processors.bursts.state import MAX_MOVED_KEYS, CameraState
from uncia.processors.bursts.verdict import VerdictBuilder
from uncia.processors.bursts.version_update import update_versions
from uncia.processors.bursts.versions import merge_repeated, stored_by
from uncia.storage.photograph_names import is_unreadable_photograph


class Sessioniser:
    """Applies frames and time to a camera's state. Holds no state itself."""

    def __init__(self, config: BurstConfig, verdicts: VerdictBuilder) -> None:
        self._lifecycle = BurstLifecycle(config, verdicts)
        self._placement = Placement(config, self._lifecycle, Regrouper(config, verdicts, self._lifecycle))

    def apply_prediction(
        self, state: CameraState, event: ImagePredicted, overrides: BurstOverrides | None, logged_at: datetime
    ) -> StateChanges:
        """Apply the prediction or rejection of one upload, logged at `logged_at` (aware).

        What is no photograph is no frame; it only shows that time has passed. Raises `PermanentError`, as
        `FrameRecord.from_prediction`.
        """
        reason = event.rejection.reason if event.rejection else None
        leaves = reason in (OBJECT_MOVED, IMAGE_FORGOTTEN)
        if reason is not None and not leaves and not is_unreadable_photograph(event.key, reason):
            return self._advance_log_time(state, logged_at)
        frame = FrameRecord.from_prediction(event, overrides)
        apply = self.apply_move if leaves else self.apply_frame
        return apply(state, event.station, frame, logged_at)

    def apply_frame(self, state: CameraState, station: str, frame: FrameRecord, logged_at: datetime) -> StateChanges:
        """Apply one frame that was logged at `logged_at` (aware)."""
        changes = self._advance_log_time(state, logged_at)
        context = FrameContext(state, station, frame, changes)
        stored = state.versions.get(frame.upload_id)
        if stored is not None:
            merged = merge_repeated(stored, frame)
            if merged is not stored:
                self._replace(context, [stored], merged)
            return changes
        if frame.image_id not in state.images and frame.image_id in state.seen:
            return changes
        reassign = state.record_source(frame)
        if state.moved and _moved_away(state, frame):
            if reassign:
                self._placement.regroup_tracks(FrameContext(state, station, None, changes), [], [], reassign=True)
            return changes
        self._replace(context, [], frame, reassign=reassign)
        return changes

    def apply_move(self, state: CameraState, station: str, frame: FrameRecord, logged_at: datetime) -> StateChanges:
        """Apply that the photograph of this upload belongs to another camera now, or is forgotten: the versions of its
        key leave, and what is said of them later changes nothing."""
        changes = self._advance_log_time(state, logged_at)
        place = _place(frame)
        last = max(frame.uploaded_at, state.moved.pop(place, frame.uploaded_at))
        state.moved[place] = last
        while len(state.moved) > MAX_MOVED_KEYS:
            del state.moved[next(iter(state.moved))]
        if _move_mark(frame) not in state.seen:
            state.seen.add([_move_mark(frame)])
        changes.touched = True
        leaving = [
            version for version in state.versions_at(frame.bucket, frame.key) if stored_by(version, frame.uploaded_at)
        ]
        if leaving:
            self._replace(FrameContext(state, station, frame, changes), leaving, None)
        return changes

    def apply_second_looks(self, state: CameraState, event: SecondLookCompleted, logged_at: datetime) -> StateChanges:
        """Apply second looks. They are no sign that log time has passed: only frames and ticks are.

        Raises `PermanentError` for an event whose class vectors hold no probabilities.
        """
        return self._lifecycle.apply_second_looks(state, list(stored_second_looks(event)), logged_at)

    def advance_time(self, state: CameraState, now: datetime) -> StateChanges:
        """Apply that log time has reached `now`: close what is due, and expire what nothing can revise any more."""
        return self._lifecycle.advance_time(state, now)

    def _advance_log_time(self, state: CameraState, logged_at: datetime) -> StateChanges:
        """Apply that something of this camera was logged at `logged_at` (aware)."""
        at = logged_at if state.arrived_at is None else max(state.arrived_at, logged_at)
        state.arrived_at = at
        return self._lifecycle.advance_time(state, at)

    def _replace(
        self,
        context: FrameContext,
        removed: list[FrameRecord],
        version: FrameRecord | None,
        *,
        reassign: bool = False,
    ) -> None:
        """Take versions out and one in, and place the frames that leave or enter bursts by that."""
        moves = update_versions(context, removed, version)
        if moves is not None:
            self._placement.place(context, *moves, reassign=reassign)


def _moved_away(state: CameraState, frame: FrameRecord) -> bool:
    """Whether a photograph that arrives is known to have moved to another camera already."""
    moved_at = state.moved.get(_place(frame))
    return (moved_at is not None and stored_by(frame, moved_at)) or _move_mark(frame) in state.seen


def _place(frame: FrameRecord) -> str:
    return f"{frame.bucket}/{frame.key}"


def _move_mark(frame: FrameRecord) -> str:
    return f"moved {frame.upload_id} {frame.uploaded_at.replace(microsecond=0).isoformat()}"
