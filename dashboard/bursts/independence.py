"""Groups bursts into events and determines independent detections, for catalogues.

The result depends only on the latest bursts and the cameras' deployments, not on the order of arrival. It is not part
of verdicts: a burst that arrives three weeks late can join two events, so that all verdicts of both would have to be
published again. It is therefore computed when bursts are listed.
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
    """The event of one burst, and whether it is an independent detection."""

    event_id: str
    """Event id, shared by consecutive bursts of one camera and taxon within the event gap."""
    independent: bool
    """True for the first burst of an event that starts more than the independence gap after the previous event. Only
    such bursts are counted."""


@dataclass(frozen=True)
class CountingRules:
    """The gaps that apply to a camera at a given time."""

    event_gap: timedelta
    independence_gap: timedelta
    deployment: str | None = None
    """Deployment id; None when unknown. A new deployment starts a new event."""


RulesLookup = Callable[[str, datetime], CountingRules]
"""Returns the gaps for a camera and a capture time by its clock."""


def rules_lookup(settings: Settings, deployments: Deployments) -> RulesLookup:
    """Return the gaps in the settings, or those of the deployment that overrides them."""

    def seconds(own: float | None, general: float) -> timedelta:
        return timedelta(seconds=general if own is None else own)

    def rules_at(camera: str, captured_at: datetime) -> CountingRules:
        deployment = deployments.at(camera, captured_at.replace(tzinfo=None))
        if deployment is None:
            return CountingRules(seconds(None, settings.event_gap_s), seconds(None, settings.independence_gap_s))
        return CountingRules(
            seconds(deployment.event_gap_s, settings.event_gap_s),
            seconds(deployment.independence_gap_s, settings.independence_gap_s),
            deployment.deployment_id,
        )

    return rules_at


def count_detections(bursts: Iterable[BurstResolved], rules_at: RulesLookup) -> dict[str, Detection]:
    """Return the detection of each burst with a verdict, by burst id.

    A gap lasts from the end of the previous bursts to the start of the next burst, whose gap settings apply.
    """
    found: dict[str, Detection] = {}
    ordered = sorted((burst for burst in bursts if burst.verdict), key=lambda burst: (*_subject(burst), *_order(burst)))
    for subject, own in groupby(ordered, key=_subject):
        event_id, deployment = "", None
        ended: datetime | None = None
        for burst in own:
            rules = rules_at(burst.camera, burst.started_at)
            if ended is not None and rules.deployment != deployment:
                ended = None
            gap = None if ended is None else burst.started_at - ended
            if gap is None or gap > rules.event_gap:
                event_id = f"evt-{digest(*subject, burst.burst_id)}"
            found[burst.burst_id] = Detection(event_id, gap is None or gap > rules.independence_gap)
            ended = burst.ended_at if ended is None else max(ended, burst.ended_at)
            deployment = rules.deployment
    return found


def _subject(burst: BurstResolved) -> tuple[str, str]:
    assert burst.verdict is not None
    return burst.camera, burst.verdict.taxon or burst.verdict.label


def _order(burst: BurstResolved) -> tuple[datetime, str]:
    return burst.started_at, burst.burst_id
