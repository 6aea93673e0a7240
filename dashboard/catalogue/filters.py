"""Which bursts a page shows: the filters of Browse, and their SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.tables import burst_flags, bursts, cameras, taxa

__all__ = ["NO_TAXON", "BurstFilter", "BurstOrder", "Hours", "Scope"]

NO_TAXON = "-"
"""As a taxon of a filter: bursts that no taxon is named for."""


class BurstOrder(StrEnum):
    """Orders of a list of bursts."""

    NEWEST = "newest"
    """Latest capture first, by the cameras' clocks."""
    OLDEST = "oldest"
    UPDATED = "updated"
    """Latest revision first."""
    UNCERTAIN = "uncertain"
    """Those first that a review helps most."""


@dataclass(frozen=True)
class Hours:
    """Times of day, by the camera's clock: from the first minute on, up to but without the last."""

    first: int
    """Minutes after midnight, 0 to 1439."""
    end: int
    """Minutes after midnight, 0 to 1440; at most `first`: the next day."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for minutes that no day has."""
        if not (0 <= self.first < 1440 and 0 <= self.end <= 1440):
            raise ValueError("hours are from 00:00 to 24:00")


@dataclass(frozen=True)
class BurstFilter:
    """What a list of bursts is limited to; a default limits nothing, except that superseded bursts are left out."""

    taxon: str | None = None
    """This taxon and everything below it; `NO_TAXON`: those without one."""
    model_verdict: str | None = None
    """What the models call it, whatever a review says: this taxon alone, or a category of bursts without one;
    `NO_TAXON`: neither."""
    verdict: str | None = None
    """What it is called after reviews, in the same way."""
    categories: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    since: date | None = None
    """First day, by the cameras' clocks."""
    until: date | None = None
    """Last day."""
    hours: Hours | None = None
    confidence_min: float | None = None
    confidence_max: float | None = None
    """With a limit, bursts without a confidence are left out."""
    statuses: tuple[str, ...] = ()
    """Empty: all but `superseded`."""
    reviewed: bool | None = None
    reviewer: str | None = None
    focus: bool | None = None
    flags: tuple[str, ...] = ()
    """All of these, whether by the models or by reviewers."""


@dataclass(frozen=True)
class Scope:
    """What the filters of one caller refer to: the catalogue's cameras and taxa, and the stations it may see."""

    stations: dict[str, str] = field(default_factory=dict)
    """Station by camera: those that the caller may see."""
    taxa: frozenset[str] = frozenset()
    taxonomy: Taxonomy = field(default_factory=Taxonomy.load)
    restricted: bool = False
    """Whether there are stations that the caller may not see."""

    def below(self, taxon: str) -> list[str]:
        """A taxon and those of the catalogue below it."""
        return sorted({taxon, *(known for known in self.taxa if taxon in self.taxonomy.ancestors(known))})

    def cameras(self, chosen: BurstFilter) -> list[str] | None:
        """The cameras that a filter allows; None: all that there are."""
        if not (self.restricted or chosen.stations or chosen.cameras):
            return None
        return sorted(
            camera
            for camera, station in self.stations.items()
            if (not chosen.stations or station in chosen.stations) and (not chosen.cameras or camera in chosen.cameras)
        )


def read_scope(connection: Connection, taxonomy: Taxonomy, stations: Iterable[str] | None = None) -> Scope:
    """The scope of a caller that may see these stations; None: all."""
    known: dict[str, str] = {
        row.camera: row.station for row in connection.execute(select(cameras.c.camera, cameras.c.station))
    }
    if stations is not None:
        allowed = set(stations)
        known = {camera: station for camera, station in known.items() if station in allowed}
    names = frozenset(connection.execute(select(taxa.c.taxon).distinct()).scalars())
    return Scope(known, names, taxonomy, stations is not None)


def rights(scope: Scope) -> list[ColumnElement[bool]]:
    """The condition that a caller may see a burst."""
    return [bursts.c.camera.in_(sorted(scope.stations))] if scope.restricted else []


