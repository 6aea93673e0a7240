"""The verdict on one camera's clock, from all kinds of evidence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from uncia.events import ClockEvidence, ClockJudged, ClockReason, ClockVerdict, DeploymentChanged
from uncia.processors.clock_health.arrival import RESET_BEFORE, ahead, long_ago, steady, year_reset
from uncia.processors.clock_health.camera_evidence import (
    backwards,
    factory_time,
    outside_deployments,
    set_back,
    stated_zone,
    two_cameras,
)
from uncia.processors.clock_health.findings import Finding
from uncia.processors.clock_health.history import History, Occasion, camera_time
from uncia.processors.clock_health.sunlight import Light, sunlight

DeploymentLookup = Callable[[datetime], DeploymentChanged | None]
"""From a time to the camera's deployment; a time without UTC offset is by the camera's clock."""

MIN_OCCASIONS = 5
"""Occasions before a clock without findings is reported as ok."""

_WEIGHTS = (ClockVerdict.OK, ClockVerdict.UNKNOWN, ClockVerdict.SUSPICIOUS, ClockVerdict.WRONG)
_UTC_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass
class PublishedVerdict:
    """The last published verdict, as far as it decides whether to publish again. Field names are stored."""

    verdict: ClockVerdict
    codes: list[str] = field(default_factory=list)
    offset_s: float | None = None

    @classmethod
    def from_event(cls, event: ClockJudged) -> "PublishedVerdict":
        """The part of this event that is stored."""
        return cls(event.verdict, [reason.code for reason in event.reasons], event.offset_s)

    def differs(self, event: ClockJudged) -> bool:
        """Whether the event has another verdict, other reasons, or another offset."""
        if (self.verdict, self.codes) != (event.verdict, [reason.code for reason in event.reasons]):
            return True
        if self.offset_s is None or event.offset_s is None:
            return self.offset_s is not event.offset_s
        return abs(self.offset_s - event.offset_s) > max(300.0, 0.1 * abs(self.offset_s))


def assess(
    camera: str, history: History, raised: list[str], deployment_at: DeploymentLookup, now: datetime
) -> ClockJudged:
    """Assess a camera's clock by all evidence.

    `raised`: the codes of the findings that were raised before; `now` (aware) is the time of the assessment.
    """

    def zone(occasion: Occasion) -> int | None:
        # A clock that is decades off is in no deployment; then the deployment at the upload applies.
        found = deployment_at(camera_time(occasion.captured)) or deployment_at(
            _UTC_EPOCH + timedelta(seconds=occasion.uploaded)
        )
        return None if found is None else 60 * found.utc_offset_minutes

    lights = _lights(history, deployment_at)
    by_numbers = backwards(history, "backwards" in raised)
    constant = steady(history, zone, bool({"ahead", "behind", "zone"} & set(raised)))
    found = [
        year_reset(history, "year-reset" in raised),
        constant,
        ahead(history, zone, "ahead" in raised) if constant is None or (constant.offset_s or 0) < 0 else None,
        sunlight(lights, bool({"zone", "sun"} & set(raised))) if constant is None else None,
        by_numbers,
        set_back(history) if by_numbers is None and constant is None else None,
        factory_time(history),
        outside_deployments(history, deployment_at, "outside-deployments" in raised),
        stated_zone(history, zone, "stated-zone" in raised),
        two_cameras(history, "two-cameras" in raised),
        long_ago(history, "long-ago" in raised),
        _no_clock(history),
    ]
    findings = [finding for finding in found if finding is not None]
    return ClockJudged(
        camera=camera,
        verdict=_verdict(history, findings),
        reasons=tuple(
            ClockReason(code=found.code, weight=found.weight, text=found.text, occasions=found.bad, of=found.of)
            for found in findings
        ),
        offset_s=_offset(constant, findings),
        evidence=ClockEvidence(
            frames=history.frames,
            occasions=len(history.recent),
            arrival=len(history.recent),
            order=sum(occasion.back is not None for occasion in history.recent),
            sun=len(lights),
        ),
        last_capture=None if history.last_capture is None else camera_time(history.last_capture),
        last_upload=None if history.last_upload is None else _UTC_EPOCH + timedelta(seconds=history.last_upload),
        judged_at=now,
    )


def _verdict(history: History, findings: list[Finding]) -> ClockVerdict:
    enough = ClockVerdict.OK if len(history.recent) >= MIN_OCCASIONS else ClockVerdict.UNKNOWN
    return max([enough, *(finding.weight for finding in findings)], key=_WEIGHTS.index)


def _offset(constant: Finding | None, findings: list[Finding]) -> float | None:
    """The best estimate of the offset, in seconds: a steady delay; a reset clock; the sun; the least possible."""
    order = ("year-reset", "zone", "ahead")
    others = sorted((found for found in findings if found.code in order), key=lambda found: order.index(found.code))
    offsets = (found.offset_s for found in (constant, *others) if found is not None)
    return next((offset for offset in offsets if offset is not None), None)


def _lights(history: History, deployment_at: DeploymentLookup) -> list[Light]:
    lights = []
    for occasion in history.spread:
        if occasion.infrared is None or occasion.captured < RESET_BEFORE:
            continue
        deployment = deployment_at(camera_time(occasion.captured))
        if deployment is not None:
            moment = occasion.captured - 60 * deployment.utc_offset_minutes
            lights.append(Light(moment, deployment.latitude, deployment.longitude, occasion.infrared))
    return lights


def _no_clock(history: History) -> Finding | None:
    if history.recent or not history.without_clock:
        return None
    text = "the photographs contain no capture time: the clock cannot be assessed"
    return Finding("no-exif", ClockVerdict.UNKNOWN, text, history.without_clock, history.frames)
