"""The verdict on one camera's clock."""

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

Lookup = Callable[[datetime], DeploymentChanged | None]
"""The camera's deployment at a time; a time without offset is the camera's clock."""

FEWEST = 5
"""Occasions before a clock that shows no fault is called right."""

_WEIGHTS = (ClockVerdict.OK, ClockVerdict.UNKNOWN, ClockVerdict.SUSPICIOUS, ClockVerdict.WRONG)
_UTC_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass
class Said:
    """What was published of a camera last, as far as it decides whether to speak again."""

    verdict: ClockVerdict
    codes: list[str] = field(default_factory=list)
    offset_s: float | None = None

    @classmethod
    def of(cls, event: ClockJudged) -> "Said":
        """What this event says."""
        return cls(event.verdict, [reason.code for reason in event.reasons], event.offset_s)

    def differs(self, event: ClockJudged) -> bool:
        """Whether the event is news: another verdict, other reasons, or an offset that moved."""
        if (self.verdict, self.codes) != (event.verdict, [reason.code for reason in event.reasons]):
            return True
        if self.offset_s is None or event.offset_s is None:
            return self.offset_s is not event.offset_s
        return abs(self.offset_s - event.offset_s) > max(300.0, 0.1 * abs(self.offset_s))


def judge(camera: str, history: History, raised: list[str], at: Lookup, now: datetime) -> ClockJudged:
    """Everything that is known of the clock, now. `raised`: the reasons that stood before."""

    def zone(occasion: Occasion) -> int | None:
        # A clock decades off is in no deployment; its camera is where it stood at the upload.
        found = at(camera_time(occasion.captured)) or at(_UTC_EPOCH + timedelta(seconds=occasion.uploaded))
        return None if found is None else 60 * found.utc_offset_minutes

    lights = _lights(history, at)
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
        outside_deployments(history, at, "outside-deployments" in raised),
        stated_zone(history, zone, "stated-zone" in raised),
        two_cameras(history, "two-cameras" in raised),
        long_ago(history, "long-ago" in raised),
        _no_clock(history),
    ]
    findings = [each for each in found if each is not None]
    return ClockJudged(
        camera=camera,
        verdict=_verdict(history, findings),
        reasons=tuple(
            ClockReason(code=each.code, weight=each.weight, text=each.text, occasions=each.bad, of=each.of)
            for each in findings
        ),
        offset_s=_offset(constant, findings),
        evidence=ClockEvidence(
            frames=history.frames,
            occasions=len(history.recent),
            arrival=len(history.recent),
            order=sum(each.back is not None for each in history.recent),
            sun=len(lights),
        ),
        last_capture=None if history.last_capture is None else camera_time(history.last_capture),
        last_upload=None if history.last_upload is None else _UTC_EPOCH + timedelta(seconds=history.last_upload),
        judged_at=now,
    )


def _verdict(history: History, findings: list[Finding]) -> ClockVerdict:
    enough = ClockVerdict.OK if len(history.recent) >= FEWEST else ClockVerdict.UNKNOWN
    return max([enough, *(each.weight for each in findings)], key=_WEIGHTS.index)


def _offset(constant: Finding | None, findings: list[Finding]) -> float | None:
    """The best estimate: a steady delay; a clock that began anew; the sun; the least that is possible."""
    order = ("year-reset", "zone", "ahead")
    later = sorted((each for each in findings if each.code in order), key=lambda each: order.index(each.code))
    told = (each.offset_s for each in (constant, *later) if each is not None)
    return next((offset for offset in told if offset is not None), None)


def _lights(history: History, at: Lookup) -> list[Light]:
    lights = []
    for each in history.spread:
        if each.infrared is None or each.captured < RESET_BEFORE:
            continue
        deployment = at(camera_time(each.captured))
        if deployment is not None:
            moment = each.captured - 60 * deployment.utc_offset_minutes
            lights.append(Light(moment, deployment.latitude, deployment.longitude, each.infrared))
    return lights


def _no_clock(history: History) -> Finding | None:
    if history.recent or not history.without_clock:
        return None
    text = "its photographs carry no time of their own: nothing is known of its clock"
    return Finding("no-exif", ClockVerdict.UNKNOWN, text, history.without_clock, history.frames)
