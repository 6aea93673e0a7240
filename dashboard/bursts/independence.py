"""Events and independent detections, for catalogues: which bursts are one visit, and which count on their own.

A function of settled bursts and of where the cameras stood, and of nothing else, so the order in which they came does
not matter. It is no part of a verdict: a burst that comes three weeks late can join two events, and every verdict of
both would have to be said again long after it was final. So whoever counts computes it over the bursts as they stand
then.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from uncia.camtrap.deployments import Deployments
from uncia.events import BurstResolved
from uncia.ids import digest
from uncia.settings import Settings


@dataclass(frozen=True)
class Detection:
    """What one burst counts as."""

    event_id: str
    """Shared by the bursts of one camera and taxon that follow each other within the event gap."""
    independent: bool
    """Begins an event more than the independence gap after the one before; other bursts add nothing to a count."""


@dataclass(frozen=True)
class Place:
    """What holds for a camera at a time."""

    event_gap: timedelta
    independence_gap: timedelta
    deployment: str | None = None
    """Where it stood; None where nothing is known. A camera that was moved sees another visit."""


PlaceOf = Callable[[str, datetime], Place]
"""Camera and capture time (its own clock) to what holds there."""


def places_of(settings: Settings, deployments: Deployments) -> PlaceOf:
    """The general gaps, and those of a deployment where it sets its own."""

    def seconds(own: float | None, general: float) -> timedelta:
        return timedelta(seconds=general if own is None else own)

    def at(camera: str, taken: datetime) -> Place:
        stood = deployments.at(camera, taken.replace(tzinfo=None))
        if stood is None:
            return Place(seconds(None, settings.event_gap_s), seconds(None, settings.independence_gap_s))
        return Place(
            seconds(stood.event_gap_s, settings.event_gap_s),
            seconds(stood.independence_gap_s, settings.independence_gap_s),
            stood.deployment_id,
        )

    return at


def detections(bursts: Iterable[BurstResolved], place_of: PlaceOf) -> dict[str, Detection]:
    """By burst id: those with a verdict, one for each.

    Gaps run from the end of what came before to the start of the next burst, at the place where that stands.
    """
    found: dict[str, Detection] = {}
    ordered = sorted((each for each in bursts if each.verdict), key=lambda each: (*_subject(each), *_order(each)))
    for subject, own in groupby(ordered, key=_subject):
        event_id, stood = "", None
        ended: datetime | None = None
        for burst in own:
            place = place_of(burst.camera, burst.started_at)
            if ended is not None and place.deployment != stood:
                ended = None
            apart = None if ended is None else burst.started_at - ended
            if apart is None or apart > place.event_gap:
                event_id = f"evt-{digest(*subject, burst.burst_id)}"
            found[burst.burst_id] = Detection(event_id, apart is None or apart > place.independence_gap)
            ended = burst.ended_at if ended is None else max(ended, burst.ended_at)
            stood = place.deployment
    return found


def _subject(burst: BurstResolved) -> tuple[str, str]:
    assert burst.verdict is not None
    return burst.camera, burst.verdict.taxon or burst.verdict.label


def _order(burst: BurstResolved) -> tuple[datetime, str]:
    return burst.started_at, burst.burst_id
