"""Health: which cameras are silent, hot, wrong about the time, or send unreadable files."""

from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter
from pydantic import BaseModel

from uncia.dashboard.catalogue.rows import CameraHealth
from uncia.dashboard.web.context import Viewing
from uncia.dashboard.web.page_route import page

router = APIRouter(tags=["health"])

_DAYS = 30
_SILENT_FACTOR = 3
"""A camera is silent when it has sent nothing for this many of its usual intervals."""
_LEAST_SILENCE = timedelta(days=2)


class DayActivity(BaseModel):
    """Photographs of a camera on one day."""

    day: date
    captures: int


class CameraView(BaseModel):
    """The condition of a camera."""

    camera: str
    station: str
    silent: bool
    """It has sent nothing for three of its usual intervals, and for two days."""
    usual_interval_days: float | None
    """Days between days with photographs, in the last 30."""
    last_contact: datetime | None
    last_capture: datetime | None
    temperature_c: float | None
    model: str
    serial: str | None
    captures: int
    rejected: int
    pending: int
    clock: str | None
    clock_reasons: list[str]
    static_objects: int
    deployment_id: str | None
    deployed_since: datetime | None
    deployed_until: datetime | None
    days: list[DayActivity]


class HealthPage(BaseModel):
    """All cameras, those first that need attention."""

    days: int
    """The counts are of this many days, up to the last day with a photograph."""
    until: date
    cameras: list[CameraView]


@page(router, "/health", "health.html.j2")
def show_health(context: Viewing) -> HealthPage:
    """The condition of every camera that the caller may see."""
    services, stations = context.services, context.caller.stations
    now = datetime.now(UTC)
    today = now.date()
    known = services.catalogue.camera_health(_DAYS, today, stations)
    activity = services.numbers.activity(today - timedelta(days=_DAYS - 1), stations)
    views = [_view(one, activity.get(one.camera, {}), now) for one in known]
    views.sort(key=lambda view: (not view.silent, view.clock not in ("wrong", "suspicious"), view.camera))
    return HealthPage(days=_DAYS, until=today, cameras=views)


def _view(health: CameraHealth, activity: dict[date, int], now: datetime) -> CameraView:
    interval = _DAYS / len(activity) if activity else None
    usual = timedelta(days=_SILENT_FACTOR * (interval or 1))
    ended = health.deployed_until is not None and health.deployed_until < now
    silent = health.last_contact is not None and not ended and now - health.last_contact > max(usual, _LEAST_SILENCE)
    first = now.date() - timedelta(days=_DAYS - 1)
    return CameraView(
        camera=health.camera,
        station=health.station,
        silent=silent,
        usual_interval_days=None if interval is None else round(interval, 1),
        last_contact=health.last_contact,
        last_capture=health.last_capture,
        temperature_c=health.temperature_c,
        model=" ".join(filter(None, (health.make, health.model))),
        serial=health.serial,
        captures=health.captures,
        rejected=health.rejected,
        pending=health.pending,
        clock=health.clock,
        clock_reasons=[str(one.get("text", one.get("code", ""))) for one in health.clock_reasons],
        static_objects=len(health.static_objects),
        deployment_id=health.deployment_id,
        deployed_since=health.deployed_since,
        deployed_until=health.deployed_until,
        days=[
            DayActivity(day=day, captures=activity.get(day, 0))
            for day in (first + timedelta(days=at) for at in range(_DAYS))
        ],
    )
