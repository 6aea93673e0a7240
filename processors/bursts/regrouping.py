"""Puts new groups of frames in place of bursts, and publishes what that changed.

`placement` decides which groups; here bursts are formed from them, ids are taken over or superseded, and each burst
that changed gets its next event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from uncia.events import BurstReview, BurstStatus, CloseReason
from uncia.processors.bursts.changes import FrameContext, PendingEvent
from uncia.processors.bursts.config import MAX_SUPERSEDED_IDS, BurstConfig
from uncia.processors.bursts.frame_record import FrameRecord
from uncia.processors.bursts.lateness import find_missed, late_event
from uncia.processors.bursts.lifecycle import BurstLifecycle
from uncia.processors.bursts.state import Burst
from uncia.processors.bursts.succession import choose_id, describe_changes, find_successor, name_origins
from uncia.processors.bursts.verdict import VerdictBuilder


@dataclass(frozen=True)
class TrackRange:
    """Neighbouring bursts of a track, `first` to before `last`, and the groups of frames that replace them."""

    track: str
    first: int
    last: int
    groups: list[list[FrameRecord]]


class Regrouper:
    """Applies regroupings. Holds no state."""

    def __init__(self, config: BurstConfig, verdicts: VerdictBuilder, lifecycle: BurstLifecycle) -> None:
        self._config = config
        self._verdicts = verdicts
        self._lifecycle = lifecycle

    def regroup(
        self,
        context: FrameContext,
        ranges: Sequence[TrackRange],
        leaving: Sequence[FrameRecord],
        entering: Sequence[FrameRecord],
    ) -> list[Burst]:
        """Replace the bursts of these ranges by bursts of their groups, and publish what that changed.

        `leaving` are frames of the old bursts that are in none of the groups with the same content, `entering` frames
        of the groups that were in no burst before. Returns the bursts that are there now.
        """
        state, arrived = context.state, context.arrived
        before = [burst for span in ranges for burst in state.tracks.get(span.track, [])[span.first : span.last]]
        source_of = {frame.image_id: burst for burst in before for frame in burst.frames}
        new, after = _replace_bursts(context, ranges, source_of, leaving, entering)
        _update_indexes(context, before, new, after)
        name_origins(before, [burst for _, burst in new], after)
        is_new = arrived is not None and arrived.image_id not in source_of
        late_for = self._record_late(context, new) if is_new else {}
        self._supersede(context, before, after, leaving)
        revisions = {burst.id: burst.revision for burst in before}
        expired = {burst.id: burst.revision for burst in state.expired}
        for _, burst in new:
            burst.revision = max(revisions.get(burst.id, 0), burst.former.get(burst.id, 0), expired.get(burst.id, 0))
            burst.changes = describe_changes(state, burst, before, leaving, arrived, late_for.get(burst.id))
            if burst.open and burst.complete:
                self._lifecycle.close(state, burst, CloseReason.SEQUENCE, context.now, context.changes)
            else:
                status = BurstStatus.PROVISIONAL if burst.open else BurstStatus.REVISED
                self._lifecycle.publish(state, burst, status, context.changes)
        return after

    def _record_late(self, context: FrameContext, new: Sequence[tuple[str, Burst]]) -> dict[str, str]:
        """Add a late event if the arrived frame came too late. Returns burst id to the id of the missed burst."""
        state, arrived = context.state, context.arrived
        assert arrived is not None
        for track, burst in new:
            frame = next((frame for frame in burst.frames if frame.upload_id == arrived.upload_id), None)
            if frame is None:
                continue
            missed = find_missed(state, track, burst, frame, self._config.gap)
            if missed is not None:
                burst.late = True
                state.late_count += 1
                context.changes.late.append(late_event(state, burst, missed, frame, context.now))
                return {burst.id: missed.id}
        return {}

    def _supersede(
        self,
        context: FrameContext,
        before: Sequence[Burst],
        after: Sequence[Burst],
        leaving: Sequence[FrameRecord],
    ) -> None:
        """Retire ids that no burst has any more; none of them is ever used again."""
        state, changes = context.state, context.changes
        ids = {burst.id for burst in after}
        left = {frame.image_id: frame for frame in leaving}
        retired = [old for old in before if old.id not in ids]
        for old in retired:
            successor = find_successor(state, old, after, left)
            if successor is not None:
                others = (burst_id for burst_id in successor.supersedes if burst_id != old.id)
                successor.supersedes = (*others, old.id)[-MAX_SUPERSEDED_IDS:]
            changes.remove(old.id)
            event = self._verdicts.superseded_event(state.camera, old, successor.id if successor else None)
            changes.pending.append(PendingEvent.of(event))
        if retired:
            state.seen.add(old.id for old in retired)


def _replace_bursts(
    context: FrameContext,
    ranges: Sequence[TrackRange],
    source_of: Mapping[str, Burst],
    leaving: Sequence[FrameRecord],
    entering: Sequence[FrameRecord],
) -> tuple[list[tuple[str, Burst]], list[Burst]]:
    """Put bursts of the groups into the tracks; `source_of`: image id to the burst that held it.

    Returns the new bursts with their track, and all bursts that are there now.
    """
    state, arrived = context.state, context.arrived
    fresh = {frame.upload_id for frame in entering}
    for frame in leaving:
        state.images.pop(frame.image_id, None)
    new: list[tuple[str, Burst]] = []
    after: list[Burst] = []
    for span in ranges:
        placed = []
        for group in span.groups:
            sources = list({burst.id: burst for frame in group if (burst := source_of.get(frame.image_id))}.values())
            added = [frame for frame in group if frame.upload_id in fresh]
            if len(sources) == 1 and len(group) == len(sources[0].frames) and not added:
                placed.append(sources[0])
                continue
            has_arrived = arrived is not None and any(frame.upload_id == arrived.upload_id for frame in added)
            burst = _form_burst(context, group, sources, has_arrived)
            new.append((span.track, burst))
            placed.append(burst)
        bursts = state.tracks.setdefault(span.track, [])
        bursts[span.first : span.last] = placed
        if not bursts:
            del state.tracks[span.track]
        after += placed
    if leaving or len(entering) != 1:
        for track, burst in new:
            state.images.update((frame.image_id, track) for frame in burst.frames)
    else:
        state.images[entering[0].image_id] = ranges[0].track
    return new, after


def _update_indexes(
    context: FrameContext, before: Sequence[Burst], new: Sequence[tuple[str, Burst]], after: Sequence[Burst]
) -> None:
    for old in before:
        if all(old is not burst for burst in after):
            context.state.unregister(old)
    for track, burst in new:
        context.state.register(track, burst)


def _review_order(review: BurstReview) -> tuple[datetime, str]:
    return review.reviewed_at, review.review_id


def _form_burst(context: FrameContext, group: list[FrameRecord], sources: Sequence[Burst], has_arrived: bool) -> Burst:
    """A burst of the frames of `group`, which were in `sources`; `has_arrived`: the arrived frame is one of them."""
    closed = [burst for burst in sources if burst.closed_at is not None]
    latest = max(closed, key=lambda burst: (burst.closed_at, burst.id), default=None)
    supersedes = dict.fromkeys(burst_id for source in sources for burst_id in source.supersedes)
    burst = Burst(
        station=sources[0].station if sources else context.station,
        frames=group,
        last_arrival=context.now if has_arrived or not sources else max(burst.last_arrival for burst in sources),
        # A closed burst stays closed: what was published as final is revised from then on, never provisional again.
        closed_at=latest.closed_at if latest else None,
        closed_by=latest.closed_by if latest else None,
        kept_until=latest.kept_until if latest else None,
        verdict=latest.verdict if latest else "",
        late=bool(sources) and all(burst.late for burst in sources),
        supersedes=tuple(supersedes)[-MAX_SUPERSEDED_IDS:],
        former={burst_id: revision for source in sources for burst_id, revision in source.former.items()},
        review=max((source.review for source in sources if source.review), key=_review_order, default=None),
    )
    burst.id = choose_id(context.state, burst, sources)
    burst.supersedes = tuple(burst_id for burst_id in burst.supersedes if burst_id != burst.id)
    same_id = [source.split_from for source in sources if source.id == burst.id]
    origins = same_id or [source.split_from for source in sources]
    burst.split_from = next((origin for origin in origins if origin and origin != burst.id), None)
    return burst
