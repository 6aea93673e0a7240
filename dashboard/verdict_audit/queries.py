"""The audit in the catalogue: the queue of the sample, and the rates by camera and month."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, case, exists, extract, func, or_, select

from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.filters import BurstFilter, all_conditions, read_scope, rights
from uncia.dashboard.catalogue.tables import bursts, observations
from uncia.dashboard.verdict_audit.rates import Audited, Rate, VerdictCounts, missed_animals
from uncia.dashboard.verdict_audit.sample import AuditSample, Stratum
from uncia.events import BurstCategory, BurstStatus

__all__ = ["AuditCell", "AuditResult", "VerdictAudit", "first_month"]

Stations = Iterable[str] | None
_Month = tuple[int, int]
_Seen = tuple[str | None, str | None]
"""Category and taxon of an observation."""


@dataclass(frozen=True)
class AuditCell:
    """One camera (empty: all) in one month (None: all), with its verdicts and its sample."""

    camera: str
    month: date | None
    """First day, by the cameras' clocks."""
    verdicts: VerdictCounts = field(default_factory=VerdictCounts)
    blank: Audited = field(default_factory=Audited)
    confident: Audited = field(default_factory=Audited)

    @property
    def missed(self) -> Rate | None:
        """The false-negative rate."""
        return missed_animals(self.verdicts, self.blank, self.confident)


@dataclass(frozen=True)
class AuditResult:
    """The counts of all cells with a burst, in order of month and camera, and their sums."""

    total: AuditCell
    months: tuple[AuditCell, ...]
    cameras: tuple[AuditCell, ...]
    cells: tuple[AuditCell, ...]


class VerdictAudit:
    """Queries on one database. Safe from any thread; each method is one transaction."""

    def __init__(self, engine: Engine, sample: AuditSample, taxonomy: Taxonomy | None = None) -> None:
        self.sample = sample
        self._engine = engine
        self._taxonomy = taxonomy or Taxonomy.load()

    def queue(self, chosen: BurstFilter, limit: int, stations: Stations = None) -> list[str]:
        """The bursts of the sample that were not reviewed, in the order in which they are to be.

        Both strata are mixed over the whole queue, by the positions in their windows: in the order of ids, the end of
        the longer window would hold one kind of verdict alone, which tells the reviewer what the models say.
        """
        with self._engine.begin() as connection:
            scope = read_scope(connection, self._taxonomy, stations)
            conditions = [*all_conditions(chosen, scope), _settled(), bursts.c.reviewed.is_(False)]
            found: list[tuple[float, str]] = []
            for stratum in Stratum:
                own = self._first(connection, [*conditions, self._is(stratum)], stratum, limit)
                found += [(self.sample.position(stratum, burst_id), burst_id) for burst_id in own]
            return [burst_id for _, burst_id in sorted(found)[:limit]]

    def _first(
        self, connection: Connection, conditions: list[ColumnElement[bool]], stratum: Stratum, limit: int
    ) -> list[str]:
        """The bursts of a stratum that come first in its window."""
        found: list[str] = []
        for window in self.sample.windows(stratum):
            wanted = select(bursts.c.burst_id).where(*conditions, _within(*window)).order_by(bursts.c.burst_id)
            found += connection.execute(wanted.limit(limit - len(found))).scalars()
            if len(found) >= limit:
                break
        return found

    def waiting(self, chosen: BurstFilter, stations: Stations = None) -> int:
        """How many bursts of the sample were not reviewed."""
        with self._engine.begin() as connection:
            scope = read_scope(connection, self._taxonomy, stations)
            conditions = [*all_conditions(chosen, scope), _settled(), bursts.c.reviewed.is_(False), self._sampled()]
            return connection.execute(select(func.count()).select_from(bursts).where(*conditions)).scalar_one()

    def rates(self, since: date | None = None, camera: str | None = None, stations: Stations = None) -> AuditResult:
        """The counts by camera and month, from the month of a day on."""
        with self._engine.begin() as connection:
            conditions = [_settled(), *rights(read_scope(connection, self._taxonomy, stations))]
            if since is not None:
                conditions.append(bursts.c.started_at >= datetime.combine(since.replace(day=1), time.min))
            if camera is not None:
                conditions.append(bursts.c.camera == camera)
            verdicts = self._verdicts(connection.execute(self._counted(conditions)).mappings().all())
            conditions.append(self._sampled())
            seen: dict[str, list[_Seen]] = defaultdict(list)
            for burst_id, category, taxon in connection.execute(_human_observations(conditions)):
                seen[burst_id].append((category, taxon))
            sampled = select(
                bursts.c.burst_id,
                bursts.c.camera,
                bursts.c.started_at,
                bursts.c.model_category,
                bursts.c.model_taxon,
                bursts.c.certain,
                bursts.c.reviewed,
            ).where(*conditions)
            audited: dict[tuple[str, _Month, Stratum], Audited] = defaultdict(Audited)
            for row in connection.execute(sampled).mappings():
                stratum = Stratum.BLANK if row["model_category"] == Stratum.BLANK else Stratum.CONFIDENT
                month = row["started_at"].year, row["started_at"].month
                audited[row["camera"], month, stratum] += self._assess(row, seen.get(row["burst_id"], ()))
        return _result(
            [
                AuditCell(
                    camera,
                    date(*month, 1),
                    verdicts[camera, month],
                    audited.get((camera, month, Stratum.BLANK), Audited()),
                    audited.get((camera, month, Stratum.CONFIDENT), Audited()),
                )
                for camera, month in verdicts
            ]
        )

    def _sampled(self) -> ColumnElement[bool]:
        return or_(*(and_(self._is(stratum), self._in_window(stratum)) for stratum in Stratum))

    def _is(self, stratum: Stratum) -> ColumnElement[bool]:
        if stratum is Stratum.BLANK:
            return bursts.c.model_category == BurstCategory.BLANK.value
        return and_(
            bursts.c.model_category == BurstCategory.ANIMAL.value,
            bursts.c.animal_probability >= self.sample.confidence,
        )

    def _in_window(self, stratum: Stratum) -> ColumnElement[bool]:
        # Without a window nothing is sampled.
        return or_(bursts.c.burst_id < "", *(_within(*window) for window in self.sample.windows(stratum)))

    def _counted(self, conditions: list[ColumnElement[bool]]) -> Select[Any]:
        kind = case(
            (self._is(Stratum.BLANK), "blank"),
            (self._is(Stratum.CONFIDENT), "confident"),
            (bursts.c.model_category == BurstCategory.ANIMAL.value, "doubtful"),
            else_="other",
        )
        animal_seen = exists().where(
            observations.c.burst_id == bursts.c.burst_id,
            observations.c.source == "human",
            observations.c.category == BurstCategory.ANIMAL.value,
        )
        answer = case(
            (bursts.c.reviewed.is_(False), ""),
            (animal_seen, BurstCategory.ANIMAL.value),
            else_=func.coalesce(bursts.c.category, ""),
        )
        # PostgreSQL groups by no expression with a subquery on the row.
        rows = select(
            bursts.c.camera.label("camera"),
            extract("year", bursts.c.started_at).label("year"),
            extract("month", bursts.c.started_at).label("month"),
            kind.label("kind"),
            answer.label("answer"),
        )
        found = rows.where(*conditions).subquery()
        return select(*found.c, func.count().label("bursts")).group_by(*found.c)

    def _verdicts(self, rows: Iterable[Row]) -> dict[tuple[str, _Month], VerdictCounts]:
        found: dict[tuple[str, _Month], VerdictCounts] = defaultdict(VerdictCounts)
        for row in rows:
            count, kind = row["bursts"], row["kind"]
            is_doubtful, answer = kind == "doubtful", row["answer"]
            is_animal = is_doubtful and answer == BurstCategory.ANIMAL
            found[row["camera"], (int(row["year"]), int(row["month"]))] += VerdictCounts(
                blank=count if kind == "blank" else 0,
                confident=count if kind == "confident" else 0,
                doubtful=count if is_doubtful else 0,
                doubtful_animals=count if is_animal else 0,
                doubtful_others=count if is_doubtful and answer and not is_animal else 0,
            )
        return found

    def _assess(self, row: Row, seen: Sequence[_Seen]) -> Audited:
        """One burst of the sample, by all observations of its review."""
        if not row["reviewed"]:
            return Audited(sampled=1)
        if all(category is None for category, _ in seen):
            return Audited(sampled=1, undecided=1)
        taxa = [taxon for category, taxon in seen if category == BurstCategory.ANIMAL]
        if row["model_category"] == BurstCategory.BLANK:
            return Audited(sampled=1, decided=1, wrong=int(bool(taxa)), absent=int(not taxa))
        named = row["model_taxon"] if row["certain"] else None
        if any(self._agree(named, taxon) for taxon in taxa):
            return Audited(sampled=1, decided=1)
        # A reviewer's own word, such as "ibex", may mean the taxon of the verdict or another one.
        if any(taxon not in self._taxonomy for taxon in taxa):
            return Audited(sampled=1, undecided=1)
        return Audited(sampled=1, decided=1, wrong=1, absent=int(not taxa))

    def _agree(self, one: str | None, other: str | None) -> bool:
        """Whether two taxa are the same, one is above the other, or one of them is not named."""
        if not one or not other or one == other:
            return True
        above = self._taxonomy.ancestors
        return one in above(other) or other in above(one)


