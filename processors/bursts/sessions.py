"""The sessioniser: frames and time go in, events come out.

**Time reveals, it never decides.** A camera's clock is the latest log time of its own frames (`arrived_at`). An
open burst has a deadline: the arrival of its last frame plus the idle time. A frame that arrives at A first closes
every burst of its camera whose deadline is at or before A, *at that deadline*; then it is taken in. A tick does the
first half for cameras that are silent. No frame that is read after a legal tick arrived before it (`clock`), so the
tick only shows earlier what the next frame would have shown: the events, their order and every byte are those of
the frame log alone.

**Belonging is a function of the frames** (`grouping`), closing only decides what is said: `provisional` while open,
`final` at the close, `revised` when a frame joins later. So any arrival order ends in the same bursts, ids and
verdicts.

A burst closes
- `sequence`: when as many frames as its camera announced are in;
- `watermark`: when a frame of the same track arrives that was taken later than its end by more than the gap and
  `DISORDER`. It is that frame which is compared and not the latest time ever seen: a single photograph of the year
  2070, or a live frame amid an SD card, closes what is open at that moment and spoils nothing that comes after;
- `idle`: at its deadline.

**Lateness.** A closed burst is kept until `lateness` after its close, and frames revise it meanwhile. Then it is
forgotten, as is the one closed longest ago when more than `KEPT_FRAMES` are held. A frame that comes later belongs
to a burst of the late ones, which is opened and closed as any other: no frame is ever without a final burst.

A repetition (same image id) changes nothing; it only shows that time has passed.

A revision number only rises: for every event of one id it is one more than for the last, also when an id was
superseded and a later frame brings it back.
"""

from bisect import bisect_left
from dataclasses import replace
from datetime import datetime, timedelta

from processors.bursts.frames import Frame
from processors.bursts.grouping import regroup
from processors.bursts.rules import (
    DISORDER,
    KEPT_FORGOTTEN,
    KEPT_FORMER,
    KEPT_FRAMES,
    KEPT_OPEN,
    BurstRules,
)
from processors.bursts.state import Burst, CameraState, Forgotten
from processors.bursts.step import Said, Step
from processors.bursts.verdict import Verdicts
from uncia.events import BurstStatus, CloseReason, FrameLate

LATE = "late"
TWO_CAMERAS = "two-cameras"


