"""Plans the events that give the live topic the verdicts of a replay; pure.

For every difference that is not held: a burst that both sides have under the same id is revised, an id that only the
replay has is published, and an id that only the live system has is superseded by the burst that contains its first
photograph. Revisions rise above every revision that was ever published for an id. Successors are sent before the bursts
that they supersede: a subscriber that stops in between has a photograph twice, and never not at all.

Once the events are published, a new comparison finds nothing to promote.
"""

from collections.abc import Mapping
from datetime import datetime

from uncia.events import BurstResolved, BurstReview, BurstStatus
from uncia.producers.replay.burst_snapshot import BurstSnapshot
from uncia.producers.replay.compare import BurstChange, ReplayComparison


def plan_promotion(comparison: ReplayComparison, revisions: Mapping[str, int], cause: str) -> list[BurstResolved]:
    """The events in the order in which they must be sent.

    `revisions` maps every burst id that was ever published live to its highest revision, superseded ids included.
    `cause` names the replay and its model in the events' `changes`.
    """
    events = []
    for change in comparison.to_promote():
        new = [burst for burst in change.replay if not any(burst.is_equivalent(live) for live in change.live)]
        # New ids first: a live burst keeps its photographs until the burst that takes some of them is published.
        live_ids = {live.burst_id for live in change.live}
        new.sort(key=lambda burst: burst.burst_id in live_ids)
        events += [_revision(burst, change, revisions, cause) for burst in new]
        replay_ids = {burst.burst_id for burst in change.replay}
        events += [
            _superseded(live, change, revisions, cause) for live in change.live if live.burst_id not in replay_ids
        ]
    return events


def _revision(burst: BurstSnapshot, change: BurstChange, revisions: Mapping[str, int], cause: str) -> BurstResolved:
    before = next((live for live in change.live if live.burst_id == burst.burst_id), None)
    replay_ids = {other.burst_id for other in change.replay}
    overlapping = [live for live in change.live if live.count_shared(burst)]
    superseded = tuple(live.burst_id for live in overlapping if live.burst_id not in replay_ids)
    closed = [live.closed_at for live in overlapping if live.closed_at is not None]
    changes = [cause]
    if before is not None and before.images != burst.images:
        changes.append(f"{len(before.frames)} frames became {len(burst.frames)}")
    changes += [
        f"verdict: {live.label} became {burst.label}" for live in overlapping if live.verdicts != burst.verdicts
    ]
    changes += [
        f"category: {live.category or 'none'} became {burst.category or 'none'}"
        for live in overlapping
        if live.category != burst.category
    ]
    changes += [
        f"crops: {'published' if live.crops_withheld else 'withheld'}"
        for live in overlapping
        if live.crops_withheld != burst.crops_withheld
    ]
    event = burst.event
    return event.model_copy(
        update={
            "revision": revisions.get(burst.burst_id, 0) + 1,
            "status": BurstStatus.REVISED if burst.burst_id in revisions else BurstStatus.FINAL,
            # The time of the live close: the replay's log times mean nothing in the live log.
            "closed_at": max(closed, default=event.closed_at),
            "supersedes": superseded,
            # A replay knows no reviews: they are of the bursts, and not of a model.
            "review": max((live.event.review for live in overlapping if live.event.review), key=_order, default=None),
            "changes": tuple(changes),
        }
    )


def _order(review: BurstReview) -> tuple[datetime, str]:
    return review.reviewed_at, review.review_id


def _superseded(live: BurstSnapshot, change: BurstChange, revisions: Mapping[str, int], cause: str) -> BurstResolved:
    event = live.event
    return BurstResolved(
        burst_id=live.burst_id,
        revision=revisions[live.burst_id] + 1,
        status=BurstStatus.SUPERSEDED,
        station=event.station,
        camera=event.camera,
        trigger=event.trigger,
        started_at=event.started_at,
        ended_at=event.ended_at,
        rule=event.rule,
        settings=event.settings,
        superseded_by=_successor(live, change).burst_id,
        changes=(cause,),
    )


def _successor(live: BurstSnapshot, change: BurstChange) -> BurstSnapshot:
    """The replay's burst with the first photograph of the live burst that any of them contains."""
    for frame in live.frames:
        for burst in change.replay:
            if frame.image_id in burst.images or frame.upload_id in burst.uploads:
                return burst
    raise AssertionError("a burst without a successor is held")
