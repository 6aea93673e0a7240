"""Imports a file or folder of another program into the catalogue.

Every item becomes the event that Uncia itself would have written, and is folded like one. Such events have versions
below those of all topics, so that what a topic says replaces what was imported; of two imports of one thing, that from
the newer file counts. Nothing is published: the events are kept next to the catalogue, and a rebuild folds them again.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from uncia import ids
from uncia.camtrap.camtrap_dp import DESCRIPTOR
from uncia.camtrap.table_reader import open_table
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import DatabaseDown, describe
from uncia.dashboard.catalogue.imported import keep_imported
from uncia.dashboard.catalogue.store import CatalogueStore
from uncia.dashboard.imports.bursts import burst_events
from uncia.dashboard.imports.camtrap_dp import CamtrapDpReader
from uncia.dashboard.imports.items import ItemSink
from uncia.dashboard.imports.megadetector import MegaDetectorReader
from uncia.dashboard.imports.problems import ImportReport
from uncia.dashboard.imports.spool import ImportSpool
from uncia.dashboard.imports.timelapse import TimelapseReader
from uncia.dashboard.imports.wildlife_insights import IMAGES, WildlifeInsightsReader
from uncia.errors import UnciaError
from uncia.events import DeploymentChanged, Event, ImagePredicted, ObservationReviewed

__all__ = ["ImportFormat", "ImportOptions", "import_data", "recognise"]

_BATCH = 500
_BELOW_ALL = 1 << 43
"""Subtracted from the time of a file, in milliseconds: offsets of imports are below 0 until the year 2248."""


class ImportFormat(StrEnum):
    """The formats that can be read."""

    CAMTRAP_DP = "camtrap-dp"
    WILDLIFE_INSIGHTS = "wildlife-insights"
    TIMELAPSE = "timelapse"
    MEGADETECTOR = "megadetector"


@dataclass(frozen=True)
class ImportOptions:
    """Choices of an import."""

    origin: str | None = None
    """Where the data come from; None: by the name of the files. Ids are derived from it."""
    camera: str | None = None
    """That of all photographs (Timelapse, MegaDetector); None: by their folders."""
    utc_offset_minutes: int = 0
    """Of the cameras' clocks, for formats without offsets."""
    gap_s: float = 60.0
    """Photographs without an event that are no further apart belong to one burst."""
    bucket: str = "camera-uploads"
    """Bucket that the paths of photographs refer to."""
    check: bool = False
    """Read and report, and write nothing."""


class _Reader(Protocol):
    @property
    def origin(self) -> str: ...

    def read(self, sink: ItemSink) -> None: ...


def recognise(source: Path) -> ImportFormat:
    """The format of a file or folder. Raises `UnciaError`."""
    if source.is_dir():
        if (source / DESCRIPTOR).is_file():
            return ImportFormat.CAMTRAP_DP
        if (source / IMAGES).is_file():
            return ImportFormat.WILDLIFE_INSIGHTS
        raise UnciaError(f"{source} has neither {DESCRIPTOR} (Camtrap DP) nor {IMAGES} (Wildlife Insights)")
    if not source.exists():
        raise UnciaError(f"{source} does not exist")
    if source.suffix.lower() == ".json":
        return ImportFormat.CAMTRAP_DP if _is_descriptor(source) else ImportFormat.MEGADETECTOR
    try:
        with open_table(source) as table:
            header = set(table.header)
    except UnciaError as error:
        raise UnciaError(f"{source} {error}") from error
    if {"image_id", "deployment_id", "timestamp"} <= header:
        return ImportFormat.WILDLIFE_INSIGHTS
    if {"File", "RelativePath"} <= header:
        return ImportFormat.TIMELAPSE
    raise UnciaError(f"{source} is of no known format: name it with --format")


