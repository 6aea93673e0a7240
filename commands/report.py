"""`uncia report`: the contact sheet of everything on the result topics."""

import json
from pathlib import Path
from typing import Any

import typer

from uncia.dashboard.contact_sheet.collect import Results
from uncia.dashboard.contact_sheet.page import render, write_page
from uncia.dashboard.contact_sheet.thumbnails import stored_pictures
from uncia.errors import UnciaError
from uncia.kafka.broker import read_topics
from uncia.settings import settings
from uncia.terminal import echo
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED


def report(
    output: Path = typer.Option(Path("report.html"), "--output", "-o", help="Where the page goes."),
    title: str = typer.Option("Camera-trap bursts", help="Title of the page."),
    summary: Path | None = typer.Option(None, help="A JSON object whose entries are shown at the top."),
) -> None:
    """Write one self-contained page: bursts with verdict, frames and times, and rejected files with reasons."""
    config = settings()
    results = Results.of(
        read_topics(config, (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER), from_beginning=True, until_end=True),
        config,
    )
    page = render(results, stored_pictures(config), title=title, summary=_summary(summary, results))
    write_page(output, page)
    echo(f"{len(results.standing())} bursts, {len(results.rejected)} rejected files: {output}")


def _summary(path: Path | None, results: Results) -> dict[str, Any]:
    if path is None:
        return {"bursts": len(results.standing()), "rejected": len(results.rejected), "dead letters": len(results.dead)}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnciaError(f"--summary {path} is no JSON object: {error}") from error
