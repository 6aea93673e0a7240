"""Plain tables for R, pandas and spreadsheets, CSV or Parquet: bursts, photographs, boxes, observations, deployments.

Times by a camera's clock have no offset, and every one has a second column in UTC where the deployment is known.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from uncia.camtrap.csv_cells import escape_formula
from uncia.dashboard.exports.output import ExportFailed, ExportSummary, Progress, no_progress
from uncia.dashboard.exports.positions import export_position
from uncia.dashboard.exports.records import BurstRecord, DeploymentRecord
from uncia.errors import how_to_install

if TYPE_CHECKING:
    import pyarrow

__all__ = ["TABLES", "TableFormat", "csv_tables", "parquet_tables", "write_tables"]

Row = dict[str, Any]

_TEXT, _INT, _FLOAT, _FLAG, _LOCAL, _UTC = "text", "int", "float", "flag", "local", "utc"
_VERDICT = {"category": _TEXT, "taxon": _TEXT, "label": _TEXT, "rank": _TEXT, "count": _INT, "confidence": _FLOAT}
_BOX = {"x": _FLOAT, "y": _FLOAT, "width": _FLOAT, "height": _FLOAT}

TABLES: dict[str, dict[str, str]] = {
    "bursts": {
        "burst_id": _TEXT,
        "station": _TEXT,
        "camera": _TEXT,
        "deployment_id": _TEXT,
        "started_at": _LOCAL,
        "started_at_utc": _UTC,
        "ended_at": _LOCAL,
        "trigger": _TEXT,
        "status": _TEXT,
        "frame_count": _INT,
        **_VERDICT,
        "certain": _FLAG,
        "reviewed": _FLAG,
        "reviewer": _TEXT,
        **{f"model_{name}": kind for name, kind in _VERDICT.items()},
        "animal_probability": _FLOAT,
        "gap_s": _FLOAT,
        "flags": _TEXT,
        "marks": _TEXT,
    },
    "photographs": {
        "image_id": _TEXT,
        "burst_id": _TEXT,
        "number": _INT,
        "camera": _TEXT,
        "key": _TEXT,
        "captured_at": _LOCAL,
        "captured_at_utc": _UTC,
        "category": _TEXT,
        "pixel_width": _INT,
        "pixel_height": _INT,
        "make": _TEXT,
        "model": _TEXT,
        "serial": _TEXT,
        "temperature_c": _FLOAT,
        "infrared": _FLAG,
        "detector": _TEXT,
        "rejection_reason": _TEXT,
    },
    "boxes": {
        "image_id": _TEXT,
        "burst_id": _TEXT,
        "number": _INT,
        "category": _TEXT,
        "score": _FLOAT,
        "static": _FLAG,
        **_BOX,
    },
    "observations": {
        "burst_id": _TEXT,
        "source": _TEXT,
        "number": _INT,
        **_VERDICT,
        "score": _FLOAT,
        "certain": _FLAG,
        "observed_by": _TEXT,
        "observed_at": _UTC,
    },
    "deployments": {
        "deployment_id": _TEXT,
        "station": _TEXT,
        "camera": _TEXT,
        "latitude": _FLOAT,
        "longitude": _FLOAT,
        "coordinate_uncertainty_m": _INT,
        "starts_at": _UTC,
        "ends_at": _UTC,
        "utc_offset_minutes": _INT,
        "active_days": _INT,
        "clock_suspect": _FLAG,
    },
}
"""The tables, and the kinds of their columns."""


class TableSink(Protocol):
    """Where the rows of one table go."""

    def add(self, rows: Iterable[Row]) -> None:
        """Write rows."""

    def __enter__(self) -> "TableSink":
        """Open the file."""

    def __exit__(self, *error: object) -> None:
        """Write what is left, and close the file."""


TableFormat = Callable[[Path, str, dict[str, str]], TableSink]
"""Makes the sink of a table: folder, name and columns."""


def write_tables(
    folder: Path,
    bursts: Iterable[BurstRecord],
    deployments: Sequence[DeploymentRecord],
    table_format: TableFormat,
    *,
    exact_positions: bool = False,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write all tables into a folder. Raises `OSError`."""
    summary = ExportSummary()
    with ExitStack() as files:
        sinks = {name: files.enter_context(table_format(folder, name, columns)) for name, columns in TABLES.items()}
        sinks["deployments"].add(_deployment(each, exact_positions) for each in deployments)
        for burst in bursts:
            sinks["bursts"].add([_burst(burst)])
            sinks["photographs"].add(_photographs(burst))
            boxes = list(_boxes(burst))
            sinks["boxes"].add(boxes)
            sinks["observations"].add(_observations(burst))
            summary.bursts += 1
            summary.photographs += len(burst.frames)
            summary.boxes += len(boxes)
            progress(summary.bursts)
    return summary