class Sessions:
    """Applies frames and time to a camera's state. Holds no state itself."""

    def __init__(self, rules: BurstRules, verdicts: Verdicts) -> None:
        self._rules = rules
        self._verdicts = verdicts

    def frame(self, state: CameraState, station: str, frame: Frame, logged_at: datetime) -> Step:
        """Take in one frame that was logged at `logged_at` (aware)."""
        at = logged_at if state.arrived_at is None else max(state.arrived_at, logged_at)
        state.arrived_at = at
        step = self.pass_time(state, at)
        if state.knows(frame.image_id):
            return step
        track = state.track_for(frame)
        joined = self._place(state, track, station, frame, at, step)
        self._close_passed(state, track, joined, frame, at, step)
        self._bound(state, at, step)
        return step

    def pass_time(self, state: CameraState, now: datetime) -> Step:
        """Close what is due by `now`, each at its own deadline, and forget what is past revising."""
        step, rules = Step(), self._rules
        due = [burst for burst in state.waiting.values() if burst.deadline(rules) <= now]
        for burst in sorted(due, key=lambda each: (each.deadline(rules), each.id)):
            self._close(state, burst, CloseReason.IDLE, burst.deadline(rules), step)
        while (first := state.closed_first()) and now > first[1].expires:
            self._forget(state, *first, step)
        return step

    def _place(self, state: CameraState, track: str, station: str, frame: Frame, at: datetime, step: Step) -> Burst:
        """Put a new frame where it belongs, and say what that changed. Returns its burst."""
        rules, bursts = self._rules, state.tracks.setdefault(track, [])
        first, last, groups = regroup(bursts, frame, rules.gap, rules.max_frames)
        before = bursts[first:last]
        source = {each.image_id: burst for burst in before for each in burst.frames}
        state.images[frame.image_id] = track

        after: list[Burst] = []
        for group in groups:
            sources = list({burst.id: burst for each in group if (burst := source.get(each.image_id))}.values())
            arrived = any(each is frame for each in group)
            if len(sources) == 1 and len(group) == len(sources[0].frames) and not arrived:
                after.append(sources[0])
                continue
            burst = self._formed(state, track, station, group, sources, at, arrived)
            after.append(burst)
            if arrived:
                joined = burst
        bursts[first:last] = after

        new = [burst for burst in after if all(burst is not old for old in before)]
        for old in before:
            if all(old is not burst for burst in after):
                state.discard(old)
        for burst in new:
            state.add(track, burst)
        missed = self._missed(state, track, joined, frame)
        if missed:
            joined.late = True
            state.late += 1
            step.late.append(self._told_late(state, joined, missed, frame, at))
        revisions = {burst.id: burst.revision for burst in before}
        ids = {burst.id for burst in after}
        for old in before:
            if old.id not in ids:
                heir = next(burst for burst in new if burst.holds(old.earliest.image_id))
                heir.supersedes = (*heir.supersedes, old.id)[-KEPT_FORMER:]
                heir.former[old.id] = old.revision + 1
                step.drop(old.id)
                gone_event = self._verdicts.superseded(state.camera, old, heir.id)
                step.said.append(Said(old.id, gone_event.status, lambda event=gone_event: event))  # type: ignore[misc]
        gone = {forgotten.id: forgotten.revision for forgotten in state.forgotten}
        for burst in new:
            burst.former = dict(list(burst.former.items())[-KEPT_FORMER:])
            burst.revision = max(revisions.get(burst.id, 0), burst.former.get(burst.id, 0), gone.get(burst.id, 0))
            burst.changes = self._changes(burst, before, frame, missed.id if missed and burst is joined else None)
            if burst.open and burst.complete:
                self._close(state, burst, CloseReason.SEQUENCE, at, step)
            else:
                self._say(state, burst, BurstStatus.PROVISIONAL if burst.open else BurstStatus.REVISED, step)
        return joined

    def _formed(
        self,
        state: CameraState,
        track: str,
        station: str,
        group: list[Frame],
        sources: list[Burst],
        at: datetime,
        arrived: bool,
    ) -> Burst:
        """A burst made of frames of `sources`, and of the new one where it `arrived` in it."""
        closed = [burst for burst in sources if burst.closed_at is not None]
        latest = max(closed, key=lambda burst: (burst.closed_at, burst.id), default=None)
        burst = Burst(
            station=sources[0].station if sources else station,
            frames=group,
            last_arrival=at if arrived else max(burst.last_arrival for burst in sources),
            # Once closed, closed: what was called final is revised from then on and never provisional again.
            closed_at=latest.closed_at if latest else None,
            closed_by=latest.closed_by if latest else None,
            kept_until=latest.kept_until if latest else None,
            verdict=latest.verdict if latest else "",
            late=bool(sources) and all(burst.late for burst in sources),
            supersedes=tuple(dict.fromkeys(each for burst in sources for each in burst.supersedes)),
            former={each: revision for burst in sources for each, revision in burst.former.items()},
        )
        burst.id = burst.identify(state.camera)
        burst.supersedes = tuple(each for each in burst.supersedes if each != burst.id)
        return burst

    @staticmethod
    def _changes(burst: Burst, before: list[Burst], frame: Frame, late_for: str | None) -> tuple[str, ...]:
        """What a new frame did to a burst, in words."""
        if late_for:
            return (f"{frame.image_id} arrived too late for {late_for}",)
        held = {each.image_id for each in burst.frames}
        words = []
        for old in before:
            kept = sum(each.image_id in held for each in old.frames)
            if old.id == burst.id and kept < len(old.frames):
                words.append(f"{len(old.frames) - kept} frames went to another burst")
            elif old.id != burst.id and kept:
                words.append(f"{kept} frames came from {old.id}")
        if frame.image_id in held and not burst.open:
            words.append(f"{frame.image_id} arrived late")
        return tuple(words)

    def _missed(self, state: CameraState, track: str, joined: Burst, frame: Frame) -> Forgotten | None:
        """The forgotten burst that a frame belongs to, unless it joined frames that were in time."""
        for gone in reversed(state.forgotten):
            if gone.track != track or not gone.started <= frame.captured_at <= gone.ended:
                # What follows within the gap belongs to it too, unless its camera said that it was complete.
                reach = timedelta(0) if gone.complete else frame.gap(self._rules.gap)
                if gone.track != track or not gone.started - reach <= frame.captured_at <= gone.ended + reach:
                    continue
            return gone if joined.late or len(joined.frames) == 1 else None
        return None

    @staticmethod
    def _told_late(state: CameraState, joined: Burst, missed: Forgotten, frame: Frame, at: datetime) -> FrameLate:
        since = at - (missed.closed_at or at)
        return FrameLate(
            image_id=frame.image_id,
            upload_id=frame.upload_id,
            station=joined.station,
            camera=state.camera,
            captured_at=frame.captured_at,
            arrived_at=at,
            missed_burst_id=missed.id,
            late_s=max(0.0, since.total_seconds()),
            burst_id=joined.id,
        )

    def _close_passed(
        self, state: CameraState, track: str, joined: Burst, frame: Frame, at: datetime, step: Step
    ) -> None:
        """Close what lies so far before this frame that its own frames should be in."""
        reach = self._rules.gap + DISORDER
        passed = [
            burst
            for burst in state.waiting.values()
            if burst is not joined
            and frame.captured_at - burst.frames[-1].captured_at > reach
            and state.held[burst.id][0] == track
        ]
        for burst in sorted(passed, key=lambda each: each.frames[0].order):
            self._close(state, burst, CloseReason.WATERMARK, at, step)

    def _bound(self, state: CameraState, at: datetime, step: Step) -> None:
        """Keep the state within its limits."""
        while len(state.waiting) > KEPT_OPEN or (len(state.images) > KEPT_FRAMES and len(state.waiting) > 1):
            if len(state.waiting) <= KEPT_OPEN and state.closed_first():
                break
            longest = min(state.waiting.values(), key=lambda burst: (burst.last_arrival, burst.id))
            self._close(state, longest, CloseReason.WATERMARK, at, step)
        while len(state.images) > KEPT_FRAMES and (first := state.closed_first()):
            self._forget(state, *first, step)

    def _close(self, state: CameraState, burst: Burst, reason: CloseReason, at: datetime, step: Step) -> None:
        burst.closed_by, burst.closed_at = reason, at
        burst.kept_until = at + self._rules.lateness_at(burst.frames[0].overrides)
        state.closed(burst)
        self._say(state, burst, BurstStatus.FINAL, step)

    def _say(self, state: CameraState, burst: Burst, status: BurstStatus, step: Step) -> None:
        """One more event about a burst."""
        burst.revision += 1
        burst.flags = (*([LATE] if burst.late else []), *([TWO_CAMERAS] if state.two_cameras else []))
        told = replace(burst)  # As it stands now: it goes on changing.
        said = Said(burst.id, status, lambda: self._verdicts.resolved(state.camera, told, status))
        if status is not BurstStatus.PROVISIONAL:
            verdict = said.event.verdict
            name = (verdict.taxon or verdict.label) if verdict else ""
            if status is BurstStatus.REVISED and name != burst.verdict:
                told.changes = (*told.changes, f"verdict: {burst.verdict or 'none'} became {name or 'none'}")
                said.event = said.event.model_copy(update={"changes": told.changes})
            burst.verdict = name
        burst.changes = ()
        step.said.append(said)
        step.keep(burst)

    @staticmethod
    def _forget(state: CameraState, track: str, burst: Burst, step: Step) -> None:
        """Let go of a burst; what it was and which photographs it held is remembered for a while."""
        bursts = state.tracks[track]
        del bursts[bisect_left(bursts, burst.frames[0].order, key=lambda each: each.frames[0].order)]
        if not bursts:
            del state.tracks[track]
        state.discard(burst)
        step.drop(burst.id)
        started, ended = burst.frames[0].captured_at, burst.frames[-1].captured_at
        state.forgotten.append(
            Forgotten(burst.id, track, started, ended, burst.revision, burst.closed_at, burst.complete)
        )
        del state.forgotten[:-KEPT_FORGOTTEN]
        for frame in burst.frames:
            del state.images[frame.image_id]
        state.memory.add(frame.image_id for frame in burst.frames)
