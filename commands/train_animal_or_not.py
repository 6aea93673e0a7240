"""`uncia train animal-or-not`: train a head for the groups animal, person, vehicle and nothing."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from uncia.terminal import echo, echo_json, plain_console


def animal_or_not(
    source: Annotated[
        Path,
        typer.Argument(
            help="Labelled photographs with animals, and blank ones of the same cameras. `catalogue`: reviewed bursts."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the model package; its name becomes the model's.")],
    beside: Annotated[
        Path | None,
        typer.Option(help="Package with species classes to join with the head.", show_default="the head alone"),
    ] = None,
    precision: Annotated[
        float, typer.Option(help="Target of the thresholds: minimum precision on the held-out bursts, 0 to 1.")
    ] = 0.95,
    kind: Annotated[str, typer.Option(help="Format of the source: auto, folders, camtrap-dp, coco or table.")] = "auto",
    seed: Annotated[int, typer.Option(help="Random seed of the split and the training.")] = 1,
    cache: Annotated[Path, typer.Option(help="Folder that caches features between runs.")] = Path(".local/features"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a head that distinguishes animal, person, vehicle and nothing, with thresholds from held-out bursts.

    Given at least five kinds, it is tested on kinds that it was not trained on. With --beside (a package, or
    species_classifier in the repository) one package has kinds and groups, at the cost of one inference.
    """
    from uncia.commands.reviewed_source import training_source
    from uncia.commands.training_runs import check_output_folder, progress_bars
    from uncia.training.animal_or_not.recipe import train_group_model
    from uncia.training.datasets.reading import read_dataset
    from uncia.triton_models.packages.loading import open_package

    check_output_folder(out)
    source = training_source(source, quiet=as_json)
    with progress_bars(shown=not as_json) as progress:
        data = read_dataset(source, kind)
        trained = train_group_model(
            data,
            out.resolve(),
            kinds=open_package(beside) if beside else None,
            precision=precision,
            seed=seed,
            cache=cache,
            progress=progress,
        )
    card = trained.package.card
    groups = [entry for entry in card.labels.classes if entry.label == entry.group]
    if as_json:
        thresholds = {entry.label: entry.threshold for entry in groups}
        result = {"folder": str(out), "model": card.model, "label_set": card.label_set}
        echo_json({**result, "thresholds": thresholds, "figures": trained.figures})
        return
    table = Table("group", "taxon", "threshold", "calibrated")
    for entry in groups:
        threshold = "none meets the target" if entry.threshold is None else f"{entry.threshold:g}"
        table.add_row(entry.label, entry.taxon, threshold, "yes" if entry.calibration else "no")
    plain_console().print(table)
    for name, figure in trained.figures.items():
        echo(f"{name}: {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}) on test bursts")
    echo(f"{card.model}: {len(card.labels.classes)} classes, {out}")
