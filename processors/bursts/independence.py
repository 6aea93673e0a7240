"""Events and independent detections, for catalogues: which bursts are one visit, and which count on their own.

A function of settled bursts and nothing else, so the order in which they came does not matter. It is no part of a
verdict: a burst that comes three weeks late can join two events, and every verdict of both would have to be said
again long after it was final. So whoever counts computes it over the bursts as they stand then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from uncia.events import BurstResolved
from uncia.ids import digest


@dataclass(frozen=True)
class Detection:
    """What one burst counts as."""

    event_id: str
    """Shared by the bursts of one camera and taxon that follow each other within the event gap."""
    independent: bool
    """Begins an event more than the independence gap after the one before; other bursts add nothing to a count."""


def detections(
    bursts: Iterable[BurstResolved], event_gap: timedelta, independence_gap: timedelta
) -> dict[str, Detection]:
    """By burst id: those with a verdict, one for each. Gaps run from the end of a burst to the start of the next."""
    found: dict[str, Detection] = {}
    ordered = sorted((each for each in bursts if each.verdict), key=lambda each: (*_subject(each), *_place(each)))
    for subject, own in groupby(ordered, key=_subject):
        event_id = ""
        ended: datetime | None = None
        for burst in own:
            apart = None if ended is None else burst.started_at - ended
            if apart is None or apart > event_gap:
                event_id = f"evt-{digest(*subject, burst.burst_id)}"
            found[burst.burst_id] = Detection(event_id, apart is None or apart > independence_gap)
            ended = burst.ended_at if ended is None else max(ended, burst.ended_at)
    return found


def _subject(burst: BurstResolved) -> tuple[str, str]:
    assert burst.verdict is not None
    return burst.camera, burst.verdict.taxon or burst.verdict.label


def _place(burst: BurstResolved) -> tuple[datetime, str]:
    return burst.started_at, burst.burst_id
