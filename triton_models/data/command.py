"""`uncia data`: draw a data set whose truth is known, and look a data set over before anything is trained on it."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from triton_models.data.pictures import Progress

app = typer.Typer(help="Labelled pictures: draw a data set for trying things, check your own.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("draw")
def draw_data(
    folder: Annotated[Path, typer.Argument(help="Where it goes; must not be there yet.")],
    bursts: Annotated[int, typer.Option(min=1, help="Bursts in all.")] = 120,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras, each with a place of its own.")] = 6,
    classes: Annotated[str, typer.Option(help="Labels, with commas between; all that there are by default.")] = "",
    empty: Annotated[float, typer.Option(min=0, max=1, help="Share of the bursts with nothing in them.")] = 0.25,
    night: Annotated[float, typer.Option(min=0, max=1, help="Share of the bursts in infrared.")] = 0.5,
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "1024x768",
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same files.")] = 1,
    stamps: Annotated[
        Path | None,
        typer.Option(help="Cut-outs of Debian's tuxpaint-stamps-default.", show_default="where Debian puts them"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw camera-trap-like photographs with a table that says what is on them.

    Bursts with EXIF, infrared and day, boxes exact to the pixel. Without tuxpaint-stamps-default there are four coarse
    cut-outs. Figures on such composites are no accuracy in the field.
    """
    from triton_models.data.composites.cut_outs import STAMPS
    from triton_models.data.composites.draw import draw
    from triton_models.data.composites.plan import Recipe

    width, height = _size(size)
    names = tuple(name.strip() for name in classes.split(",") if name.strip())
    recipe = Recipe(bursts, cameras, names, seed, width, height, empty=empty, night=night)
    with progress_bar("drawing", shown=not as_json) as told:
        drawn = draw(folder, recipe, stamps=stamps or STAMPS, progress=told)
    if as_json:
        typer.echo(json.dumps(asdict(drawn) | {"folder": str(drawn.folder)}))
        return
    how = "" if drawn.fresh else " (as drawn before)"
    typer.echo(f"{drawn.pictures} pictures of {drawn.bursts} bursts in {drawn.folder}{how}: {', '.join(drawn.labels)}")
    typer.echo(drawn.source)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.strip().isdigit() and height.strip().isdigit()):
        raise typer.BadParameter(f"{text!r} is no size: 1024x768 is one", param_hint="--size")
    return int(width), int(height)


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> Iterator[Progress]:
    """A bar on standard error, for a person only: nothing in a log or before `--json`."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not (shown and sys.stderr.isatty())) as bars:
        task = bars.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield told
