"""How a burst closes, is published and expires; and the limits of a camera's state. See `sessions` for the rules."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from uncia.events import BurstStatus, CloseReason, StaticObject, StaticObjectsChanged, StaticObjectsCleared
from uncia.processors.bursts.changes import PendingEvent, StateChanges
from uncia.processors.bursts.config import (
    MAX_EXPIRED_BURSTS,
    MAX_OPEN_BURSTS,
    MAX_STATE_FRAMES,
    REORDER_TOLERANCE,
    BurstConfig,
    CategoryConfig,
)
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.second_looks import StoredSecondLook
from uncia.processors.bursts.state import Burst, CameraState, ExpiredBurst
from uncia.processors.bursts.verdict import VerdictBuilder

LATE = "late"
TWO_CAMERAS = "two-cameras"
CLOCK_JUMP = "clock-jump"


class BurstLifecycle:
    """Closes, publishes and expires bursts. Changes the state that it is given and holds none itself."""

    def __init__(self, config: BurstConfig, verdicts: VerdictBuilder) -> None:
        self._config = config
        self._verdicts = verdicts

    def advance_time(self, state: CameraState, now: datetime) -> StateChanges:
        """Close what is due by `now`, each burst at its own deadline, and expire what nothing can revise any more."""
        changes, config = StateChanges(), self._config
        due = [burst for burst in state.open_bursts.values() if burst.deadline(config) <= now]
        for burst in sorted(due, key=lambda burst: (burst.deadline(config), burst.id)):
            self.close(state, burst, CloseReason.IDLE, burst.deadline(config), changes)
        while (first := state.first_to_expire()) and now > first[1].expires_at:
            self._expire(state, *first, changes)
        return changes

    def close(self, state: CameraState, burst: Burst, reason: CloseReason, at: datetime, changes: StateChanges) -> None:
        """Close a burst and publish its final verdict."""
        burst.closed_by, burst.closed_at = reason, at
        burst.kept_until = at + self._config.lateness_for(burst.frames[0].overrides)
        state.register_closed(burst)
        self.publish(state, burst, BurstStatus.FINAL, changes)

    def publish(self, state: CameraState, burst: Burst, status: BurstStatus, changes: StateChanges) -> None:
        """Add one more event about a burst, with the next revision number."""
        burst.revision += 1
        flags = ((LATE, burst.late), (TWO_CAMERAS, state.bodies.alternating), (CLOCK_JUMP, burst.clock_jumped))
        burst.flags = tuple(flag for flag, applies in flags if applies)
        # The event shows the burst as it is now; the burst goes on changing.
        snapshot = (
            replace(burst, frames=state.with_second_looks(burst.frames)) if state.second_looks else replace(burst)
        )
        static = state.static.boxes(self._config.category.static_hits)
        build = partial(self._verdicts.resolved_event, state.camera, snapshot, status, static)
        pending = PendingEvent(burst.id, status, build)
        if status is not BurstStatus.PROVISIONAL:
            verdict = pending.event.verdict
            name = (verdict.taxon or verdict.label) if verdict else ""
            if status is BurstStatus.REVISED and name != burst.verdict:
                snapshot.changes = (*snapshot.changes, f"verdict: {burst.verdict or 'none'} became {name or 'none'}")
                pending.event = pending.event.model_copy(update={"changes": snapshot.changes})
            burst.verdict = name
        burst.changes = ()
        changes.pending.append(pending)
        changes.store(burst)

    def apply_second_looks(
        self, state: CameraState, looks: Iterable[StoredSecondLook], logged_at: datetime
    ) -> StateChanges:
        """Apply second looks that were logged at `logged_at`, and publish the bursts that have their frames.

        A second look at a frame that is not known yet is stored until it is. One at a burst that could no longer be
        revised at `logged_at` is dropped: the log's time decides, so that it does not matter what was read before.
        """
        changes = StateChanges()
        looked: dict[str, tuple[Burst, int]] = {}
        for look in looks:
            burst = state.burst_of(look.image_id)
            if burst is None and look.image_id in state.seen:
                continue
            if burst is not None and not burst.open and burst.expires_at < logged_at:
                continue
            if not look.replaces(state.second_looks.get(look.image_id)):
                continue
            state.add_second_look(look)
            changes.touched = True
            if burst is not None:
                looked[burst.id] = (burst, looked.get(burst.id, (burst, 0))[1] + 1)
        for _, (burst, frames) in sorted(looked.items()):
            burst.changes = (*burst.changes, f"second look at {frames} {'frame' if frames == 1 else 'frames'}")
            status = BurstStatus.PROVISIONAL if burst.open else BurstStatus.REVISED
            self.publish(state, burst, status, changes)
        return changes

    def close_overtaken(
        self, state: CameraState, track: str, joined: Burst, frame: FrameRecord, at: datetime, changes: StateChanges
    ) -> None:
        """Close bursts that lie so far before this frame, which is in `joined`, that their own frames should be in."""
        reach = self._config.gap + REORDER_TOLERANCE
        overtaken = [
            burst
            for burst in state.open_bursts.values()
            if burst is not joined
            and frame.effective_time - burst.frames[-1].effective_time > reach
            # Where frames come in parallel or backwards, its missing numbers may still be on their way.
            and not burst.awaits_frames
            and state.bursts_by_id[burst.id][0] == track
        ]
        for burst in sorted(overtaken, key=lambda burst: burst.frames[0].sort_key):
            self.close(state, burst, CloseReason.WATERMARK, at, changes)

    def enforce_limits(self, state: CameraState, at: datetime, changes: StateChanges) -> None:
        """Close and expire bursts until the state is within `MAX_OPEN_BURSTS` and `MAX_STATE_FRAMES`."""
        while len(state.open_bursts) > MAX_OPEN_BURSTS or (
            len(state.versions) > MAX_STATE_FRAMES and len(state.open_bursts) > 1
        ):
            if len(state.open_bursts) <= MAX_OPEN_BURSTS and state.first_to_expire():
                break
            longest = min(state.open_bursts.values(), key=lambda burst: (burst.last_arrival, burst.id))
            self.close(state, longest, CloseReason.WATERMARK, at, changes)
        while len(state.versions) > MAX_STATE_FRAMES and (first := state.first_to_expire()):
            self._expire(state, *first, changes)

    def _expire(self, state: CameraState, track: str, burst: Burst, changes: StateChanges) -> None:
        """Remove a burst, and count its boxes: nothing can revise it any more."""
        category = self._config.category
        observe_burst(state, burst, category, changes)
        _expire(state, track, burst, changes)


def observe_burst(state: CameraState, burst: Burst, category: CategoryConfig, changes: StateChanges) -> None:
    """Count the boxes of a burst that nothing can revise any more towards the static objects of its camera.

    A late burst is not counted: its frames belong to a burst that was.
    """
    detected = [frame for frame in burst.frames if frame.has_detections]
    if not detected or burst.late:
        return
    before = list(map(id, state.static.static(category.static_hits)))
    found = [(stored.score, stored.box) for frame in detected for stored in frame.boxes]
    state.static.observe(found, category.static_iou)
    changes.touched = True
    if sorted(before) != sorted(map(id, state.static.static(category.static_hits))):
        changes.static = static_objects_event(state, category.static_hits)


def clear_static(state: CameraState, order: StaticObjectsCleared, category: CategoryConfig) -> StateChanges:
    """Carry out an order to forget static objects; a repetition of one that was carried out changes nothing."""
    changes = StateChanges()
    at = order.cleared_at.isoformat(timespec="microseconds")
    if at > state.static.cleared_at:
        state.static.clear(order.box, at, category.static_iou)
        changes.touched = True
        changes.static = static_objects_event(state, category.static_hits)
    return changes


def static_objects_event(state: CameraState, least_hits: int) -> StaticObjectsChanged:
    """The event about the static objects that the camera has now."""
    objects = [StaticObject(box=place.shares, bursts=place.hits) for place in state.static.static(least_hits)]
    return StaticObjectsChanged(
        station=state.camera.partition("/")[0],
        camera=state.camera,
        objects=tuple(objects),
        bursts=state.static.bursts,
        changed_at=state.arrived_at or datetime.min.replace(tzinfo=UTC),
    )


def _expire(state: CameraState, track: str, burst: Burst, changes: StateChanges) -> None:
    """Remove a burst; its span and the photographs that it held stay known for a while."""
    bursts = state.tracks[track]
    del bursts[bisect_left(bursts, burst.frames[0].sort_key, key=lambda other: other.frames[0].sort_key)]
    if not bursts:
        del state.tracks[track]
    state.unregister(burst)
    changes.remove(burst.id)
    started, ended = burst.frames[0].effective_time, burst.frames[-1].effective_time
    state.expired.append(ExpiredBurst(burst.id, track, started, ended, burst.revision, burst.closed_at, burst.complete))
    del state.expired[:-MAX_EXPIRED_BURSTS]
    for frame in burst.frames:
        del state.images[frame.image_id]
    images = _remove_versions(state, burst.frames)
    state.seen.add(images)
    state.remove_second_looks(images)


def _remove_versions(state: CameraState, frames: Iterable[FrameRecord]) -> list[str]:
    """Remove the versions of an expired burst, with those that they hide. Returns the image ids of all of them."""
    images: dict[str, None] = {}
    for frame in frames:
        family = state.family(frame)
        images[frame.image_id] = None
        state.remove_version(frame.upload_id)
        if any(version.upload_id not in state.hidden for version in family):
            continue  # Another frame still hides them.
        for version in family:
            images[version.image_id] = None
            state.unhide(version.upload_id)
            state.remove_version(version.upload_id)
    return list(images)