def import_data(
    engine: Engine,
    source: Path,
    options: ImportOptions = ImportOptions(),
    kind: ImportFormat | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Read a source, and write what it holds. `progress` is called with the number of bursts that were written.

    Rows that cannot be read are reported and left out. Raises `UnciaError` where the source cannot be read at all, and
    `DatabaseDown`; what was written before remains, and the next import completes it.
    """
    report = ImportReport()
    with ImportSpool(options.gap_s) as spool:
        reader = _reader(source, kind or recognise(source), report, options)
        report.origin = reader.origin
        reader.read(spool)
        report.deployments, report.photographs = len(spool.deployments), spool.photographs
        if orphans := spool.orphans():
            report.add(
                source.name, None, f"{orphans:,} observations of photographs that are not there, or were left out"
            )
        writer = _Writer(engine, _offset(source), report, options.check)
        writer.add(spool.deployments)
        for burst in spool.bursts():
            try:
                events = list(burst_events(burst, reader.origin, options.bucket))
            except (ValidationError, ValueError, OverflowError) as error:
                report.add(source.name, None, f"the event {burst.id} of {burst.camera} was left out: {_first(error)}")
                continue
            report.bursts += 1
            report.reviews += isinstance(events[-1], ObservationReviewed)
            writer.add(events)
            if progress is not None:
                progress(report.bursts)
        writer.flush()
    return report


class _Writer:
    """Folds events in batches."""

    def __init__(self, engine: Engine, offset: int, report: ImportReport, check: bool) -> None:
        self._engine, self._store, self._offset = engine, CatalogueStore(engine), offset
        self._report, self._check, self._waiting = report, check, list[tuple[str, LogRecord]]()

    def add(self, events: Iterable[Event]) -> None:
        """Fold events, now or with the next ones."""
        if self._check:
            return
        self._waiting.extend((_subject(event), _record(event, self._offset)) for event in events)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Fold what is waiting. Raises `DatabaseDown`."""
        try:
            if self._waiting:
                # Before they are folded: after a kill in between, the import is run again, and nothing is kept twice.
                keep_imported(self._engine, self._waiting)
            done = self._store.apply([record for _, record in self._waiting])
        except DBAPIError as error:
            raise DatabaseDown(describe(error, self._engine.url)) from error
        for skipped in done.skipped:
            self._report.add(skipped.record.topic, None, skipped.message)
        self._waiting = []


def _subject(event: Event) -> str:
    """Names what an event tells of: a digest, since ids of others may hold what no database takes as a key."""
    if isinstance(event, DeploymentChanged):
        return ids.digest(event.camera, event.deployment_id)
    for name in ("review_id", "upload_id", "burst_id"):
        if (found := getattr(event, name, None)) is not None:
            return ids.digest(str(found))
    raise TypeError(f"imports make no {type(event).__name__}")


def _record(event: Event, offset: int) -> LogRecord:
    moment = event.predicted_at if isinstance(event, ImagePredicted) else getattr(event, "closed_at", None)
    stamp = int(1000 * moment.timestamp()) if moment is not None else 0
    return LogRecord(event.topic, 0, offset, stamp, None, event.to_bytes())


def _offset(source: Path) -> int:
    """Rises with the time of the newest file, so that a corrected file replaces the rows of the old one."""
    files: Iterator[Path] = source.glob("*") if source.is_dir() else iter((source,))
    newest = max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)
    return int(1000 * newest) - _BELOW_ALL


def _reader(source: Path, kind: ImportFormat, report: ImportReport, options: ImportOptions) -> _Reader:
    if kind is ImportFormat.CAMTRAP_DP:
        return CamtrapDpReader(source, report, options.origin)
    if kind is ImportFormat.WILDLIFE_INSIGHTS:
        images = source / IMAGES if source.is_dir() else source
        return WildlifeInsightsReader(images, report, options.utc_offset_minutes, options.origin)
    if kind is ImportFormat.TIMELAPSE:
        return TimelapseReader(source, report, options.utc_offset_minutes, options.camera, options.origin)
    return MegaDetectorReader(source, report, options.utc_offset_minutes, options.camera, options.origin)


def _is_descriptor(source: Path) -> bool:
    try:
        content = json.loads(source.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UnciaError(f"{source} cannot be read as JSON: {error}") from error
    return isinstance(content, dict) and "resources" in content


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
