"""Streams the records of an export from the catalogue: one snapshot of the database, a page of bursts at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, func, select, tuple_
from sqlalchemy.exc import DBAPIError

from uncia.camtrap.sensitivity import Sensitivity, level_named
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.database import DatabaseDown, describe
from uncia.dashboard.catalogue.filters import BurstFilter, Scope, all_conditions, read_scope, rights
from uncia.dashboard.catalogue.sensitivity import camera_levels
from uncia.dashboard.catalogue.tables import (
    burst_flags,
    burst_frames,
    bursts,
    camera_clocks,
    camera_days,
    captures,
    deployments,
    observations,
    taxa,
)
from uncia.dashboard.exports.records import (
    BoxRecord,
    BurstRecord,
    DeploymentRecord,
    FrameRecord,
    ObservationRecord,
    Verdict,
)

__all__ = ["OVERRIDES", "ExportSource"]

OVERRIDES = (
    "burst_gap_s",
    "burst_idle_s",
    "burst_lateness_s",
    "event_gap_s",
    "independence_gap_s",
    "contact_interval_s",
)

_PAGE = 400
_VERDICT = ("category", "taxon", "label", "rank", "count", "confidence")
_FRAME = ("image_id", "upload_id", "bucket", "key", "captured_at", "category", "deciding", "predicted_at")
_REJECTION = ("rejection_reason", "rejection_message")
_CAPTURE = (
    *("detector", "width", "height", "make", "model", "serial", "temperature_c", "infrared"),
    *("etag", "version_id", "size"),
)


class ExportSource:
    """A snapshot of the catalogue, as one caller may see it and cut by one filter. Use it in a `with` block.

    Nothing that is written meanwhile is in it. On SQLite the write-ahead log grows for as long as it is open.
    """

    def __init__(
        self,
        engine: Engine,
        chosen: BurstFilter | None = None,
        stations: Iterable[str] | None = None,
        taxonomy: Taxonomy | None = None,
    ) -> None:
        """`stations`: those that the caller may see; None: all."""
        self._engine, self._chosen, self._stations = engine, chosen or BurstFilter(), stations
        self._taxonomy = taxonomy or Taxonomy.load()

    def __enter__(self) -> Self:
        """Begin the snapshot. Raises `DatabaseDown`."""
        try:
            connection = self._engine.connect()
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            self._connection = connection
            self._scope = read_scope(connection, self._taxonomy, self._stations)
            self.deployments = _read_deployments(connection, self._scope, self._chosen)
        except DBAPIError as error:
            raise DatabaseDown(describe(error, self._engine.url)) from error
        self._by_key = {(each.camera, each.deployment_id): each for each in self.deployments}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the snapshot."""
        self._connection.close()

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy by which the filter was applied."""
        return self._taxonomy

    def total(self) -> int:
        """The number of bursts."""
        wanted = select(func.count()).select_from(bursts).where(*all_conditions(self._chosen, self._scope))
        return self._connection.execute(wanted).scalar_one()

    def taxa(self) -> list[str]:
        """Every taxon, or label without a taxon, that an exported burst can be called; sorted.

        Of a caller that may not see all stations, only those of its own: what another station saw is not told.
        """
        own = rights(self._scope)
        found = select(bursts.c.taxon).where(bursts.c.taxon.is_not(None), *own) if own else select(taxa.c.taxon)
        labels = select(bursts.c.label).where(bursts.c.taxon.is_(None), bursts.c.label.is_not(None), *own)
        names = (*(self._connection.execute(each.distinct()).scalars() for each in (found, labels)),)
        return sorted({*names[0], *names[1]} - {""})

    def bursts(self) -> Iterator[BurstRecord]:
        """The bursts in order of capture. Raises `DatabaseDown`."""
        place = tuple_(bursts.c.started_at, bursts.c.burst_id)
        wanted = (
            select(bursts)
            .where(*all_conditions(self._chosen, self._scope))
            .order_by(bursts.c.started_at, bursts.c.burst_id)
            .limit(_PAGE)
        )
        last: tuple[datetime, str] | None = None
        while True:
            try:
                page = wanted if last is None else wanted.where(place > last)
                rows = self._connection.execute(page).mappings().all()
                records = self._records(rows)
            except DBAPIError as error:
                raise DatabaseDown(describe(error, self._engine.url)) from error
            yield from records
            if len(rows) < _PAGE:
                return
            last = (rows[-1]["started_at"], rows[-1]["burst_id"])

    def _records(self, rows: Iterable[Row]) -> list[BurstRecord]:
        rows = list(rows)
        ids = [row["burst_id"] for row in rows]
        frames = _grouped(self._connection, _frames_statement(ids))
        seen = _grouped(
            self._connection,
            select(observations)
            .where(observations.c.burst_id.in_(ids))
            .order_by(observations.c.source, observations.c.number),
        )
        flags = _grouped(
            self._connection,
            select(burst_flags).where(burst_flags.c.burst_id.in_(ids)).order_by(burst_flags.c.flag),
        )
        return [
            BurstRecord(
                burst_id=row["burst_id"],
                station=row["station"],
                camera=row["camera"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                frame_count=row["frame_count"],
                shown=Verdict(*(row[name] for name in _VERDICT)),
                frames=tuple(map(_frame, frames.get(row["burst_id"], ()))),
                observations=tuple(map(_observation, seen.get(row["burst_id"], ()))),
                trigger=row["trigger"],
                status=row["status"],
                reviewed=bool(row["reviewed"]),
                reviewer=row["reviewer"],
                model=Verdict(*(row[f"model_{name}"] for name in _VERDICT)),
                animal_probability=row["animal_probability"],
                certain=bool(row["certain"]),
                flags=tuple(each["flag"] for each in flags.get(row["burst_id"], ()) if each["source"] == "model"),
                marks=tuple(each["flag"] for each in flags.get(row["burst_id"], ()) if each["source"] == "human"),
                gap_s=row["gap_s"],
                deployment=self._by_key.get((row["camera"], row["deployment_id"])),
            )
            for row in rows
        ]


def _frames_statement(ids: list[str]) -> Any:
    joined = burst_frames.outerjoin(captures, captures.c.upload_id == burst_frames.c.upload_id)
    return (
        select(
            burst_frames.c.burst_id,
            *(burst_frames.c[name] for name in (*_FRAME, *_REJECTION, "boxes")),
            *(captures.c[name] for name in _CAPTURE),
        )
        .select_from(joined)
        .where(burst_frames.c.burst_id.in_(ids))
        .order_by(burst_frames.c.burst_id, burst_frames.c.number)
    )


def _grouped(connection: Connection, statement: Any) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["burst_id"], []).append(row)
    return found


def _frame(row: Row) -> FrameRecord:
    boxes = row["boxes"]
    return FrameRecord(
        **{name: row[name] for name in (*_FRAME, *_REJECTION, *_CAPTURE)},
        boxes=None
        if boxes is None
        else tuple(
            BoxRecord(each["category"], each["score"], _box(each["box"]), bool(each.get("static"))) for each in boxes
        ),
    )


def _observation(row: Row) -> ObservationRecord:
    return ObservationRecord(
        source=row["source"],
        number=row["number"],
        verdict=Verdict(*(row[name] for name in _VERDICT)),
        score=row["score"],
        certain=row["certain"],
        observed_by=row["observed_by"],
        observed_at=row["observed_at"],
        boxes=tuple((each["image_id"], _box(each["box"])) for each in row["boxes"] or ()),
    )


def _box(values: Iterable[float]) -> tuple[float, float, float, float]:
    x, y, width, height = values
    return x, y, width, height


def _read_deployments(connection: Connection, scope: Scope, chosen: BurstFilter) -> list[DeploymentRecord]:
    """The deployments of the cameras and dates that the filter allows, also those without a burst: they are effort."""
    allowed = scope.cameras(chosen)
    suspects = {row.camera: row.verdict in ("suspicious", "wrong") for row in connection.execute(select(camera_clocks))}
    rows = connection.execute(select(deployments).order_by(deployments.c.camera, deployments.c.starts_at)).all()
    uses = Counter(row.deployment_id for row in rows)
    levels = camera_levels(connection)
    records = []
    for row in rows:
        if allowed is not None and row.camera not in allowed:
            continue
        record = DeploymentRecord(
            camera=row.camera,
            station=row.camera.partition("/")[0],
            deployment_id=row.deployment_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            utc_offset_minutes=row.utc_offset_minutes,
            latitude=row.latitude,
            longitude=row.longitude,
            coordinate_uncertainty_m=row.coordinate_uncertainty_m,
            sensitivity=level_named(row.sensitivity),
            taxa_sensitivity=levels.get(row.camera, Sensitivity.NONE),
            capture_method=row.capture_method,
            overrides={name: getattr(row, name) for name in OVERRIDES if getattr(row, name) is not None},
            clock_suspect=suspects.get(row.camera),
            shared_id=uses[row.deployment_id] > 1,
        )
        if _overlaps(record, chosen):
            records.append(_with_effort(connection, record))
    return records


def _overlaps(record: DeploymentRecord, chosen: BurstFilter) -> bool:
    begins = record.starts_at.astimezone(record.zone).date()
    ends = record.ends_at.astimezone(record.zone).date() if record.ends_at else None
    return (chosen.until is None or begins <= chosen.until) and (
        chosen.since is None or ends is None or ends >= chosen.since
    )


def _with_effort(connection: Connection, record: DeploymentRecord) -> DeploymentRecord:
    first = record.starts_at.astimezone(record.zone).date()
    statement = select(func.count(), func.max(camera_days.c.last_captured_at)).where(
        camera_days.c.camera == record.camera, camera_days.c.day >= first
    )
    if record.ends_at is not None:
        end = (record.ends_at.astimezone(record.zone) - timedelta(microseconds=1)).date()
        statement = statement.where(camera_days.c.day <= end)
    days, last = connection.execute(statement).one()
    return replace(record, active_days=days, last_capture=last)
