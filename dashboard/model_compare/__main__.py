"""Reads what two versions said from the topics, and shows where they differ."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from uncia.dashboard.contact_sheet.page import write_page
from uncia.dashboard.contact_sheet.thumbnails import stored_pictures
from uncia.dashboard.model_compare.comparing import Comparison, Pair, compared
from uncia.dashboard.model_compare.page import render
from uncia.errors import PermanentError, SettingsError, UnciaError
from uncia.events import ImagePredicted
from uncia.kafka.broker import existing_topics, read_topics
from uncia.serving.shadows import shadow_settings
from uncia.settings import Settings, settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.topics import IMAGE_PREDICTED

SHOWN = 25


def main(
    first: str,
    second: str,
    output: Path | None = typer.Option(None, "--output", "-o", help="Where the page goes."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Compare two versions, each `model@version`."""
    live = settings()
    comparison = compared(first, second, _answers((first, second), live))
    if not comparison.pairs:
        raise UnciaError(
            f"no photograph was answered by both {first} and {second} ({comparison.only_first} and "
            f"{comparison.only_second} by one): `uncia models shadow start` asks one beside the other"
        )
    if output is not None:
        write_page(output, render(comparison, stored_pictures(live)))
    if as_json:
        echo_json(as_json_(comparison))
        return
    show(comparison, plain_console(highlight=False))
    if output is not None:
        echo(f"The page: {output}")


def as_json_(comparison: Comparison) -> dict[str, Any]:
    """Counts, the table, and each photograph on which they differ."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "both": len(comparison.pairs),
        "only_first": comparison.only_first,
        "only_second": comparison.only_second,
        "differ": len(comparison.different()),
        "table": [{"first": one, "second": two, "photographs": n} for one, two, n in comparison.table()],
        "different": [_row(pair) for pair in comparison.different()],
    }


def show(comparison: Comparison, console: Console) -> None:
    """The same in words."""
    both, differ = len(comparison.pairs), comparison.different()
    console.print(f"{both} photographs answered by both; on {len(differ)} they differ ({len(differ) / both:.0%}).")
    console.print(f"Only by {comparison.first}: {comparison.only_first}; only by {comparison.second}: "
                  f"{comparison.only_second}.", markup=False)  # fmt: skip
    table = Table(comparison.first, comparison.second, "photographs")
    rows = comparison.table()
    for one, two, count in rows[:SHOWN]:
        table.add_row(one, two, str(count), style="dim" if one == two else "")
    if len(rows) > SHOWN:
        table.add_row("…", f"{len(rows) - SHOWN} more", "")
    console.print(table)


def _row(pair: Pair) -> dict[str, Any]:
    words = {"first": pair.first, "second": pair.second}
    return {
        "upload_id": pair.upload_id,
        "camera": pair.camera,
        "key": pair.content.key,
        "taken": pair.taken.isoformat(),
        **{name: {"said": word.said, "label": word.label, "score": word.score} for name, word in words.items()},
    }


def _answers(names: tuple[str, str], live: Settings) -> Iterator[ImagePredicted]:
    """Of live, and of the shadows of either version, as far as there are any."""
    places = [live]
    for name in names:
        model, at, version = name.partition("@")
        if not at or not version.isdecimal():
            raise SettingsError(f"{name}: write MODEL@VERSION")
        places.append(shadow_settings(model, version, live))
    there = existing_topics(live)
    for place in places:
        if IMAGE_PREDICTED.full_name(place) not in there:
            continue
        for message in read_topics(place, (IMAGE_PREDICTED,), from_beginning=True, until_end=True):
            try:
                yield ImagePredicted.from_bytes(message.value)
            except PermanentError:
                continue


if __name__ == "__main__":
    try:
        typer.run(main)
    except UnciaError as error:
        sys.exit(f"uncia: {error}")
