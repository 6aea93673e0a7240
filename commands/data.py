"""`uncia data`: render a synthetic dataset; check a dataset before training."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from uncia.audit import AuditLog, audit_file_of_process
from uncia.commands.data_boxes import boxes
from uncia.commands.reviewed_source import training_source, write_reviewed_photographs
from uncia.settings import settings
from uncia.terminal import echo, echo_json, plain_console
from uncia.training.datasets import DataError
from uncia.training.datasets.dataset import FORMATS
from uncia.training.datasets.reading import read_dataset
from uncia.training.progress import ProgressCallback, progress_bar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from uncia.training.dataset_check.findings import EmbedImages, Findings

app = typer.Typer(help="Render, collect or check a dataset, or propose boxes.", no_args_is_help=True)
app.command()(boxes)

CACHE = Path(".local/features")

_MOST_LISTED = 10
"""Findings of each kind listed on the terminal; the HTML report shows more, `--json` all."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("draw")
def draw_data(
    folder: Annotated[Path, typer.Argument(help="Output folder; must not exist or must be empty.")],
    bursts: Annotated[int, typer.Option(min=1, help="Number of bursts.")] = 120,
    cameras: Annotated[int, typer.Option(min=1, help="Number of cameras, each with its own background.")] = 6,
    classes: Annotated[
        str, typer.Option(help="Labels, separated by commas, or `all`.", show_default="ten labels")
    ] = "",
    empty: Annotated[float, typer.Option(min=0, max=1, help="Fraction of blank bursts, 0 to 1.")] = 0.25,
    night: Annotated[float, typer.Option(min=0, max=1, help="Fraction of bursts in infrared, 0 to 1.")] = 0.5,
    things: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Fraction of bursts with objects other than animals, persons and vehicles, 0 to 1."
        ),
    ] = 0.0,
    size: Annotated[str, typer.Option(help="Width x height of the images, in pixels.")] = "1024x768",
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed renders the same files.")] = 1,
    stamps: Annotated[
        Path | None,
        typer.Option(help="Folder of Debian's tuxpaint-stamps-default.", show_default="where Debian installs it"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Render composites that resemble camera-trap photographs, with a table of what each image shows.

    Bursts with EXIF, by day and in infrared, with boxes exact to the pixel. Without tuxpaint-stamps-default only four
    coarse cut-outs are available; without lomiri-wallpapers-16.04 and plasma-workspace-wallpapers no background is a
    photograph. Figures measured on composites do not estimate accuracy in the field.
    """
    from uncia.training.scenes.cut_outs import DEFAULT_CLASSES, STAMPS
    from uncia.training.scenes.plan import CompositeRecipe
    from uncia.training.scenes.rendering import render_dataset

    width, height = _parse_size(size)
    if stamps is not None and not (stamps / "animals").is_dir():
        raise DataError(
            f"no stamps in {stamps}: it has no folder `animals`; leave --stamps out to use the default folder"
        )
    stamps = stamps or STAMPS
    chosen = "all" if not classes and not stamps.is_dir() else classes or ",".join(DEFAULT_CLASSES)
    names = () if chosen == "all" else tuple(name.strip() for name in chosen.split(",") if name.strip())
    recipe = CompositeRecipe(bursts, cameras, names, seed, width, height, empty=empty, night=night, things=things)
    with progress_bar("rendering", shown=not as_json, log_description=False) as progress:
        rendered = render_dataset(folder, recipe, stamps=stamps, progress=progress)
    if as_json:
        echo_json(asdict(rendered) | {"folder": str(rendered.folder)})
        return
    note = "" if rendered.fresh else " (unchanged: rendered earlier from the same options)"
    echo(
        f"{rendered.pictures} images of {rendered.bursts} bursts in {rendered.folder}{note}: "
        f"{', '.join(rendered.labels)}"
    )
    echo(rendered.source)


@app.command("reviewed")
def reviewed(
    folder: Annotated[Path, typer.Argument(help="Output folder; one that this command wrote before is updated.")],
    named_only: Annotated[
        bool, typer.Option("--named-only", help="Leave out animals without a taxon, as for training species.")
    ] = False,
    with_people: Annotated[
        bool, typer.Option("--with-people", help="Also bursts that may show a person or vehicle; it is recorded.")
    ] = False,
) -> None:
    """Copy the photographs of reviewed bursts with their labels and boxes, as a dataset for training.

    `uncia train` does this by itself where its source is `catalogue`.
    """
    from uncia.dashboard.exports.reviewed import BOXES_FILE

    if folder.is_dir() and any(folder.iterdir()) and not (folder / BOXES_FILE).is_file():
        raise DataError(f"{folder} has other contents: name a new or empty folder")
    if with_people:
        AuditLog(audit_file_of_process(settings().data_dir)).record(
            "people_exported", getpass.getuser(), f"data: {folder}"
        )
    write_reviewed_photographs(settings(), folder, named_only=named_only, with_people=with_people)


@app.command("check")
def check_data(
    source: Annotated[
        Path,
        typer.Argument(
            help="Class folders, Camtrap DP, a COCO Camera Traps file, or a table; `catalogue`: reviewed bursts."
        ),
    ],
    kind: Annotated[str, typer.Option(help=f"Format of the source: auto, or {', '.join(FORMATS)}.")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            help="Path of the HTML report to write.", show_default="<source>-check.html in the current folder"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Skip the label check, which runs a neural network.")] = False,
    gap: Annotated[
        float, typer.Option(min=0, help="Minimum seconds between two bursts, if the source does not group images.")
    ] = 60.0,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed of the split that is searched for duplicates across its subsets.")
    ] = 1,
    cache: Annotated[Path, typer.Option(help="Folder of cached features, shared with `uncia train`.")] = CACHE,
    as_json: Json = False,
) -> None:
    """Find unreadable files, duplicates, rare classes and labels that look wrong; write an HTML report.

    Exits with status 1 if a file cannot be read, or if duplicates of one photograph have contradicting labels. All
    other findings are for you to assess.
    """
    from uncia.storage.durable import write_durably
    from uncia.training.dataset_check.findings import check_dataset
    from uncia.training.dataset_check.html_report import render_report

    report = output or Path(f"{source.absolute().name}-check.html")
    shown = not as_json
    source = training_source(source, quiet=as_json)
    with progress_bar("reading EXIF", shown=shown, log_description=False) as progress:
        dataset = read_dataset(source, kind, gap_s=gap, progress=progress)
    with (
        progress_bar("reading files", shown=shown, log_description=False) as reading,
        progress_bar("checking labels", shown=shown, log_description=False) as embedding,
    ):
        embed = None if quick else _embed_with_cache(cache)
        findings = check_dataset(dataset, embed, seed=seed, reading=reading, embedding=embedding)
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_durably(report, render_report(findings, source.absolute()))
    except OSError as error:
        raise DataError(f"{report} cannot be written ({error.strerror}): name another path with --output") from error
    if as_json:
        echo_json({**findings.as_json(), "page": str(report)})
    else:
        _print_findings(findings)
        echo(f"Report with images: {report}")
    if findings.must_be_mended:
        raise typer.Exit(1)


def _embed_with_cache(cache: Path) -> "EmbedImages":
    from uncia.training.dataset_check.embeddings import embed_images

    def embed(
        paths: Sequence[Path], progress: ProgressCallback | None = None
    ) -> "tuple[list[Path], NDArray[np.float32]]":
        return embed_images(paths, cache, progress)

    return embed


def _print_findings(findings: "Findings") -> None:
    from uncia.training.dataset_check.html_report import summary

    console = plain_console(highlight=False)
    console.print(
        f"{findings.source}: {findings.pictures:,} images in {findings.bursts:,} bursts of "
        f"{findings.cameras:,} known cameras",
        markup=False,
    )
    table = Table("class", "group", "images", "bursts", "cameras")
    for count in findings.classes:
        table.add_row(count.label, count.group, f"{count.pictures:,}", f"{count.bursts:,}", str(count.cameras or "?"))
    console.print(table)
    for note in findings.class_notes:
        console.print(f"- {note}", markup=False, soft_wrap=True)
    for name, value in summary(findings):
        console.print(f"{value:>7,} {name}", markup=False)
    for broken in findings.unreadable[:_MOST_LISTED]:
        console.print(f"  {broken.path}: {broken.reason} ({broken.message})", markup=False, soft_wrap=True)
    for issue in findings.doubts[:_MOST_LISTED]:
        console.print(
            f"  {issue.path}: {issue.label}, more likely {issue.rather} ({issue.probability:.0%})",
            markup=False,
            soft_wrap=True,
        )
    if not findings.doubts:
        console.print(f"Labels: {findings.labels_checked}", markup=False)


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.strip().isdigit() and height.strip().isdigit()):
        raise typer.BadParameter(f"{text!r} is not a size: write it like 1024x768", param_hint="--size")
    return int(width), int(height)
