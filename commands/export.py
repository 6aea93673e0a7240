"""`uncia export`: write the catalogue in the formats of other programs."""

import getpass
import json
import re
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import typer

from uncia import ids
from uncia.audit import AuditLog, audit_file_of_process
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.filters import BurstFilter, Hours
from uncia.dashboard.catalogue.schema import check_current
from uncia.dashboard.exports.formats import ExportFormat, ExportOptions, export_catalogue
from uncia.dashboard.exports.media import FetchPhotograph
from uncia.dashboard.exports.output import ExportSummary
from uncia.dashboard.exports.records import FrameRecord
from uncia.errors import PermanentError, UnciaError
from uncia.events import BurstCategory, BurstStatus
from uncia.pseudonyms import SerialPseudonyms
from uncia.settings import Settings, settings
from uncia.storage.object_store import ObjectStore
from uncia.terminal import echo, echo_json
from uncia.training.progress import progress_bar


def export(
    kind: ExportFormat = typer.Argument(
        metavar="FORMAT", help="camtrap-dp, megadetector, coco, timelapse, csv or parquet."
    ),
    output: Path = typer.Argument(help="Path of the new file (megadetector, coco) or folder (the other formats)."),
    taxon: str = typer.Option(None, help="Only this taxon and everything below it; `-`: bursts without a taxon."),
    model: str = typer.Option(
        None, help="Only what the models call this, whatever a review says: a taxon alone, or a category."
    ),
    called: str = typer.Option(
        None, help="Only what is called this after reviews: a taxon alone, or a category; `-`: neither."
    ),
    category: list[BurstCategory] = typer.Option([], help="Only this category. Repeatable."),
    station: list[str] = typer.Option([], help="Only this station. Repeatable."),
    camera: list[str] = typer.Option([], help="Only this camera, `<station>/<camera>`. Repeatable."),
    since: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="First day, by the cameras' clocks."
    ),
    until: datetime = typer.Option(
        None, formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Last day, by the cameras' clocks."
    ),
    hours: str = typer.Option(None, help="Only times of day from `HH:MM` to `HH:MM`, as in 20:00-04:30."),
    confidence_min: float = typer.Option(None, min=0, max=1, help="Lowest confidence, 0 to 1."),
    confidence_max: float = typer.Option(None, min=0, max=1, help="Highest confidence, 0 to 1."),
    status: list[BurstStatus] = typer.Option([], help="Only this status. Repeatable. Default: all but superseded."),
    reviewed: bool = typer.Option(None, "--reviewed/--not-reviewed", help="Only bursts with, or without, a review."),
    reviewer: str = typer.Option(None, help="Only bursts with a review by this reviewer."),
    focus: bool = typer.Option(None, "--focus/--no-focus", help="Only bursts with, or without, a focus taxon."),
    flag: list[str] = typer.Option([], help="Only bursts with this flag or mark. Repeatable: with all of them."),
    title: str = typer.Option("Camera-trap observations", help="Title of the dataset."),
    metadata: Path = typer.Option(
        None, help="JSON object with properties of the descriptor of Camtrap DP: contributors, licenses, project, ..."
    ),
    exact_positions: bool = typer.Option(
        False,
        "--exact-positions",
        help="Write exact positions and serial numbers, which are secret. Default: positions rounded by sensitivity, "
        "pseudonyms of serial numbers.",
    ),
    box_score: float = typer.Option(
        None, min=0, max=1, help="Leave out boxes with a lower score. Default: 0.2; megadetector, timelapse: 0.05."
    ),
    media_url: str = typer.Option(
        None,
        help="Begin the path of each photograph with this address (camtrap-dp). What is served there must have no "
        "metadata: the package calls it public.",
    ),
    copy_media: bool = typer.Option(
        False, "--copy-media", help="Copy the photographs without metadata into the package (camtrap-dp)."
    ),
    with_people: bool = typer.Option(
        False, "--with-people", help="With --copy-media: also those that may show a person or vehicle; it is recorded."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an export of the same name."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Export bursts as Camtrap DP, MegaDetector, COCO Camera Traps, Timelapse, CSV or Parquet.

    The output appears when it is complete: after an error, or a kill, run the command again. Bursts are cut by the
    filters of the dashboard.
    """
    config = settings()
    chosen = BurstFilter(
        taxon=taxon,
        model_verdict=model,
        verdict=called,
        categories=tuple(each.value for each in category),
        stations=tuple(station),
        cameras=tuple(camera),
        since=_day(since),
        until=_day(until),
        hours=_hours(hours),
        confidence_min=confidence_min,
        confidence_max=confidence_max,
        statuses=tuple(each.value for each in status),
        reviewed=reviewed,
        reviewer=reviewer,
        focus=focus,
        flags=tuple(flag),
    )
    options = ExportOptions(
        title=title,
        exact_positions=exact_positions,
        box_score=box_score,
        media_url=media_url,
        fetch=photographs_from_store(config) if copy_media else None,
        with_people=with_people,
        serial_pseudonym=SerialPseudonyms(config),
        metadata=_metadata(metadata),
        overwrite=overwrite,
    )
    if copy_media and with_people:
        AuditLog(audit_file_of_process(config.data_dir)).record(
            "people_exported", getpass.getuser(), f"export: {output}"
        )
    engine = open_database(catalogue_url(config), read_only=True)
    check_current(engine)
    with progress_bar(f"exporting to {output}", shown=not as_json) as progress:
        summary = export_catalogue(engine, kind, output, chosen, options, progress=progress)
    _report(summary, output, as_json)


def photographs_from_store(config: Settings) -> FetchPhotograph:
    """Reads photographs from the object store, each only as long as it is the one that was assessed."""
    store = ObjectStore(config)

    def fetch(frame: FrameRecord) -> bytes:
        content = store.read(
            frame.bucket, frame.key, max_bytes=config.max_object_mb * 1_048_576, version_id=frame.version_id
        )
        if ids.upload_id(frame.bucket, frame.key, content.etag) != frame.upload_id:
            raise PermanentError("object-changed", f"{frame.key} was overwritten")
        return content.data

    return fetch


def _report(summary: ExportSummary, output: Path, as_json: bool) -> None:
    if as_json:
        echo_json(
            {
                "output": str(output),
                "bursts": summary.bursts,
                "photographs": summary.photographs,
                "boxes": summary.boxes,
                "left_out": dict(summary.left_out),
            }
        )
        return
    echo(f"{output}: {summary.bursts:,} bursts, {summary.photographs:,} photographs, {summary.boxes:,} boxes")
    for reason, count in sorted(summary.left_out.items()):
        echo(f"left out: {count:,} {reason}")


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _hours(text: str | None) -> Hours | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", text.strip())
    parts: Sequence[int] = [int(each) for each in found.groups()] if found else []
    try:
        if not parts or parts[1] > 59 or parts[3] > 59:
            raise ValueError
        return Hours(60 * parts[0] + parts[1], 60 * parts[2] + parts[3])
    except ValueError:
        raise UnciaError(f"--hours {text!r} is not a range of hours: write it like 20:00-04:30") from None


def _metadata(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnciaError(f"--metadata {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UnciaError(f"--metadata {path} is not a JSON object")
    return content