def first_month(today: date, months: int) -> date:
    """The first day of the months, of which the last is that of `today`."""
    year, month = divmod(12 * today.year + today.month - months, 12)
    return date(year, month + 1, 1)


def _human_observations(conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Burst, category and taxon of what reviewers saw."""
    return (
        select(observations.c.burst_id, observations.c.category, observations.c.taxon)
        .join(bursts, bursts.c.burst_id == observations.c.burst_id)
        .where(observations.c.source == "human", *conditions)
    )


def _within(first: str, end: str | None) -> ColumnElement[bool]:
    from_first = bursts.c.burst_id >= first
    return from_first if end is None else and_(from_first, bursts.c.burst_id < end)


def _settled() -> ColumnElement[bool]:
    return bursts.c.status.in_([BurstStatus.FINAL.value, BurstStatus.REVISED.value])


def _result(cells: list[AuditCell]) -> AuditResult:
    by_month: dict[date | None, AuditCell] = {}
    by_camera: dict[str, AuditCell] = {}
    total = AuditCell("", None)
    for cell in sorted(cells, key=lambda cell: (cell.month or date.min, cell.camera)):
        total = _sum(total, cell)
        by_month[cell.month] = _sum(by_month.get(cell.month, AuditCell("", cell.month)), cell)
        by_camera[cell.camera] = _sum(by_camera.get(cell.camera, AuditCell(cell.camera, None)), cell)
    return AuditResult(
        total,
        tuple(by_month.values()),
        tuple(by_camera[camera] for camera in sorted(by_camera)),
        tuple(sorted(cells, key=lambda cell: (cell.month or date.min, cell.camera))),
    )


def _sum(one: AuditCell, other: AuditCell) -> AuditCell:
    return AuditCell(
        one.camera,
        one.month,
        one.verdicts + other.verdicts,
        one.blank + other.blank,
        one.confident + other.confident,
    )
