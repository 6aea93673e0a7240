"""Trap nights and activity by camera, read from deployments and photographs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, cast, func, select

from uncia.dashboard.catalogue.effort import Span, nights_within
from uncia.dashboard.catalogue.filters import Scope
from uncia.dashboard.catalogue.tables import camera_days, cameras, deployments

__all__ = [
    "ActiveDay",
    "CameraActivity",
    "CameraHistory",
    "Effort",
    "active_days",
    "camera_activity",
    "camera_effort",
    "read_history",
]

_FIRST_DAY = date(2001, 1, 1)
"""Days before it are those of a clock that was reset."""

_LONGEST_GAP = timedelta(days=365)
"""Without a deployment, a year without a photograph is no effort: the camera stood nowhere, or its clock was reset."""

_CONTACT_DAYS = 400
"""How far back days with a contact are looked at: cards of some cameras are collected once a year."""


@dataclass(frozen=True)
class Effort:
    """How long a camera stood, in nights; `active_days`: days with a photograph."""

    camera: str
    station: str
    nights: int
    active_days: int
    deployed: bool
    """Whether the nights come from deployments; otherwise from the first to the last photograph, without gaps of a
    year or more."""


@dataclass(slots=True)
class ActiveDay:
    """What a camera captured on one day. Not frozen: pages make tens of thousands, which takes twice as long then."""

    day: date
    captures: int
    rejected: int
    temperature_min_c: float | None
    temperature_max_c: float | None
    battery_min_v: float | None


@dataclass
class CameraActivity:
    """One camera within some days."""

    spans: list[Span] = field(default_factory=list)
    """When it was deployed, not cut to the days; without a deployment: while it took photographs."""
    days: list[date] = field(default_factory=list)
    """With photographs, in order."""
    contacts: Sequence[date] = ()
    """Days on which photographs were stored, by the store's clock, within more than a year."""


@dataclass(frozen=True)
class _Active:
    """When a camera took photographs."""

    days: int
    spans: tuple[Span, ...]
    """From the first to the last photograph, without gaps of a year or more."""


@dataclass(frozen=True)
class CameraHistory:
    """What changes by the day, of all cameras."""

    until: date
    active: dict[str, _Active]
    """When they took photographs."""
    contacts: dict[str, tuple[date, ...]]
    """Days on which photographs were stored, within `_CONTACT_DAYS` before `until`."""


def read_history(connection: Connection, until: date) -> CameraHistory:
    """Read the days of all cameras: some hundred thousand rows for some hundred cameras."""
    contact = func.date(camera_days.c.last_uploaded_at)
    earliest = datetime.combine(until - timedelta(days=_CONTACT_DAYS), datetime.min.time(), UTC)
    statement = select(camera_days.c.camera, contact).where(camera_days.c.last_uploaded_at >= earliest).distinct()
    contacts: dict[str, list[date]] = {}
    for camera, day in connection.execute(statement):
        contacts.setdefault(camera, []).append(date.fromisoformat(str(day)))
    by_camera = {camera: tuple(sorted(days)) for camera, days in contacts.items()}
    return CameraHistory(until, _active(connection), by_camera)


def camera_effort(
    connection: Connection, scope: Scope, since: date | None, until: date | None, history: CameraHistory | None = None
) -> list[Effort]:
    """Trap nights of the cameras of a scope, within the days (both included)."""
    ever = _active(connection) if history is None else history.active
    days = {camera: active.days for camera, active in ever.items()}
    if since is not None or until is not None:
        days = _active_days(connection, since, until)
    spans = _spans(connection, ever)
    return [
        Effort(
            camera,
            station,
            nights_within(spans.get(camera) or _photographed(ever.get(camera)), since, until),
            days.get(camera, 0),
            camera in spans,
        )
        for camera, station in sorted(scope.stations.items())
    ]


