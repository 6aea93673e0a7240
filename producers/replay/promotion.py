"""The events that make live say what the replay says; pure.

For every difference that is not held: what both know by the same id is revised, ids that only the replay has are
published, and ids that only live has are superseded by the burst that holds their first photograph. Revisions rise
above everything that live ever said of an id. Heirs come before what they supersede: a reader that stops between two
events has seen a photograph twice, not never.

Once they are published, the comparison finds nothing more to promote.
"""

from collections.abc import Mapping

from uncia.events import BurstResolved, BurstStatus
from uncia.producers.replay.burst_snapshot import Standing
from uncia.producers.replay.compare import Change, Comparison


def plan(comparison: Comparison, said: Mapping[str, int], words: str) -> list[BurstResolved]:
    """Events in the order in which they are to be sent.

    `said` has the highest revision of every burst id that live ever had, superseded ones too. `words` name the replay
    and the model in the events' `changes`.
    """
    events = []
    for change in comparison.to_promote():
        heirs = [burst for burst in change.replay if not any(burst.agrees(live) for live in change.live)]
        events += [_heir(burst, change, said, words) for burst in heirs]
        kept = {burst.burst_id for burst in change.replay}
        events += [_superseded(live, change, said, words) for live in change.live if live.burst_id not in kept]
    return events


def _heir(burst: Standing, change: Change, said: Mapping[str, int], words: str) -> BurstResolved:
    before = next((live for live in change.live if live.burst_id == burst.burst_id), None)
    kept = {each.burst_id for each in change.replay}
    overlapping = [live for live in change.live if live.shared_with(burst)]
    gone = tuple(live.burst_id for live in overlapping if live.burst_id not in kept)
    closed = [live.closed_at for live in overlapping if live.closed_at is not None]
    changes = [words]
    if before is not None and before.images != burst.images:
        changes.append(f"{len(before.frames)} frames became {len(burst.frames)}")
    changes += [f"verdict: {live.label} became {burst.label}" for live in overlapping if live.says != burst.says]
    event = burst.event
    return event.model_copy(
        update={
            "revision": said.get(burst.burst_id, 0) + 1,
            "status": BurstStatus.REVISED if burst.burst_id in said else BurstStatus.FINAL,
            # It closed when it closed: the replay's own times mean nothing in live's log.
            "closed_at": max(closed, default=event.closed_at),
            "supersedes": gone,
            "changes": tuple(changes),
        }
    )


def _superseded(live: Standing, change: Change, said: Mapping[str, int], words: str) -> BurstResolved:
    event = live.event
    return BurstResolved(
        burst_id=live.burst_id,
        revision=said[live.burst_id] + 1,
        status=BurstStatus.SUPERSEDED,
        station=event.station,
        camera=event.camera,
        trigger=event.trigger,
        started_at=event.started_at,
        ended_at=event.ended_at,
        rule=event.rule,
        settings=event.settings,
        superseded_by=_heir_of(live, change).burst_id,
        changes=(words,),
    )


def _heir_of(live: Standing, change: Change) -> Standing:
    """The burst that holds the first of its photographs which any holds."""
    for frame in live.frames:
        for burst in change.replay:
            if frame.image_id in burst.images or any(frame.upload_id == each.upload_id for each in burst.frames):
                return burst
    raise AssertionError("a burst without an heir is held")
