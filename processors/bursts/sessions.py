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
  `DISORDER`, unless its camera announced more frames than are in. It is that frame which is compared and not the
  latest time ever seen: a single photograph of the year 2070, or a live frame amid an SD card, closes what is open at
  that moment and spoils nothing that comes after;
- `idle`: at its deadline.

**Lateness.** A closed burst is kept until `lateness` after its close, and frames revise it meanwhile. Then it is
forgotten, as is the one closed longest ago when more than `KEPT_FRAMES` are held. A frame that comes later belongs
to a burst of the late ones, which is opened and closed as any other: no frame is ever without a final burst.

**What counts as a frame** is a function of the uploads that are held (`versions`): a later upload under the same key,
a copy, a larger size, a move to another camera. What is known of a camera (`bodies`, `clock_jumps`) may change with
any frame. So frames also leave bursts; the bursts around them are then divided anew as if they had never come.

A repetition (same upload) changes nothing; it only shows that time has passed.

A revision number rises by one with every event of its id. An id that was superseded never comes back: the camera's
memory has it, and a burst whose frames would give it takes an id derived from it.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from uncia.events import OBJECT_MOVED, BurstStatus, CloseReason, FrameLate, ImagePredicted
from uncia.processors.bursts.changes import Said, Step
from uncia.processors.bursts.clock_jumps import placements, runs_on
from uncia.processors.bursts.config import (
    DISORDER,
    KEPT_FORGOTTEN,
    KEPT_FORMER,
    KEPT_FRAMES,
    KEPT_OPEN,
    BurstRules,
    Overrides,
)
from uncia.processors.bursts.frames import Frame
from uncia.processors.bursts.grouping import divide, regroup
from uncia.processors.bursts.state import KEPT_MOVED, KEPT_VERSIONS, Burst, CameraState, Forgotten
from uncia.processors.bursts.verdict import Verdicts
from uncia.processors.bursts.versions import at_or_before, merge, replacement, visible
from uncia.storage.photograph_names import is_unreadable_photograph

LATE = "late"
TWO_CAMERAS = "two-cameras"
CLOCK_JUMP = "clock-jump"


@dataclass(frozen=True)
class _Run:
    """Neighbouring bursts of a track, `first` to before `last`, and the groups of frames that take their place."""

    track: str
    first: int
    last: int
    groups: list[list[Frame]]


