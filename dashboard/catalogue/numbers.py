"""Counts for ecologists: detections by taxon, day and hour, effort, and how reviews compare with the models."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Engine, and_, case, distinct, extract, func, or_, select

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.filters import BurstFilter, Scope, all_conditions
from uncia.dashboard.catalogue.tables import bursts, camera_days, cameras, deployments, taxa
from uncia.events import Sensitivity

__all__ = ["CameraPosition", "CatalogueNumbers", "ConfusedPair", "DayCount", "Effort", "HourCount", "SubjectCount"]

_DECIMALS = {Sensitivity.LOW.value: 2, Sensitivity.MEDIUM.value: 1}
_LONGEST_GAP = timedelta(days=365)
_ROUNDED_M = {Sensitivity.LOW.value: 1_000, Sensitivity.MEDIUM.value: 10_000}

Stations = Iterable[str] | None


@dataclass(frozen=True)
class SubjectCount:
    """What was seen how often. `subject`: a taxon, else a label, else a category."""

    subject: str
    label: str
    category: str
    bursts: int
    independent: int
    """Independent detections at the requested interval."""
    cameras: int
    first_seen: datetime


@dataclass(frozen=True)
class HourCount:
    """Independent detections of a subject by hour of the day, of the cameras' clocks."""

    subject: str
    hour: int
    count: int


@dataclass(frozen=True)
class DayCount:
    """Bursts of a category on one day."""

    day: date
    category: str
    count: int


@dataclass(frozen=True)
class ConfusedPair:
    """How many reviewed bursts the models call one thing, and people another."""

    model: str
    human: str
    count: int


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


@dataclass(frozen=True)
class CameraPosition:
    """Where a camera stands, as precisely as the caller may know."""

    camera: str
    station: str
    latitude: float
    longitude: float
    uncertainty_m: float | None
    bursts: int