def day_conditions(
    column: ColumnElement[datetime], since: date | None, until: date | None, zone: tzinfo | None = None
) -> list[ColumnElement[bool]]:
    """The conditions that a time is from a first to a last day, each if given. `zone`: None for times of a clock."""
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(column >= datetime.combine(since, time.min, zone))
    if until is not None and until < date.max:
        conditions.append(column < datetime.combine(until + timedelta(days=1), time.min, zone))
    return conditions


def row_conditions(chosen: BurstFilter) -> list[ColumnElement[bool]]:
    """The conditions that are no facets: dates, hours, confidence, reviewer, focus, flags."""
    conditions = day_conditions(bursts.c.started_at, chosen.since, chosen.until)
    if chosen.hours is not None:
        conditions.append(_within(chosen.hours))
    if chosen.confidence_min is not None:
        conditions.append(bursts.c.confidence >= chosen.confidence_min)
    if chosen.confidence_max is not None:
        conditions.append(bursts.c.confidence <= chosen.confidence_max)
    if chosen.reviewer is not None:
        conditions.append(bursts.c.reviewer == chosen.reviewer)
    if chosen.focus is not None:
        conditions.append(bursts.c.focus.is_(chosen.focus))
    for wanted, taxon, category in (
        (chosen.model_verdict, bursts.c.model_taxon, bursts.c.model_category),
        (chosen.verdict, bursts.c.taxon, bursts.c.category),
    ):
        if wanted is not None:
            conditions.append(func.coalesce(taxon, category, "") == ("" if wanted == NO_TAXON else wanted))
    for flag in chosen.flags:
        own = burst_flags.alias()
        marked = select(own.c.burst_id).where(own.c.burst_id == bursts.c.burst_id, own.c.flag == flag)
        conditions.append(marked.correlate(bursts).exists())
    return conditions


def all_conditions(chosen: BurstFilter, scope: Scope) -> list[ColumnElement[bool]]:
    """All conditions of a filter."""
    conditions = row_conditions(chosen)
    if (cameras := scope.cameras(chosen)) is not None:
        conditions.append(_among(bursts.c.camera, cameras))
    if chosen.taxon == NO_TAXON:
        conditions.append(bursts.c.taxon.is_(None))
    elif chosen.taxon is not None:
        conditions.append(_among(bursts.c.taxon, scope.below(chosen.taxon)))
    if chosen.categories:
        conditions.append(_among(bursts.c.category, chosen.categories))
    if chosen.statuses:
        conditions.append(_among(bursts.c.status, chosen.statuses))
    else:
        conditions.append(bursts.c.status != "superseded")
    if chosen.reviewed is not None:
        conditions.append(bursts.c.reviewed.is_(chosen.reviewed))
    return conditions


def sampled(chosen: BurstFilter, scope: Scope, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The bursts of a filter in the order of their ids."""
    statement = select(*columns).where(*all_conditions(chosen, scope)).order_by(bursts.c.burst_id)
    if scope.restricted or replace(chosen, categories=(), reviewed=None) != BurstFilter():
        return statement
    # Of most bursts SQLite would sort all of a category, instead of reading a few in the order of their ids.
    return statement.with_hint(bursts, f"INDEXED BY {_SQLITE_KEY}", "sqlite")


_SQLITE_KEY = "sqlite_autoindex_bursts_1"
"""SQLite's name of the index of the primary key."""


def _among(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    wanted = sorted(set(values))
    if not wanted:
        return false()
    # One value as an equality: the index then delivers the rows in order.
    return column == wanted[0] if len(wanted) == 1 else column.in_(wanted)


def _within(hours: Hours) -> ColumnElement[bool]:
    after, before = bursts.c.minute >= hours.first, bursts.c.minute < hours.end
    return and_(after, before) if hours.first < hours.end else or_(after, before)
