"""Counts for ecologists: detections by taxon, day and hour, effort, and how reviews compare with the models."""

from collections.abc import Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, and_, case, distinct, func, or_, select

from uncia.camtrap.sensitivity import Sensitivity, generalise, level_named, strictest
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.camera_effort import (
    ActiveDay,
    CameraActivity,
    CameraHistory,
    Effort,
    active_days,
    camera_activity,
    camera_effort,
)
from uncia.dashboard.catalogue.column_cache import ColumnCache
from uncia.dashboard.catalogue.column_counts import column_numbers
from uncia.dashboard.catalogue.filters import BurstFilter, Scope, all_conditions, read_scope
from uncia.dashboard.catalogue.history_cache import HistoryCache
from uncia.dashboard.catalogue.number_rows import (
    BurstNumbers,
    CameraCount,
    ConfusedPair,
    DayCount,
    HourCount,
    SubjectCount,
)
from uncia.dashboard.catalogue.sensitivity import camera_levels
from uncia.dashboard.catalogue.tables import bursts, deployments

__all__ = ["CameraPosition", "CatalogueNumbers", "Effort"]

Stations = Iterable[str] | None


@dataclass(frozen=True)
class CameraPosition:
    """Where a camera stands, as precisely as the caller may know."""

    camera: str
    station: str
    latitude: float
    longitude: float
    uncertainty_m: float | None


class CatalogueNumbers:
    """Counts on one database. Safe from any thread; each method is one transaction.

    With `columns`, bursts are counted in memory as soon as these are there; the result is the same. With `history`,
    days with photographs and contacts of cameras are up to 20 seconds old.
    """

    def __init__(
        self,
        engine: Engine,
        taxonomy: Taxonomy | None = None,
        columns: ColumnCache | None = None,
        history: HistoryCache | None = None,
    ) -> None:
        self._engine = engine
        self.taxonomy = taxonomy or Taxonomy.load()
        self._columns = columns
        self._history = history

    def bursts(self, chosen: BurstFilter, interval_s: float, stations: Stations = None) -> BurstNumbers:
        """All counts of bursts. `interval_s`: between independent detections."""
        with nullcontext() if self._columns is None else self._columns.current() as columns:
            if columns is not None:
                with self._engine.begin() as connection:
                    scope = self._scope(connection, stations)
                return column_numbers(columns, chosen, interval_s, scope)
        return BurstNumbers(
            self.subjects(chosen, interval_s, stations),
            self.hours(chosen, interval_s, stations),
            self.days(chosen, stations),
            self.confusion(chosen, stations),
            self.by_camera(chosen, interval_s, stations),
        )

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
        return sorted(rows, key=SubjectCount.rank)

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
            )
            found = [
                DayCount(date.fromisoformat(str(at)), category or "", count)
                for at, category, count in connection.execute(statement)
            ]
        return sorted(found, key=lambda one: (one.day, one.category))

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

    def by_camera(self, chosen: BurstFilter, interval_s: float, stations: Stations = None) -> dict[str, CameraCount]:
        """Counts by camera, of those with a burst that the filter allows."""
        independent = and_(
            bursts.c.subject.is_not(None),
            bursts.c.category.in_(chosen.categories or ("animal",)),
            or_(bursts.c.gap_s.is_(None), bursts.c.gap_s > interval_s),
        )
        named = case((bursts.c.category == "animal", bursts.c.taxon))
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            statement = (
                select(
                    bursts.c.camera,
                    func.count(),
                    func.sum(case((bursts.c.category == "blank", 1), else_=0)),
                    func.sum(case((independent, 1), else_=0)),
                    func.count(distinct(named)),
                )
                .where(*all_conditions(chosen, scope))
                .group_by(bursts.c.camera)
            )
            return {
                camera: CameraCount(count, int(blank or 0), int(own or 0), kinds)
                for camera, count, blank, own, kinds in connection.execute(statement)
            }

    def effort(self, since: date | None, until: date | None, stations: Stations = None) -> list[Effort]:
        """Trap nights by camera, within the days (both included)."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            return camera_effort(connection, scope, since, until, self._current_history())

    def activity(self, since: date, until: date, stations: Stations = None) -> dict[str, CameraActivity]:
        """Deployments, days with photographs and days with a contact, by camera, within days (both included)."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            return camera_activity(connection, scope, since, until, self._current_history())

    def active_days(
        self, since: date, until: date, wanted: Collection[str] | None = None, stations: Stations = None
    ) -> dict[str, list[ActiveDay]]:
        """What was captured on each day with photographs, by camera, within days; `wanted`: only of these cameras."""
        with self._engine.begin() as connection:
            return active_days(connection, self._scope(connection, stations), since, until, wanted)

    def positions(self, exact: bool, stations: Stations = None, camera: str | None = None) -> list[CameraPosition]:
        """Where cameras stand, or one. Without `exact`: as the stricter level of deployment and taxa demands."""
        with self._engine.begin() as connection:
            scope = self._scope(connection, stations)
            seen = {} if exact else camera_levels(connection)
            newest = {
                row["camera"]: row
                for row in connection.execute(select(deployments).order_by(deployments.c.starts_at)).mappings()
            }
        found = []
        for name, row in sorted(newest.items()):
            if name not in scope.stations or camera not in (None, name):
                continue
            level = Sensitivity.NONE if exact else level_named(row["sensitivity"])
            level = strictest((level, seen.get(name, Sensitivity.NONE)))
            place = generalise(row["latitude"], row["longitude"], level, row["coordinate_uncertainty_m"])
            if place is not None:
                position = place.latitude, place.longitude, place.uncertainty_m
                found.append(CameraPosition(name, scope.stations[name], *position))
        return found

    def _current_history(self) -> CameraHistory | None:
        return None if self._history is None else self._history.current()

    def _scope(self, connection: Connection, stations: Stations) -> Scope:
        return read_scope(connection, self.taxonomy, stations)
