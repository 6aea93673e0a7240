"""`uncia report`: write the contact sheet of everything on the result topics."""

import json
from pathlib import Path
from typing import Any

import typer

from uncia.dashboard.contact_sheet.page import render
from uncia.dashboard.contact_sheet.results import ResultSet
from uncia.dashboard.page_parts.people import hidden_on_page
from uncia.dashboard.page_parts.rendering import write_page
from uncia.dashboard.page_parts.thumbnails import crops_from_store, thumbnails_from_store
from uncia.errors import UnciaError
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED, DEAD_LETTER, IMAGE_PREDICTED


def report(
    output: Path = typer.Option(Path("report.html"), "--output", "-o", help="Write the page to this file."),
    station: list[str] = typer.Option([], help="Only this station. Repeatable. Default: all."),
    title: str = typer.Option("Camera-trap bursts", help="Title of the page."),
    summary: Path | None = typer.Option(
        None, help="Show the entries of the JSON object in this file at the top. Default: counts."
    ),
    with_people: bool = typer.Option(False, "--with-people", help="Do not blur persons; it is recorded."),
) -> None:
    """Write one self-contained page: bursts with verdict, frames and times; rejected files with reasons."""
    config = settings()
    results = ResultSet.of(
        read_topics(
            config, (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER, CROP_PUBLISHED), from_beginning=True, until_end=True
        ),
        config,
    )
    if station:
        results = results.of_stations(station)
    hidden = hidden_on_page(config, f"report: {output}", with_people=with_people)
    page = render(
        results,
        thumbnails_from_store(config, hidden),
        title=title,
        summary=_summary(summary, results),
        load_crop=crops_from_store(config, hidden),
    )
    write_page(output, page)
    echo(f"{len(results.current_bursts())} bursts, {len(results.rejected)} rejected files: {output}")


def _summary(path: Path | None, results: ResultSet) -> dict[str, Any]:
    if path is None:
        return {
            "bursts": len(results.current_bursts()),
            "rejected": len(results.rejected),
            "dead letters": len(results.dead),
        }
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnciaError(f"--summary {path} is not a JSON object: {error}") from error
