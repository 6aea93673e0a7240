"""`uncia data`: draw a data set whose truth is known, and look a data set over before anything is trained on it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from uncia.terminal import description_column, echo, echo_json, plain_console
from uncia.training.datasets import DataError
from uncia.training.datasets.images import KINDS, Progress
from uncia.training.datasets.reading import read_data

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from uncia.training.dataset_check.findings import Findings, See

app = typer.Typer(help="Labelled pictures: draw a data set for trying things, check your own.", no_args_is_help=True)

CACHE = Path(".local/features")

_TOLD = 10
"""Of each kind so many are named on the terminal; the page shows more, `--json` all."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("draw")
def draw_data(
    folder: Annotated[Path, typer.Argument(help="Where it goes; must not be there yet.")],
    bursts: Annotated[int, typer.Option(min=1, help="Bursts in all.")] = 120,
    cameras: Annotated[int, typer.Option(min=1, help="Cameras, each with a place of its own.")] = 6,
    classes: Annotated[str, typer.Option(help="Labels, with commas between, or all.", show_default="ten of them")] = "",
    empty: Annotated[float, typer.Option(min=0, max=1, help="Share of the bursts with nothing in them.")] = 0.25,
    night: Annotated[float, typer.Option(min=0, max=1, help="Share of the bursts in infrared.")] = 0.5,
    things: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the bursts in which things lie about that are no animal.")
    ] = 0.0,
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
    cut-outs; without lomiri-wallpapers-16.04 and plasma-workspace-wallpapers no place is a photograph. Figures on such
    composites are no accuracy in the field.
    """
    from uncia.training.scenes.cut_outs import STAMPS, USUAL
    from uncia.training.scenes.plan import Recipe
    from uncia.training.scenes.rendering import draw

    width, height = _size(size)
    if stamps is not None and not (stamps / "animals").is_dir():
        raise DataError(f"no stamps in {stamps}: it has no folder `animals`; leave --stamps out for the usual place")
    stamps = stamps or STAMPS
    chosen = "all" if not classes and not stamps.is_dir() else classes or ",".join(USUAL)
    names = () if chosen == "all" else tuple(name.strip() for name in chosen.split(",") if name.strip())
    recipe = Recipe(bursts, cameras, names, seed, width, height, empty=empty, night=night, things=things)
    with progress_bar("drawing", shown=not as_json) as told:
        drawn = draw(folder, recipe, stamps=stamps, progress=told)
    if as_json:
        echo_json(asdict(drawn) | {"folder": str(drawn.folder)})
        return
    how = "" if drawn.fresh else " (as drawn before)"
    echo(f"{drawn.pictures} pictures of {drawn.bursts} bursts in {drawn.folder}{how}: {', '.join(drawn.labels)}")
    echo(drawn.source)


@app.command("check")
def check_data(
    source: Annotated[Path, typer.Argument(help="Class folders, Camtrap DP, a COCO Camera Traps file, or a table.")],
    kind: Annotated[str, typer.Option(help=f"auto, or {', '.join(KINDS)}.")] = "auto",
    output: Annotated[
        Path | None, typer.Option(help="Where the page goes.", show_default="<source>-check.html here")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not judge labels: no network is needed.")] = False,
    gap: Annotated[float, typer.Option(min=0, help="Seconds that part two bursts, where none are told.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the split that copies are compared with.")] = 1,
    cache: Annotated[Path, typer.Option(help="Where features are kept; `uncia train` uses them too.")] = CACHE,
    as_json: Json = False,
) -> None:
    """Find unreadable files, copies, thin classes and labels that look wrong; show them on a page.

    Exit status 1 where something must be mended: a file that cannot be read, or copies of one photograph under labels
    that contradict each other. The rest is for you to judge.
    """
    from uncia.storage.durable import write_durably
    from uncia.training.dataset_check.findings import check
    from uncia.training.dataset_check.page import render

    page = output or Path(f"{source.absolute().name}-check.html")
    shown = not as_json
    with progress_bar("reading EXIF", shown=shown) as told:
        data = read_data(source, kind, gap_s=gap, progress=told)
    with progress_bar("reading files", shown=shown) as reading, progress_bar("judging labels", shown=shown) as seeing:
        findings = check(data, None if quick else _see(cache), seed=seed, reading=reading, seeing=seeing)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_durably(page, render(findings, source.absolute()))
    except OSError as error:
        raise DataError(f"{page} cannot be written ({error.strerror}): name another place with --output") from error
    if as_json:
        echo_json({**findings.as_json(), "page": str(page)})
    else:
        _tell(findings)
        echo(f"The pictures are on {page}")
    if findings.must_be_mended:
        raise typer.Exit(1)


def _see(cache: Path) -> "See":
    from uncia.training.dataset_check.embeddings import see

    def with_cache(paths: Sequence[Path], progress: Progress | None = None) -> "tuple[list[Path], NDArray[np.float32]]":
        return see(paths, cache, progress)

    return with_cache


def _tell(findings: "Findings") -> None:
    from uncia.training.dataset_check.page import summary

    console = plain_console(highlight=False)
    console.print(
        f"{findings.source}: {findings.pictures:,} pictures in {findings.bursts:,} bursts of "
        f"{findings.cameras:,} known cameras",
        markup=False,
    )
    table = Table("class", "group", "pictures", "bursts", "cameras")
    for count in findings.classes:
        table.add_row(count.label, count.group, f"{count.pictures:,}", f"{count.bursts:,}", str(count.cameras or "?"))
    console.print(table)
    for note in findings.class_notes:
        console.print(f"- {note}", markup=False, soft_wrap=True)
    for name, value in summary(findings):
        console.print(f"{value:>7,} {name}", markup=False)
    for broken in findings.unreadable[:_TOLD]:
        console.print(f"  {broken.path}: {broken.reason} ({broken.message})", markup=False, soft_wrap=True)
    for doubt in findings.doubts[:_TOLD]:
        console.print(
            f"  {doubt.path}: {doubt.label}, rather {doubt.rather} ({doubt.probability:.0%})",
            markup=False,
            soft_wrap=True,
        )
    if not findings.doubts:
        console.print(f"Labels: {findings.labels_checked}", markup=False)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.strip().isdigit() and height.strip().isdigit()):
        raise typer.BadParameter(f"{text!r} is no size: 1024x768 is one", param_hint="--size")
    return int(width), int(height)


@contextmanager
def progress_bar(what: str, *, shown: bool = True) -> Iterator[Progress]:
    """A bar on standard error, for a person only: nothing in a log or before `--json`."""
    console = plain_console(stderr=True)
    columns = (description_column(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not (shown and sys.stderr.isatty())) as bars:
        task = bars.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield told
