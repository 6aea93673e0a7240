"""Timelapse: a recognition file, and a CSV that Timelapse imports into a template with these data labels.

Both belong at the root of the image set: paths are relative to it.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from uncia.camtrap.csv_cells import escape_formula
from uncia.dashboard.exports.media import relative_path
from uncia.dashboard.exports.megadetector import MegaDetectorOptions, write_megadetector
from uncia.dashboard.exports.output import ExportSummary, Progress, no_progress
from uncia.dashboard.exports.records import BurstRecord

__all__ = ["RECOGNITION_FILE", "TIMELAPSE_CSV", "write_timelapse"]

RECOGNITION_FILE, TIMELAPSE_CSV = "recognition.json", "timelapse.csv"
_KEYS = ("File", "RelativePath", "DateTime")
COLUMNS = (
    *_KEYS,
    *("DeleteFlag", "Category", "Species", "CommonName", "Count", "Confidence", "Reviewed", "Reviewer"),
    *("Station", "Camera", "BurstID", "Comment"),
)


def write_timelapse(
    folder: Path,
    bursts: Iterable[BurstRecord],
    taxa: Sequence[str],
    options: MegaDetectorOptions = MegaDetectorOptions(),  # noqa: B008 - frozen
    *,
    progress: Progress = no_progress,
) -> ExportSummary:
    """Write both files into a folder, in one pass over the bursts. Raises `OSError`."""
    with (folder / TIMELAPSE_CSV).open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        rows.writeheader()

        def with_rows() -> Iterator[BurstRecord]:
            for burst in bursts:
                rows.writerows(_cells(burst))
                yield burst

        return write_megadetector(folder / RECOGNITION_FILE, with_rows(), taxa, options, progress=progress)


def _cells(burst: BurstRecord) -> Iterator[dict[str, object]]:
    """One row per photograph. File and folder are as they are, since Timelapse finds the photograph by them; text of
    other columns is escaped for spreadsheets."""
    shown = burst.shown
    common = {
        "DeleteFlag": "false",
        "Category": shown.category or "unknown",
        "Species": shown.taxon or "",
        "CommonName": shown.label or "",
        "Count": "" if shown.count is None else shown.count,
        "Confidence": "" if shown.confidence is None else shown.confidence,
        "Reviewed": "true" if burst.reviewed else "false",
        "Reviewer": burst.reviewer or "",
        "Station": burst.station,
        "Camera": burst.camera,
        "BurstID": burst.burst_id,
    }
    for frame in burst.frames:
        folder, _, name = relative_path(frame).rpartition("/")
        rest = {**common, "Comment": frame.rejection_message or frame.rejection_reason or ""}
        yield {
            "File": name,
            "RelativePath": folder.replace("/", "\\"),
            "DateTime": frame.captured_at.replace(microsecond=0).isoformat(" "),
            **{column: escape_formula(value) for column, value in rest.items()},
        }