class Sessions:
    """Applies frames and time to a camera's state. Holds no state itself."""

    def __init__(self, rules: BurstRules, verdicts: Verdicts) -> None:
        self._rules = rules
        self._verdicts = verdicts

    def answer(
        self, state: CameraState, event: ImagePredicted, overrides: Overrides | None, logged_at: datetime
    ) -> Step:
        """Take in the answer to one upload, logged at `logged_at` (aware).

        What is no photograph is no frame; it only shows that time has passed. Raises `PermanentError`, as `Frame.of`.
        """
        reason = event.rejection.reason if event.rejection else None
        if reason is not None and reason != OBJECT_MOVED and not is_unreadable_photograph(event.key, reason):
            return self.passed(state, logged_at)
        frame = Frame.of(event, overrides)
        take_in = self.moved if reason == OBJECT_MOVED else self.frame
        return take_in(state, event.station, frame, logged_at)

    def frame(self, state: CameraState, station: str, frame: Frame, logged_at: datetime) -> Step:
        """Take in one frame that was logged at `logged_at` (aware)."""
        step = self.passed(state, logged_at)
        held = state.versions.get(frame.upload_id)
        if held is not None:
            again = merge(held, frame)
            if again is not held:
                self._revise(state, station, [held], again, frame, step)
            return step
        if frame.image_id not in state.images and state.memory.knows(frame.image_id):
            return step
        known_otherwise = state.note_source(frame)
        if state.moved and self._went_away(state, frame):
            if known_otherwise:
                self._reshape(state, station, [], [], None, step)
            return step
        self._revise(state, station, [], frame, frame, step, anew=known_otherwise)
        return step

    def passed(self, state: CameraState, logged_at: datetime) -> Step:
        """Something of this camera was logged at `logged_at` (aware): time has come that far."""
        at = logged_at if state.arrived_at is None else max(state.arrived_at, logged_at)
        state.arrived_at = at
        return self.pass_time(state, at)

    def moved(self, state: CameraState, station: str, frame: Frame, logged_at: datetime) -> Step:
        """The photograph of this upload belongs to another camera now: whatever its key held by then leaves."""
        step = self.passed(state, logged_at)
        place = _place_of(frame)
        last = max(frame.uploaded_at, state.moved.pop(place, frame.uploaded_at))
        state.moved[place] = last
        while len(state.moved) > KEPT_MOVED:
            del state.moved[next(iter(state.moved))]
        if not state.memory.knows(_moved_mark(frame)):
            state.memory.add([_moved_mark(frame)])
        step.touched = True
        gone = [each for each in state.at_key(frame.bucket, frame.key) if at_or_before(each, frame.uploaded_at)]
        if gone:
            self._revise(state, station, gone, None, frame, step)
        return step

    @staticmethod
    def _went_away(state: CameraState, frame: Frame) -> bool:
        moved = state.moved.get(_place_of(frame))
        return (moved is not None and at_or_before(frame, moved)) or state.memory.knows(_moved_mark(frame))

    def pass_time(self, state: CameraState, now: datetime) -> Step:
        """Close what is due by `now`, each at its own deadline, and forget what is past revising."""
        step, rules = Step(), self._rules
        due = [burst for burst in state.waiting.values() if burst.deadline(rules) <= now]
        for burst in sorted(due, key=lambda each: (each.deadline(rules), each.id)):
            self._close(state, burst, CloseReason.IDLE, burst.deadline(rules), step)
        while (first := state.closed_first()) and now > first[1].expires:
            self._forget(state, *first, step)
        return step

    def _revise(
        self,
        state: CameraState,
        station: str,
        gone: list[Frame],
        version: Frame | None,
        news: Frame,
        step: Step,
        *,
        anew: bool = False,
    ) -> None:
        """Take versions out and one in: what then counts (`versions.visible`) goes to its bursts.

        `news` is what arrived. `anew`: frames that were not touched may belong elsewhere too.
        """
        if version is not None and not gone and not state.family(version):
            state.hold(version)
            self._settle_in(state, station, [], [version], news, step, anew=anew)
            return
        family = {each.upload_id: each for old in gone for each in state.family(old)}
        if version is not None:
            family |= {each.upload_id: each for each in state.family(version)}
        for old in gone:
            family.pop(old.upload_id, None)
        remaining = [*family.values(), *([] if version is None else [version])]
        shown = (
            {each.upload_id: each for each in visible(remaining)}
            if len(remaining) > 1
            else {each.upload_id: each for each in remaining}
        )
        if version is not None and self._only_announced_again(state, gone, version, family, shown, step):
            return
        leaving = [each for each in gone if each.upload_id not in state.hidden]
        for old in gone:
            state.unhide(old.upload_id)
            state.release(old.upload_id)
        for each in family.values():
            was_shown = each.upload_id not in state.hidden
            if was_shown and each.upload_id not in shown:
                leaving.append(each)
                state.hide(each)
        entering = []
        for upload_id, each in shown.items():
            if upload_id in state.hidden or upload_id not in state.versions:
                state.unhide(upload_id)
                state.hold(each)
                entering.append(each)
        if version is not None and version.upload_id not in shown:
            state.hide(version)
        step.touched = True
        hidden = [each for each in remaining if each.upload_id in state.hidden]
        for each in sorted(hidden, key=lambda each: (each.stored_at, each.upload_id))[:-KEPT_VERSIONS]:
            state.unhide(each.upload_id)
            state.release(each.upload_id)
            state.memory.add([each.image_id])
        self._settle_in(state, station, leaving, entering, news, step, anew=anew)

    @staticmethod
    def _only_announced_again(
        state: CameraState,
        gone: list[Frame],
        version: Frame,
        family: dict[str, Frame],
        shown: dict[str, Frame],
        step: Step,
    ) -> bool:
        """The version that is held was stored again and nothing else counts for that: it only remembers when."""
        if [each.upload_id for each in gone] != [version.upload_id] or gone[0].readable is not version.readable:
            return False
        every = {**family, version.upload_id: version}
        if {name for name in every if name not in state.hidden} != set(shown):
            return False
        if version.upload_id in state.hidden:
            state.hide(version)
        else:
            burst = state.burst_with(version.image_id)
            assert burst is not None
            # A new list: events that are yet to be worded show the old one.
            burst.frames = [version if each.upload_id == version.upload_id else each for each in burst.frames]
            state.hold(version)
            step.keep(burst)
        step.touched = True
        return True

    def _settle_in(
        self,
        state: CameraState,
        station: str,
        leaving: list[Frame],
        entering: list[Frame],
        news: Frame,
        step: Step,
        *,
        anew: bool,
    ) -> None:
        """Find the places of frames that changed, and of those that change with them."""
        if len(entering) == 1 and not leaving and not anew and self._runs_on(state, entering[0]):
            self._place(state, station, entering[0], news, step)
            return
        moves: dict[str, tuple[Frame, Frame]] = {}
        for link in {each.numbered_as: each for each in (*leaving, *entering) if each.numbered_as}.values():
            members = {each.upload_id: each for each in state.numbered_with(link)}
            if link.upload_id in state.versions and link.upload_id not in state.hidden:
                members[link.upload_id] = state.versions[link.upload_id]
            if not members:
                continue
            placed = placements(members.values())
            for upload_id, each in members.items():
                if placed[upload_id] != each.placed_at:
                    moves[upload_id] = (each, each.changed(placed_at=placed[upload_id]))
        fresh = {each.upload_id for each in entering}
        for upload_id, (old, new) in moves.items():
            if upload_id not in fresh:
                leaving.append(old)
            entering = [each for each in entering if each.upload_id != upload_id] + [new]
        if not leaving and len(entering) == 1 and not anew:
            self._place(state, station, entering[0], news, step)
            return
        self._reshape(state, station, leaving, entering, news, step, anew=anew)

    @staticmethod
    def _runs_on(state: CameraState, frame: Frame) -> bool:
        """Nothing speaks of a clock that jumped in the sequence of this frame: the usual case, without a detour."""
        if frame.numbered_as is None:
            return True
        others = state.numbered_with(frame)
        return all(runs_on(each, frame) for each in others)

    def _place(self, state: CameraState, station: str, frame: Frame, news: Frame, step: Step) -> None:
        """Put one more frame where it belongs."""
        track, settled = state.settled_in(frame)
        if settled is not frame or state.versions[frame.upload_id] is not frame:
            state.hold(settled)
        bursts = state.tracks.get(track, [])
        first, last, groups = regroup(bursts, settled, self._rules.gap, self._rules.max_frames)
        after = self._apply(state, station, [_Run(track, first, last, groups)], [], [settled], news, step)
        joined = after[0] if len(after) == 1 else next(each for each in after if each.holds(settled.image_id))
        self._after(state, track, joined, settled, news, step)

    def _reshape(
        self,
        state: CameraState,
        station: str,
        leaving: list[Frame],
        entering: list[Frame],
        news: Frame | None,
        step: Step,
        *,
        anew: bool = True,
    ) -> None:
        """Divide whole tracks again: frames leave, or what is known of the camera has changed."""
        placed = [(*state.settled_in(frame), frame) for frame in entering]
        if anew:
            fresh = {each.upload_id for each in (*leaving, *entering)}
            for frame in [f for _, burst in state.bursts() for f in burst.frames if f.upload_id not in fresh]:
                track, settled = state.settled_in(frame)
                if settled is not frame or track != state.images[frame.image_id]:
                    leaving.append(frame)
                    placed.append((track, settled, frame))
        tracks = {state.images[each.image_id] for each in leaving} | {track for track, _, _ in placed}
        out = {each.image_id for each in leaving}
        runs = []
        for track in sorted(tracks):
            bursts = state.tracks.get(track, [])
            frames = [each for burst in bursts for each in burst.frames if each.image_id not in out]
            frames += [frame for to, frame, _ in placed if to == track]
            frames.sort(key=lambda each: each.order)
            runs.append(
                _Run(track, 0, len(bursts), divide(frames, self._rules.gap, self._rules.max_frames) if frames else [])
            )
        if not runs:
            self._bound(state, self._now(state), step)
            return
        for _, frame, _ in placed:
            state.hold(frame)
        self._apply(state, station, runs, leaving, [frame for _, frame, _ in placed], news, step)
        for track, frame, _ in placed:
            if news is not None and frame.upload_id == news.upload_id and frame.image_id in state.images:
                joined = state.burst_with(frame.image_id)
                assert joined is not None
                self._after(state, track, joined, frame, news, step)
                return
        self._bound(state, self._now(state), step)

    def _after(self, state: CameraState, track: str, joined: Burst, frame: Frame, news: Frame, step: Step) -> None:
        at = self._now(state)
        if frame.upload_id == news.upload_id:
            self._close_passed(state, track, joined, frame, at, step)
        self._bound(state, at, step)

    @staticmethod
    def _now(state: CameraState) -> datetime:
        assert state.arrived_at is not None
        return state.arrived_at

    def _apply(
        self,
        state: CameraState,
        station: str,
        runs: list[_Run],
        leaving: list[Frame],
        entering: list[Frame],
        news: Frame | None,
        step: Step,
    ) -> list[Burst]:
        """Put groups of frames in place of the bursts of these runs, and say what that changed.

        Returns the bursts that are there now.
        """
        at = self._now(state)
        before = [burst for run in runs for burst in state.tracks.get(run.track, [])[run.first : run.last]]
        source = {each.image_id: burst for burst in before for each in burst.frames}
        fresh = {each.upload_id for each in entering}
        for each in leaving:
            state.images.pop(each.image_id, None)
        new: list[tuple[str, Burst]] = []
        after: list[Burst] = []
        for run in runs:
            placed = []
            for group in run.groups:
                sources = list({b.id: b for each in group if (b := source.get(each.image_id))}.values())
                arrived = [each for each in group if each.upload_id in fresh]
                if len(sources) == 1 and len(group) == len(sources[0].frames) and not arrived:
                    placed.append(sources[0])
                    continue
                came = news is not None and any(each.upload_id == news.upload_id for each in arrived)
                burst = self._formed(state, run.track, station, group, sources, at, came)
                new.append((run.track, burst))
                placed.append(burst)
            bursts = state.tracks.setdefault(run.track, [])
            bursts[run.first : run.last] = placed
            if not bursts:
                del state.tracks[run.track]
            after += placed
        if leaving or len(entering) != 1:
            for track, burst in new:
                state.images.update((each.image_id, track) for each in burst.frames)
        else:
            state.images[entering[0].image_id] = runs[0].track
        for old in before:
            if all(old is not burst for burst in after):
                state.discard(old)
        for track, burst in new:
            state.add(track, burst)
        self._name_origins(before, new, after)
        late_for = self._told_if_late(state, new, source, news, at, step)
        revisions = {burst.id: burst.revision for burst in before}
        self._supersede(state, before, after, leaving, step)
        gone = {forgotten.id: forgotten.revision for forgotten in state.forgotten}
        for _, burst in new:
            burst.revision = max(revisions.get(burst.id, 0), burst.former.get(burst.id, 0), gone.get(burst.id, 0))
            burst.changes = self._changes(state, burst, before, leaving, news, late_for.get(burst.id))
            if burst.open and burst.complete:
                self._close(state, burst, CloseReason.SEQUENCE, at, step)
            else:
                self._say(state, burst, BurstStatus.PROVISIONAL if burst.open else BurstStatus.REVISED, step)
        return after

    def _told_if_late(
        self,
        state: CameraState,
        new: list[tuple[str, Burst]],
        source: dict[str, Burst],
        news: Frame | None,
        at: datetime,
        step: Step,
    ) -> dict[str, str]:
        """Burst id to the forgotten burst that the frame which arrived came too late for."""
        if news is None or news.image_id in source:
            return {}
        for track, burst in new:
            frame = next((each for each in burst.frames if each.upload_id == news.upload_id), None)
            missed = self._missed(state, track, burst, frame) if frame is not None else None
            if frame is not None and missed is not None:
                burst.late = True
                state.late += 1
                step.late.append(self._told_late(state, burst, missed, frame, at))
                return {burst.id: missed.id}
        return {}

    def _supersede(
        self, state: CameraState, before: list[Burst], after: list[Burst], leaving: list[Frame], step: Step
    ) -> None:
        """Take ids out of use that no burst has any more; none of them ever comes back."""
        ids = {burst.id for burst in after}
        left = {each.image_id: each for each in leaving}
        retired = [old for old in before if old.id not in ids]
        for old in retired:
            heir = self._heir(state, old, after, left)
            if heir is not None:
                heir.supersedes = (*(each for each in heir.supersedes if each != old.id), old.id)[-KEPT_FORMER:]
            step.drop(old.id)
            event = self._verdicts.superseded(state.camera, old, heir.id if heir else None)
            step.said.append(Said(old.id, event.status, lambda event=event: event))  # type: ignore[misc]
        if retired:
            state.memory.add(old.id for old in retired)

    @staticmethod
    def _heir(state: CameraState, old: Burst, after: list[Burst], left: dict[str, Frame]) -> Burst | None:
        """The burst that holds its first frame, else any frame of it, else what its frames were replaced by."""
        for each in (old.earliest, *old.frames):
            if found := next((burst for burst in after if burst.holds(each.image_id)), None):
                return found
        for each in old.frames:
            gone = left.get(each.image_id, each)
            shown = [other for other in state.family(gone) if other.upload_id not in state.hidden]
            if stands_for := replacement(gone, shown):
                return state.burst_with(stands_for.image_id)
        return None

    @staticmethod
    def _name_origins(before: list[Burst], new: list[tuple[str, Burst]], after: list[Burst]) -> None:
        """Pieces of a burst that was split name it."""
        if len(after) < 2:
            return
        known = {burst.id for burst in before}
        for _, burst in new:
            if burst.id in known:
                continue
            shares = []
            for old in before:
                kept = sum(burst.holds(each.image_id) for each in old.frames)
                elsewhere = any(
                    other is not burst and other.holds(each.image_id) for other in after for each in old.frames
                )
                if kept and elsewhere:
                    shares.append((kept, old.id))
            if shares:
                burst.split_from = max(shares)[1]

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
            last_arrival=at if arrived or not sources else max(burst.last_arrival for burst in sources),
            # Once closed, closed: what was called final is revised from then on and never provisional again.
            closed_at=latest.closed_at if latest else None,
            closed_by=latest.closed_by if latest else None,
            kept_until=latest.kept_until if latest else None,
            verdict=latest.verdict if latest else "",
            late=bool(sources) and all(burst.late for burst in sources),
            supersedes=tuple(dict.fromkeys(each for burst in sources for each in burst.supersedes))[-KEPT_FORMER:],
            former={each: revision for burst in sources for each, revision in burst.former.items()},
        )
        burst.id = self._id(state, burst, sources)
        burst.supersedes = tuple(each for each in burst.supersedes if each != burst.id)
        origins = [each.split_from for each in sources if each.id == burst.id] or [each.split_from for each in sources]
        burst.split_from = next((each for each in origins if each and each != burst.id), None)
        return burst

    @staticmethod
    def _id(state: CameraState, burst: Burst, sources: list[Burst]) -> str:
        """The id that its frames give it, or one derived from that where it was superseded before."""
        standing = {each.id for each in sources}
        turn = 1
        while True:
            name = burst.identify(state.camera, turn)
            if name in standing or not (name in burst.former or state.memory.knows(name)):
                return name
            turn += 1

    @staticmethod
    def _changes(
        state: CameraState,
        burst: Burst,
        before: list[Burst],
        leaving: list[Frame],
        news: Frame | None,
        late_for: str | None,
    ) -> tuple[str, ...]:
        """What happened to a burst, in words."""
        if late_for and news is not None:
            return (f"{news.image_id} arrived too late for {late_for}",)
        held = {each.image_id for each in burst.frames}
        left = {each.image_id: each for each in leaving}
        words: list[str] = []
        for old in before:
            kept = sum(each.image_id in held for each in old.frames)
            if kept == len(old.frames):
                words += [f"{kept} frames came from {old.id}"] if old.id != burst.id else []
                continue
            away = [left[each.image_id] for each in old.frames if each.image_id in left and each.image_id not in held]
            elsewhere = sum(each.image_id in state.images and each.image_id not in held for each in old.frames)
            if old.id == burst.id and elsewhere:
                words.append(f"{elsewhere} frames went to another burst")
            elif old.id != burst.id and kept:
                words.append(f"{kept} frames came from {old.id}")
            if old.id == burst.id or kept:
                words += [_why_gone(state, each, news) for each in away if each.image_id not in state.images]
        if news is not None and news.image_id in held and not burst.open:
            words.append(f"{news.image_id} arrived late")
        return tuple(words)

    def _missed(self, state: CameraState, track: str, joined: Burst, frame: Frame) -> Forgotten | None:
        """The forgotten burst that a frame belongs to, unless it joined frames that were in time."""
        for gone in reversed(state.forgotten):
            if gone.track != track or not gone.started <= frame.at <= gone.ended:
                # What follows within the gap belongs to it too, unless its camera said that it was complete.
                reach = timedelta(0) if gone.complete else frame.gap(self._rules.gap)
                if gone.track != track or not gone.started - reach <= frame.at <= gone.ended + reach:
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
            and frame.at - burst.frames[-1].at > reach
            # Where frames come in parallel or backwards, its other numbers may yet be on their way.
            and not burst.waits_for_numbers
            and state.held[burst.id][0] == track
        ]
        for burst in sorted(passed, key=lambda each: each.frames[0].order):
            self._close(state, burst, CloseReason.WATERMARK, at, step)

    def _bound(self, state: CameraState, at: datetime, step: Step) -> None:
        """Keep the state within its limits."""
        while len(state.waiting) > KEPT_OPEN or (state.size > KEPT_FRAMES and len(state.waiting) > 1):
            if len(state.waiting) <= KEPT_OPEN and state.closed_first():
                break
            longest = min(state.waiting.values(), key=lambda burst: (burst.last_arrival, burst.id))
            self._close(state, longest, CloseReason.WATERMARK, at, step)
        while state.size > KEPT_FRAMES and (first := state.closed_first()):
            self._forget(state, *first, step)

    def _close(self, state: CameraState, burst: Burst, reason: CloseReason, at: datetime, step: Step) -> None:
        burst.closed_by, burst.closed_at = reason, at
        burst.kept_until = at + self._rules.lateness_at(burst.frames[0].overrides)
        state.closed(burst)
        self._say(state, burst, BurstStatus.FINAL, step)

    def _say(self, state: CameraState, burst: Burst, status: BurstStatus, step: Step) -> None:
        """One more event about a burst."""
        burst.revision += 1
        told = ((LATE, burst.late), (TWO_CAMERAS, state.bodies.taking_turns), (CLOCK_JUMP, burst.clock_jumped))
        burst.flags = tuple(flag for flag, holds in told if holds)
        shown = replace(burst)  # As it stands now: it goes on changing.
        said = Said(burst.id, status, lambda: self._verdicts.resolved(state.camera, shown, status))
        if status is not BurstStatus.PROVISIONAL:
            verdict = said.event.verdict
            name = (verdict.taxon or verdict.label) if verdict else ""
            if status is BurstStatus.REVISED and name != burst.verdict:
                shown.changes = (*shown.changes, f"verdict: {burst.verdict or 'none'} became {name or 'none'}")
                said.event = said.event.model_copy(update={"changes": shown.changes})
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
        started, ended = burst.frames[0].at, burst.frames[-1].at
        state.forgotten.append(
            Forgotten(burst.id, track, started, ended, burst.revision, burst.closed_at, burst.complete)
        )
        del state.forgotten[:-KEPT_FORGOTTEN]
        for frame in burst.frames:
            del state.images[frame.image_id]
        state.memory.add(_let_go(state, burst.frames))


def _let_go(state: CameraState, frames: Iterable[Frame]) -> list[str]:
    """Release frames of a forgotten burst, with what they hide. Returns all image ids, to be remembered."""
    images: dict[str, None] = {}
    for frame in frames:
        family = state.family(frame)
        images[frame.image_id] = None
        state.release(frame.upload_id)
        if any(each.upload_id not in state.hidden for each in family):
            continue  # Another frame still hides them.
        for each in family:
            images[each.image_id] = None
            state.unhide(each.upload_id)
            state.release(each.upload_id)
    return list(images)


def _why_gone(state: CameraState, frame: Frame, news: Frame | None) -> str:
    if frame.upload_id in state.hidden and news is not None:
        return f"{frame.image_id} was replaced by {news.image_id}"
    return f"{frame.image_id} belongs to another camera now"


def _place_of(frame: Frame) -> str:
    return f"{frame.bucket}/{frame.key}"


def _moved_mark(frame: Frame) -> str:
    return f"moved {frame.upload_id} {frame.uploaded_at.replace(microsecond=0).isoformat()}"