def camera_activity(
    connection: Connection, scope: Scope, since: date, until: date, history: CameraHistory | None = None
) -> dict[str, CameraActivity]:
    """What the cameras of a scope did within some days."""
    if history is None or history.until != until:
        history = read_history(connection, until)
    spans = _spans(connection, history.active)
    found = {
        camera: CameraActivity(
            spans.get(camera) or _photographed(history.active.get(camera)), [], history.contacts.get(camera, ())
        )
        for camera in scope.stations
    }
    days = {camera: activity.days for camera, activity in found.items()}
    # Of these two columns alone the primary key holds all: a third of the time.
    for camera, day in connection.execute(_within([], since, until, None)).all():
        if camera in days:
            days[camera].append(day)
    return found


def active_days(
    connection: Connection, scope: Scope, since: date, until: date, wanted: Collection[str] | None = None
) -> dict[str, list[ActiveDay]]:
    """What the cameras of a scope captured on each day, in order; `wanted`: only these cameras."""
    found: dict[str, list[ActiveDay]] = {camera: [] for camera in scope.stations}
    names = [each.name for each in fields(ActiveDay)][1:]
    # All at once: one by one, SQLAlchemy takes twice as long.
    for camera, *values in connection.execute(_within(names, since, until, wanted)).all():
        if camera in found:
            found[camera].append(ActiveDay(*values))
    return found


def _within(names: Sequence[str], since: date, until: date, wanted: Collection[str] | None) -> Select[Any]:
    """Camera, day and further columns, in order of the days of each camera."""
    columns = [camera_days.c.camera, camera_days.c.day, *(camera_days.c[name] for name in names)]
    # By camera, so that the days are read in their order.
    by_camera = camera_days.c.camera.in_(select(cameras.c.camera) if wanted is None else sorted(wanted))
    statement = select(*columns).where(by_camera, camera_days.c.day.between(since, until))
    return statement.order_by(camera_days.c.camera, camera_days.c.day)


def _active(connection: Connection) -> dict[str, _Active]:
    """Photographs by camera, without those of a clock that was reset or runs ahead."""
    day = camera_days.c.day
    # By year, and not day by day: a few rows for each camera. As text: SQLite takes four times as long to parse it.
    year = func.substr(cast(day, String), 1, 4)
    statement = (
        select(camera_days.c.camera, func.count(), func.min(day), func.max(day))
        .where(_is_plausible())
        .group_by(camera_days.c.camera, year)
        .order_by(camera_days.c.camera, func.min(day))
    )
    found: dict[str, _Active] = {}
    for camera, count, first, last in connection.execute(statement):
        known = found.get(camera, _Active(0, ()))
        spans = known.spans
        if spans and first - spans[-1].end < _LONGEST_GAP:
            spans, first = spans[:-1], spans[-1].first
        found[camera] = _Active(known.days + count, (*spans, Span(first, last)))
    return found


def _active_days(connection: Connection, since: date | None, until: date | None) -> dict[str, int]:
    """Days with photographs by camera within the days, without those of a clock that was reset or runs ahead."""
    # A count for each camera reads the primary key alone; grouping takes ten times as long, for it reads the rows.
    count = select(func.count()).where(camera_days.c.camera == cameras.c.camera, _is_plausible(since, until))
    rows = connection.execute(select(cameras.c.camera, count.scalar_subquery())).all()
    return {row[0]: row[1] for row in rows}


def _is_plausible(since: date | None = None, until: date | None = None) -> ColumnElement[bool]:
    # The day has begun in the easternmost time zone.
    latest = (datetime.now(UTC) + timedelta(hours=14)).date()
    return camera_days.c.day.between(max(since or _FIRST_DAY, _FIRST_DAY), min(until or latest, latest))


def _spans(connection: Connection, active: dict[str, _Active]) -> dict[str, list[Span]]:
    today = datetime.now(UTC).date()
    spans: dict[str, list[Span]] = {}
    for row in connection.execute(select(deployments)).mappings():
        zone = timedelta(minutes=row["utc_offset_minutes"])
        first = (row["starts_at"] + zone).date()
        # A deployment without an end lasts until the last photograph: a camera that is silent may be gone.
        end = active[row["camera"]].spans[-1].end if row["camera"] in active else first
        if row["ends_at"] is not None:
            end = min((row["ends_at"] + zone).date(), today)
        spans.setdefault(row["camera"], []).append(Span(first, end))
    return spans


def _photographed(active: _Active | None) -> list[Span]:
    return [] if active is None else list(active.spans)
