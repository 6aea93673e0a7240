"""`uncia sounds`: list the calls in sound recordings, export them, and synthesise recordings to try it on."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from uncia.camtrap.audubon_core import MEDIA_COLUMNS, REGION_COLUMNS, current_results, media_row, region_row
from uncia.camtrap.names import camera_matches
from uncia.errors import UnciaError
from uncia.events import RecordingAnalysed, SoundHeard
from uncia.kafka.sound_events import read_sound_events
from uncia.settings import Settings, settings
from uncia.storage.atomic_dir import atomic_directory
from uncia.terminal import counted, echo, echo_json, plain_console

app = typer.Typer(
    help="List the calls in sound recordings, export them, and synthesise recordings.", no_args_is_help=True
)

Camera = Annotated[
    str | None,
    typer.Option(help="Only this recorder (`<station>/<camera>`) or this station.", show_default="all"),
]


@app.command("list")
def list_(
    camera: Camera = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the calls, the earliest first. Scores without a calibrated threshold have a question mark."""
    _, calls = _read(settings(), camera)
    if as_json:
        echo_json([call.model_dump(mode="json", exclude_none=True) for call in calls])
    elif not calls:
        echo("nothing was heard yet")
    else:
        plain_console().print(build_table(calls))


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the tables.")],
    camera: Camera = None,
) -> None:
    """Write recordings and calls as two tables of Audubon Core (CSV): media and regions of interest."""
    if out.exists():
        raise UnciaError(f"{out} exists: choose another folder")
    recordings, calls = _read(settings(), camera)
    regions = [row for row in map(region_row, calls) if row is not None]
    with atomic_directory(out) as staging:
        _write(staging / "media.csv", MEDIA_COLUMNS, map(media_row, recordings))
        _write(staging / "regions_of_interest.csv", REGION_COLUMNS, regions)
    echo(f"wrote {counted(len(recordings), 'recording')} and {counted(len(regions), 'call')} to {out}")


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="New folder for the recordings.")],
    recordings: Annotated[int, typer.Option(min=1, max=1_000, help="Recordings of each species, or recorder.")] = 12,
    recorders: Annotated[int, typer.Option(min=1, max=100, help="Recorders that share them.")] = 4,
    seconds: Annotated[float, typer.Option(min=12, max=3_600, help="Length of a recording.")] = 15.0,
    field: Annotated[
        bool, typer.Option(help="Recordings of all species, in a folder for each recorder, to be uploaded.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed draws the same recordings.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Synthesise recordings of species that do not exist, in folders for `uncia train sound`, with truth.json.

    They show that everything works, and say nothing about real calls.
    """
    from uncia.training.sound.recordings import write_field_recordings, write_training_recordings

    if folder.exists():
        raise UnciaError(f"{folder} exists: choose another folder")
    with atomic_directory(folder) as staging:
        write = write_field_recordings if field else write_training_recordings
        files, calls = write(staging, recordings, recorders, seconds, seed)
    if as_json:
        echo_json({"folder": str(folder), "recordings": files, "calls": calls})
    else:
        echo(f"wrote {counted(files, 'recording')} with {counted(calls, 'call')} to {folder}")


def _read(config: Settings, camera: str | None) -> tuple[list[RecordingAnalysed], list[SoundHeard]]:
    """What counts now."""
    events = read_sound_events(config)
    return current_results(
        (event for event in events.results if camera_matches(camera or "", event.camera)),
        (event for event in events.calls if camera_matches(camera or "", event.camera)),
    )


def build_table(calls: Iterable[SoundHeard]) -> Table:
    """The table, one row per call."""
    numbers = (Column(name, justify="right") for name in ("score", "from", "to"))
    table = Table("time", "recorder", "heard", *numbers)
    for call in calls:
        cells = (
            f"{call.started_at:%Y-%m-%d %H:%M:%S}",
            call.camera,
            call.verdict.label,
            f"{call.verdict.score:.2f}{'' if call.verdict.certain else '?'}",
            f"{call.start_s:.1f} s",
            f"{call.end_s:.1f} s",
        )
        table.add_row(*map(Text, cells))
    return table


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