def csv_tables(folder: Path, name: str, columns: dict[str, str]) -> TableSink:
    """A table as CSV in UTF-8. Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return _CsvSink(folder / f"{name}.csv", columns)


def parquet_tables(folder: Path, name: str, columns: dict[str, str]) -> TableSink:
    """A table as Parquet, with text as it is. Raises `ExportFailed` where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise ExportFailed(f"Parquet needs the package pyarrow: {how_to_install('parquet')}") from None
    return _ParquetSink(folder / f"{name}.parquet", columns)


class _CsvSink:
    def __init__(self, place: Path, columns: dict[str, str]) -> None:
        self._place, self._columns = place, columns

    def __enter__(self) -> "_CsvSink":
        self._file = self._place.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(self._columns)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, rows: Iterable[Row]) -> None:
        self._rows.writerows([_cell(row.get(name)) for name in self._columns] for row in rows)


class _ParquetSink:
    """Writes row groups of some thousand rows."""

    _GROUP = 20_000

    def __init__(self, place: Path, columns: dict[str, str]) -> None:
        self._place, self._columns, self._waiting = place, columns, list[Row]()

    def __enter__(self) -> "_ParquetSink":
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {
            _TEXT: pa.string(),
            _INT: pa.int64(),
            _FLOAT: pa.float64(),
            _FLAG: pa.bool_(),
            _LOCAL: pa.timestamp("ms"),
            _UTC: pa.timestamp("ms", tz="UTC"),
        }
        self._schema: pyarrow.Schema = pa.schema([(name, kinds[kind]) for name, kind in self._columns.items()])
        self._writer = pq.ParquetWriter(self._place, self._schema, compression="zstd")
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                self._flush()
        finally:
            self._writer.close()

    def add(self, rows: Iterable[Row]) -> None:
        self._waiting.extend(rows)
        if len(self._waiting) >= self._GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            rows = [{name: _whole_ms(row.get(name)) for name in self._columns} for row in self._waiting]
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))
            self._waiting = []


def _whole_ms(value: Any) -> Any:
    """pyarrow refuses to cut microseconds off."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value


def _cell(value: Any) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return escape_formula(value)


def _verdict(verdict: Any, prefix: str = "") -> Row:
    return {f"{prefix}{name}": getattr(verdict, name) for name in _VERDICT}


def _utc_of(burst: BurstRecord, local: datetime) -> datetime | None:
    return None if burst.deployment is None else local.replace(tzinfo=burst.deployment.zone).astimezone(UTC)


def _burst(burst: BurstRecord) -> Row:
    names = (
        *("burst_id", "station", "camera", "started_at", "ended_at", "trigger", "status", "frame_count", "certain"),
        *("reviewed", "reviewer", "animal_probability", "gap_s"),
    )
    return {
        **{name: getattr(burst, name) for name in names},
        **_verdict(burst.shown),
        **_verdict(burst.model, "model_"),
        "deployment_id": burst.deployment.deployment_id if burst.deployment else None,
        "started_at_utc": _utc_of(burst, burst.started_at),
        "flags": "|".join(burst.flags) or None,
        "marks": "|".join(burst.marks) or None,
    }


def _photographs(burst: BurstRecord) -> Iterator[Row]:
    names = (
        *("image_id", "key", "captured_at", "category", "make", "model", "serial", "temperature_c", "infrared"),
        *("detector", "rejection_reason"),
    )
    for number, frame in enumerate(burst.frames):
        yield {
            **{name: getattr(frame, name) for name in names},
            "burst_id": burst.burst_id,
            "number": number,
            "camera": burst.camera,
            "captured_at_utc": _utc_of(burst, frame.captured_at),
            "pixel_width": frame.width,
            "pixel_height": frame.height,
        }


def _boxes(burst: BurstRecord) -> Iterator[Row]:
    for frame in burst.frames:
        for number, each in enumerate(frame.boxes or ()):
            yield {
                "image_id": frame.image_id,
                "burst_id": burst.burst_id,
                "number": number,
                "category": each.category,
                "score": each.score,
                "static": each.static,
                **dict(zip(_BOX, each.box, strict=True)),
            }


def _observations(burst: BurstRecord) -> Iterator[Row]:
    for each in burst.observations:
        names = ("source", "number", "score", "certain", "observed_by", "observed_at")
        yield {
            "burst_id": burst.burst_id,
            **_verdict(each.verdict),
            **{name: getattr(each, name) for name in names},
        }


def _deployment(each: DeploymentRecord, exact: bool) -> Row:
    place = export_position(each, exact=exact)
    names = ("deployment_id", "station", "camera", "starts_at", "ends_at", "utc_offset_minutes", "active_days")
    return {
        **{name: getattr(each, name) for name in names},
        "latitude": place.latitude,
        "longitude": place.longitude,
        "coordinate_uncertainty_m": place.uncertainty_m,
        "clock_suspect": each.clock_suspect,
    }
