"""All formats behind one function, for the command and for the button of the dashboard."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from uncia.camtrap.camtrap_dp import DESCRIPTOR
from uncia.camtrap.taxonomy import Taxonomy
from uncia.dashboard.catalogue.filters import BurstFilter
from uncia.dashboard.exports.camtrap_dp import CamtrapOptions, write_camtrap_dp
from uncia.dashboard.exports.coco import CocoOptions, write_coco
from uncia.dashboard.exports.media import FetchPhotograph, MediaPaths
from uncia.dashboard.exports.megadetector import MegaDetectorOptions, write_megadetector
from uncia.dashboard.exports.output import (
    ExportFailed,
    ExportSummary,
    Progress,
    no_progress,
    output_directory,
    output_file,
)
from uncia.dashboard.exports.reading import ExportSource
from uncia.dashboard.exports.records import BurstRecord, FrameRecord
from uncia.dashboard.exports.tables import csv_tables, parquet_tables, write_tables
from uncia.dashboard.exports.timelapse import RECOGNITION_FILE, write_timelapse

__all__ = ["SINGLE_FILES", "ExportFormat", "ExportOptions", "export_catalogue", "write_export"]


class ExportFormat(StrEnum):
    """The formats that can be written."""

    CAMTRAP_DP = "camtrap-dp"
    MEGADETECTOR = "megadetector"
    COCO = "coco"
    TIMELAPSE = "timelapse"
    CSV = "csv"
    PARQUET = "parquet"


_MARKERS = {
    ExportFormat.CAMTRAP_DP: DESCRIPTOR,
    ExportFormat.TIMELAPSE: RECOGNITION_FILE,
    ExportFormat.CSV: "bursts.csv",
    ExportFormat.PARQUET: "bursts.parquet",
}
"""A file that a folder of each format has; other formats are one file."""

SINGLE_FILES = {ExportFormat.MEGADETECTOR: "megadetector.json", ExportFormat.COCO: "coco.json"}
"""The formats that are one file, and its name where none is given."""


@dataclass(frozen=True)
class ExportOptions:
    """Choices of an export. Each format uses those that concern it."""

    title: str = "Camera-trap observations"
    exact_positions: bool = False
    """Whether the caller may have exact positions."""
    box_score: float | None = None
    """Boxes with a lower score are left out; None: the format's default."""
    media_url: str | None = None
    """Begins the address of each photograph."""
    fetch: FetchPhotograph | None = None
    """Set: photographs are copied into the package."""
    with_people: bool = False
    """Whether photographs of people are copied, too."""
    serial_pseudonym: Callable[[str], str] | None = None
    """What stands for the serial number of a camera where positions are not exact; None: nothing."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False


def export_catalogue(
    engine: Engine,
    kind: ExportFormat,
    place: Path,
    chosen: BurstFilter | None = None,
    options: ExportOptions = ExportOptions(),
    *,
    stations: Iterable[str] | None = None,
    taxonomy: Taxonomy | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ExportSummary:
    """Write the bursts that a filter allows and a caller with these stations may see (None: all).

    `place` appears when it is complete. `progress` is called with the bursts that are written and their number.
    Raises `ExportFailed` and `DatabaseDown`.
    """
    if options.fetch is not None and kind is not ExportFormat.CAMTRAP_DP:
        raise ExportFailed(f"photographs are copied into packages of Camtrap DP only, not into {kind.value}")
    if options.fetch is not None and options.media_url is not None:
        raise ExportFailed("photographs are either copied or referred to by their address, not both")
    with ExportSource(engine, chosen, stations, taxonomy) as source:
        total = source.total() if progress is not None else 0

        def step(written: int) -> None:
            if progress is not None:
                progress(written, total)

        if kind in _MARKERS:
            with output_directory(place, _MARKERS[kind], overwrite=options.overwrite) as folder:
                return _write_folder(kind, folder, source, options, step)
        with output_file(place, overwrite=options.overwrite) as file:
            return _write_file(kind, file, source, options, step)


def write_export(
    engine: Engine,
    kind: ExportFormat,
    folder: Path,
    chosen: BurstFilter | None = None,
    options: ExportOptions = ExportOptions(),
    *,
    stations: Iterable[str] | None = None,
    progress: Progress = no_progress,
) -> ExportSummary:
    """As `export_catalogue`, but into an empty folder, in which the files grow while they are written.

    Every file is only appended to. Raises `ExportFailed`, `DatabaseDown` and `OSError`; the files are then incomplete.
    """
    with ExportSource(engine, chosen, stations) as source:
        if kind in SINGLE_FILES:
            return _write_file(kind, folder / SINGLE_FILES[kind], source, options, progress)
        return _write_folder(kind, folder, source, options, progress)


def _write_folder(
    kind: ExportFormat, folder: Path, source: ExportSource, options: ExportOptions, step: Progress
) -> ExportSummary:
    if kind is ExportFormat.CAMTRAP_DP:
        score = 0.2 if options.box_score is None else options.box_score
        camtrap = CamtrapOptions(options.title, options.exact_positions, score, options.metadata)
        media = MediaPaths(options.media_url, options.fetch, options.with_people)
        return write_camtrap_dp(
            folder,
            _outside(source.bursts(), options),
            source.deployments,
            camtrap,
            media=media,
            taxonomy=source.taxonomy,
            progress=step,
        )
    if kind is ExportFormat.TIMELAPSE:
        return write_timelapse(folder, source.bursts(), source.taxa(), _megadetector(options), progress=step)
    sink = csv_tables if kind is ExportFormat.CSV else parquet_tables
    return write_tables(
        folder,
        _outside(source.bursts(), options),
        source.deployments,
        sink,
        exact_positions=options.exact_positions,
        progress=step,
    )


def _write_file(
    kind: ExportFormat, place: Path, source: ExportSource, options: ExportOptions, step: Progress
) -> ExportSummary:
    if kind is ExportFormat.COCO:
        coco = CocoOptions(0.2 if options.box_score is None else options.box_score, options.title)
        return write_coco(place, source.bursts(), source.taxa(), coco, progress=step)
    return write_megadetector(place, source.bursts(), source.taxa(), _megadetector(options), progress=step)


def _outside(bursts: Iterable[BurstRecord], options: ExportOptions) -> Iterator[BurstRecord]:
    """The bursts with pseudonyms for serial numbers, which only who may have exact positions gets."""
    for burst in bursts:
        if options.exact_positions or not any(frame.serial for frame in burst.frames):
            yield burst
            continue
        yield replace(burst, frames=tuple(_with_pseudonym(frame, options.serial_pseudonym) for frame in burst.frames))


def _with_pseudonym(frame: FrameRecord, pseudonym: Callable[[str], str] | None) -> FrameRecord:
    return replace(frame, serial=pseudonym(frame.serial) if frame.serial and pseudonym is not None else None)


def _megadetector(options: ExportOptions) -> MegaDetectorOptions:
    return MegaDetectorOptions(0.05 if options.box_score is None else options.box_score)
