"""`uncia import`: read the data of other programs into the catalogue."""

import dataclasses
import re
from pathlib import Path

import typer

from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.imports.importing import ImportFormat, ImportOptions, import_data, recognise
from uncia.dashboard.imports.problems import ImportReport
from uncia.errors import UnciaError
from uncia.settings import settings
from uncia.terminal import echo, echo_json
from uncia.training.progress import progress_bar


def import_command(
    source: Path = typer.Argument(
        help="A package of Camtrap DP (folder or datapackage.json), a download of Wildlife Insights (folder or "
        "images.csv), a CSV of Timelapse, or a JSON file of MegaDetector's results."
    ),
    kind: ImportFormat = typer.Option(None, "--format", help="Format of the source. Default: recognised."),
    origin: str = typer.Option(
        None, help="Name of the source, from which ids are derived. Default: format and name of the files."
    ),
    camera: str = typer.Option(
        None,
        help="Camera of all photographs, `<station>/<camera>` (timelapse, megadetector). Default: their first two "
        "folders.",
    ),
    utc_offset: str = typer.Option(
        "+00:00", help="UTC offset of the cameras' clocks, for formats without one, like +05:45."
    ),
    gap: float = typer.Option(
        None,
        min=0.001,
        help="Seconds between photographs of one burst, where the source has no events. Default: UNCIA_BURST_GAP_S.",
    ),
    check: bool = typer.Option(False, "--check", help="Read the source and report its errors; write nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Import observations of other programs. Rows with an error are listed and left out; repeating it is harmless.

    Imports are in the database of the catalogue, not on the topics: `uncia catalogue rebuild` keeps them.
    """
    config = settings()
    options = ImportOptions(
        origin=origin,
        camera=camera,
        utc_offset_minutes=_minutes(utc_offset),
        gap_s=config.burst_gap_s if gap is None else gap,
        bucket=config.bucket,
        check=check,
    )
    found = kind or recognise(source)
    engine = open_database(catalogue_url(config))
    if not check:
        migrate(engine)
    with progress_bar(f"importing {source} ({found.value})", shown=not as_json) as progress:
        report = import_data(engine, source, options, found, progress=lambda done: progress(done, 0))
    _print(report, source, as_json)


def _print(report: ImportReport, source: Path, as_json: bool) -> None:
    if as_json:
        echo_json(dataclasses.asdict(report))
        return
    for problem in report.problems:
        line = "" if problem.line is None else f", line {problem.line}"
        echo(f"{problem.file}{line}: {problem.message}")
    if report.problem_count > len(report.problems):
        echo(f"and {report.problem_count - len(report.problems):,} more")
    echo(
        f"{source}: {report.deployments:,} deployments, {report.photographs:,} photographs, {report.bursts:,} bursts, "
        f"{report.reviews:,} of them classified by people, {report.problem_count:,} problems (origin {report.origin})"
    )


def _minutes(text: str) -> int:
    found = re.fullmatch(r"([+-])(\d{2}):?([0-5]\d)", text)
    minutes = 0 if text == "Z" else (60 * int(found[2]) + int(found[3])) if found else 10_000
    if minutes > 14 * 60:
        raise UnciaError(f"--utc-offset {text!r} is not an offset from UTC: write it like +05:45, at most 14 hours")
    return -minutes if found and found[1] == "-" else minutes
