"""Counts of bursts for the values of each filter.

All facets come from one list of groups (camera, category, taxon, status, reviewed, count): each disregards its own
filter, which is done here, and all others. The groups are read from the counts by month, and from the bursts themselves
only for parts of months, and for filters that the counts by month do not know.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import Connection, func, select, text

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.filters import NO_TAXON, BurstFilter, Scope, all_conditions, row_conditions
from uncia.dashboard.catalogue.rows import Facets, RangeCounts, TaxonCount
from uncia.dashboard.catalogue.tables import ALL_MONTHS, FLAGGED_INDEX, burst_flags, burst_months, bursts

__all__ = ["CONFIDENCE_RANGES", "FacetCounts", "Group", "count_by_facet", "count_flags", "count_groups", "facets_of"]

Group = tuple[str, str | None, str | None, str, bool, int]
"""Camera, category, taxon, status, reviewed, and the number of bursts."""

CONFIDENCE_RANGES = ((0.9, 1.0), (0.7, 0.9), (0.5, 0.7), (0.0, 0.5))
"""Ranges of confidence that are counted; both ends belong to a range, as in the filter."""

_FIRST_MONTH = date(1, 2, 1)
"""Events have no earlier one."""

_NAMES = ("camera", "category", "taxon", "status", "reviewed")


def count_groups(connection: Connection, chosen: BurstFilter, scope: Scope) -> list[Group]:
    """The groups of bursts that the caller may see and that pass the filters that are no facets."""
    if not _only_dates(chosen):
        return _of_bursts(connection, chosen, scope)
    since, until = chosen.since, chosen.until
    # No event is so early or so late.
    since = None if since is not None and since.year == date.min.year else since
    until = None if until is not None and until.year == date.max.year else until
    if since is not None and until is not None and since > until:
        return []
    first = None if since is None else _month(since) if since.day == 1 else _next_month(since)
    behind = None if until is None else _next_month(until) if _is_last_day(until) else _month(until)
    if first is not None and behind is not None and first >= behind:
        return _of_bursts(connection, chosen, scope)
    groups = _of_months(connection, scope, first, behind)
    if first is not None and since is not None and since < first:
        groups += _of_bursts(connection, BurstFilter(since=since, until=first - timedelta(days=1)), scope)
    if behind is not None and until is not None and until >= behind:
        groups += _of_bursts(connection, BurstFilter(since=behind, until=until), scope)
    return groups


def count_flags(connection: Connection, chosen: BurstFilter, scope: Scope) -> dict[str, int]:
    """How many bursts of a filter have each flag, by the models or by reviewers."""
    if chosen == BurstFilter() and not scope.restricted:
        pairs = select(burst_flags.c.flag, burst_flags.c.burst_id).distinct().subquery()
        statement = select(pairs.c.flag, func.count()).group_by(pairs.c.flag)
    else:
        statement = (
            select(burst_flags.c.flag, func.count(bursts.c.burst_id.distinct()))
            .join_from(bursts, burst_flags, burst_flags.c.burst_id == bursts.c.burst_id)
            .where(text("bursts.flagged"), *all_conditions(chosen, scope))
            .group_by(burst_flags.c.flag)
            # SQLite knows no numbers of rows: it would begin with all bursts of a taxon.
            .with_hint(bursts, f"INDEXED BY {FLAGGED_INDEX}", "sqlite")
        )
    return dict(sorted((row[0], row[1]) for row in connection.execute(statement)))


@dataclass
class FacetCounts:
    """Bursts by the value of each filter, each disregarding its own filter; values without a burst are left out."""

    total: int = 0
    category: Counter[str] = field(default_factory=Counter)
    taxon: Counter[str | None] = field(default_factory=Counter)
    camera: Counter[str] = field(default_factory=Counter)
    """Disregards both stations and cameras."""
    status: Counter[str] = field(default_factory=Counter)
    reviewed: Counter[bool] = field(default_factory=Counter)


def count_by_facet(groups: Iterable[Group], chosen: BurstFilter, scope: Scope) -> FacetCounts:
    """Counts by facet of groups of bursts."""
    allowed = scope.cameras(chosen)
    cameras = None if allowed is None else set(allowed)
    below = None if chosen.taxon in (None, NO_TAXON) else set(scope.below(chosen.taxon or ""))
    categories, statuses = set(chosen.categories), set(chosen.statuses)
    found = FacetCounts()
    for camera, category, taxon, status, reviewed, count in groups:
        in_camera = cameras is None or camera in cameras
        in_category = not categories or category in categories
        in_taxon = taxon in below if below is not None else chosen.taxon is None or taxon is None
        in_status = status in statuses if statuses else status != "superseded"
        in_reviewed = chosen.reviewed is None or reviewed == chosen.reviewed
        failed = 5 - (in_camera + in_category + in_taxon + in_status + in_reviewed)
        if failed > 1:
            continue
        if not failed:
            found.total += count
        if not failed or not in_category:
            found.category[category or ""] += count
        if not failed or not in_taxon:
            found.taxon[taxon] += count
        if not failed or not in_status:
            found.status[status] += count
        if not failed or not in_reviewed:
            found.reviewed[reviewed] += count
        if not failed or not in_camera:
            found.camera[camera] += count
    return found


def facets_of(
    counts: FacetCounts,
    chosen: BurstFilter,
    scope: Scope,
    labels: dict[str, str],
    flags: dict[str, int],
    ranges: RangeCounts | None = None,
) -> Facets:
    """The facets of a page. `labels`: of taxa; `flags`: how many bursts of the filter have each flag."""
    by_station: Counter[str] = Counter()
    by_camera: dict[str, int] = {}
    for camera, count in counts.camera.items():
        station = scope.stations.get(camera) or camera.partition("/")[0]
        if not chosen.stations or station in chosen.stations:
            by_camera[camera] = count
        if not chosen.cameras or camera in chosen.cameras:
            by_station[station] += count
    return Facets(
        counts.total,
        dict(sorted(counts.category.items())),
        _tree(counts.taxon, scope.taxonomy, labels),
        counts.taxon[None],
        dict(sorted(by_station.items())),
        dict(sorted(by_camera.items())),
        dict(sorted(counts.status.items())),
        dict(sorted(counts.reviewed.items())),
        flags,
        ranges,
    )


def _only_dates(chosen: BurstFilter) -> bool:
    others = (chosen.hours, chosen.confidence_min, chosen.confidence_max, chosen.reviewer, chosen.focus)
    return not chosen.flags and all(value is None for value in (*others, chosen.model_verdict, chosen.verdict))


def _of_bursts(connection: Connection, chosen: BurstFilter, scope: Scope) -> list[Group]:
    columns = [bursts.c[name] for name in _NAMES]
    statement = select(*columns, func.count()).where(*row_conditions(chosen)).group_by(*columns)
    if scope.restricted:
        statement = statement.where(bursts.c.camera.in_(sorted(scope.stations)))
    return [tuple(row) for row in connection.execute(statement)]


def _of_months(connection: Connection, scope: Scope, first: date | None, behind: date | None) -> list[Group]:
    columns = [burst_months.c[name] for name in _NAMES]
    statement = select(*columns, func.sum(burst_months.c.bursts)).group_by(*columns)
    if first is None and behind is None:
        statement = statement.where(burst_months.c.month == ALL_MONTHS)
    else:
        statement = statement.where(burst_months.c.month >= (first or _FIRST_MONTH))
    if behind is not None:
        statement = statement.where(burst_months.c.month < behind)
    if scope.restricted:
        statement = statement.where(burst_months.c.camera.in_(sorted(scope.stations)))
    return [(row[0], row[1] or None, row[2] or None, row[3], row[4], row[5]) for row in connection.execute(statement)]


def _month(day: date) -> date:
    return day.replace(day=1)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _is_last_day(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _tree(own: Counter[str | None], taxonomy: Taxonomy, labels: dict[str, str]) -> tuple[TaxonCount, ...]:
    """The taxa with their ancestors, those above before those below."""
    total: Counter[str] = Counter()
    for taxon, count in own.items():
        if taxon is not None:
            for name in (taxon, *taxonomy.ancestors(taxon)):
                total[name] += count
    nodes = [
        TaxonCount(
            name,
            labels.get(name) or taxonomy.label(name),
            taxonomy.rank(name),
            taxonomy.ancestors(name),
            own.get(name, 0),
            count,
        )
        for name, count in total.items()
    ]
    return tuple(sorted(nodes, key=lambda node: (*reversed(node.ancestors), node.taxon)))