class CatalogueNumbers:
    """Counts on one database. Safe from any thread; each method is one transaction."""

    def __init__(self, engine: Engine, taxonomy: Taxonomy | None = None) -> None:
        self._engine = engine
        self._taxonomy = taxonomy or Taxonomy.load()

    def subjects(self, chosen: BurstFilter, interval_s: float, stations: Stations = None) -> list[SubjectCount]:
        """What was seen, the most frequent first."""
        independent = or_(bursts.c.gap_s.is_(None), bursts.c.gap_s > interval_s)
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = (
                select(
                    bursts.c.subject,
                    func.max(bursts.c.label),
                    func.max(bursts.c.category),
                    func.count(),
                    func.sum(case((independent, 1), else_=0)),
                    func.count(distinct(bursts.c.camera)),
                    func.min(bursts.c.started_at),
                )
                .where(bursts.c.subject.is_not(None), *all_conditions(chosen, scope))
                .group_by(bursts.c.subject)
            )
            rows = [
                SubjectCount(subject, label or subject, category or "", count, int(own or 0), seen, first)
                for subject, label, category, count, own, seen, first in connection.execute(statement)
            ]
        return sorted(rows, key=lambda row: (-row.independent, row.label))

    def hours(self, chosen: BurstFilter, interval_s: float, stations: Stations = None) -> list[HourCount]:
        """Independent detections by subject and hour."""
        independent = or_(bursts.c.gap_s.is_(None), bursts.c.gap_s > interval_s)
        hour = (bursts.c.minute - bursts.c.minute % 60) / 60
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = (
                select(bursts.c.subject, hour, func.count())
                .where(bursts.c.subject.is_not(None), independent, *all_conditions(chosen, scope))
                .group_by(bursts.c.subject, hour)
            )
            return [HourCount(subject, int(at), count) for subject, at, count in connection.execute(statement)]

    def days(self, chosen: BurstFilter, stations: Stations = None) -> list[DayCount]:
        """Bursts by day and category, in the order of the days."""
        day = func.date(bursts.c.started_at)
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = (
                select(day, bursts.c.category, func.count())
                .where(*all_conditions(chosen, scope))
                .group_by(day, bursts.c.category)
                .order_by(day)
            )
            return [
                DayCount(date.fromisoformat(str(at)), category or "", count)
                for at, category, count in connection.execute(statement)
            ]

    def confusion(self, chosen: BurstFilter, stations: Stations = None) -> list[ConfusedPair]:
        """Reviewed bursts by what the models call them and what people call them."""
        model = func.coalesce(bursts.c.model_taxon, bursts.c.model_category, "")
        human = func.coalesce(bursts.c.taxon, bursts.c.category, "")
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = (
                select(model, human, func.count())
                .where(bursts.c.reviewed.is_(True), *all_conditions(chosen, scope))
                .group_by(model, human)
            )
            return [ConfusedPair(*row) for row in connection.execute(statement)]

    def effort(self, since: date | None, until: date | None, stations: Stations = None) -> list[Effort]:
        """Trap nights by camera, within the days."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            active = _active(connection, since, until)
            spans: dict[str, list[tuple[date, date]]] = {}
            for row in connection.execute(select(deployments)).mappings():
                zone = timedelta(minutes=row["utc_offset_minutes"])
                first = (row["starts_at"] + zone).date()
                # A deployment without an end lasts until the last photograph: a camera that is silent may be gone.
                last = active[row["camera"]].spans[-1][1] if row["camera"] in active else first
                if row["ends_at"] is not None:
                    last = (row["ends_at"] + zone).date()
                spans.setdefault(row["camera"], []).append((first, last))
        return [
            _effort(camera, station, spans.get(camera), active.get(camera), since, until)
            for camera, station in sorted(scope.stations.items())
        ]

    def positions(self, exact: bool, stations: Stations = None, camera: str | None = None) -> list[CameraPosition]:
        """Where cameras stand, or one. Without `exact`: rounded as the sensitivity demands, or left out."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            chosen = BurstFilter(cameras=() if camera is None else (camera,))
            by_camera = select(bursts.c.camera, func.count()).where(*all_conditions(chosen, scope))
            counted = {row[0]: row[1] for row in connection.execute(by_camera.group_by(bursts.c.camera))}
            newest = {
                row["camera"]: row
                for row in connection.execute(select(deployments).order_by(deployments.c.starts_at)).mappings()
            }
        found = []
        for name, row in sorted(newest.items()):
            level = row["sensitivity"]
            if name not in scope.stations or camera not in (None, name):
                continue
            if not exact and level == Sensitivity.HIGH.value:
                continue
            digits = None if exact else _DECIMALS.get(level)
            place = [row[axis] if digits is None else round(row[axis], digits) for axis in ("latitude", "longitude")]
            around = [row["coordinate_uncertainty_m"], None if digits is None else _ROUNDED_M[level]]
            uncertainty = max((one for one in around if one is not None), default=None)
            found.append(
                CameraPosition(name, scope.stations[name], place[0], place[1], uncertainty, counted.get(name, 0))
            )
        return found

    def activity(self, since: date, stations: Stations = None) -> dict[str, dict[date, int]]:
        """Photographs by camera and day, from a day on."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            found: dict[str, dict[date, int]] = {}
            for row in connection.execute(select(camera_days).where(camera_days.c.day >= since)):
                if row.camera in scope.stations:
                    found.setdefault(row.camera, {})[row.day] = row.captures
            return found

    def _scope(self, connection: Connection, stations: Stations) -> Scope:
        allowed = None if stations is None else set(stations)
        known = {
            camera: station
            for camera, station in connection.execute(select(cameras.c.camera, cameras.c.station))
            if allowed is None or station in allowed
        }
        names = frozenset(connection.execute(select(taxa.c.taxon).distinct()).scalars())
        return Scope(known, names, self._taxonomy, allowed is not None)


@dataclass(frozen=True)
class _Active:
    """When a camera took photographs."""

    days: int
    spans: tuple[tuple[date, date], ...]


def _active(connection: Connection, since: date | None, until: date | None) -> dict[str, _Active]:
    """By camera: the number of days with a photograph, and the first and last day of each span.

    A span ends where a year or more passes without a photograph: a clock that was reset to 1970 makes no 56 years of
    trap nights.
    """
    conditions = [camera_days.c.day >= since] if since else []
    conditions += [camera_days.c.day <= until] if until else []
    day = camera_days.c.day
    year = extract("year", day)
    # By year, and not day by day: a few rows for each camera.
    rows = connection.execute(
        select(camera_days.c.camera, func.count(), func.min(day), func.max(day))
        .where(and_(True, *conditions))
        .group_by(camera_days.c.camera, year)
        .order_by(camera_days.c.camera, func.min(day))
    )
    found: dict[str, _Active] = {}
    for camera, count, first, last in rows:
        known = found.get(camera, _Active(0, ()))
        spans = known.spans
        if spans and first - spans[-1][1] < _LONGEST_GAP:
            spans, first = spans[:-1], spans[-1][0]
        found[camera] = _Active(known.days + count, (*spans, (first, last)))
    return found


def _effort(
    camera: str,
    station: str,
    deployed: Sequence[tuple[date, date]] | None,
    active: _Active | None,
    since: date | None,
    until: date | None,
) -> Effort:
    own = deployed or (active.spans if active else ())
    today = datetime.now(UTC).date()
    nights: set[date] = set()
    for first, last in own:
        start, end = max(first, since or first), min(last, until or last, today)
        nights.update(start + timedelta(days=at) for at in range(max(0, (end - start).days)))
    return Effort(camera, station, len(nights), active.days if active else 0, bool(deployed))
