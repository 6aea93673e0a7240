"""`uncia train animal-or-not`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from uncia.terminal import echo, echo_json, plain_console


def animal_or_not(
    source: Annotated[Path, typer.Argument(help="Pictures with animals, and empty ones of the same cameras.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package; its name is the model's.")],
    beside: Annotated[
        Path | None, typer.Option(help="A package of kinds: the new one knows both.", show_default="the head alone")
    ] = None,
    precision: Annotated[float, typer.Option(help="So many of the held-out bursts called a group show it.")] = 0.95,
    kind: Annotated[str, typer.Option(help="auto, folders, camtrap-dp, coco or table.")] = "auto",
    seed: Annotated[int, typer.Option(help="Decides the split and everything that is drawn.")] = 1,
    cache: Annotated[Path, typer.Option(help="Where features are kept, for the next time.")] = Path(".local/features"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Learn to tell animal, person, vehicle and nothing apart, and write thresholds from held-out bursts.

    Bursts of kinds that the head never saw judge it, where there are five kinds and more. With --beside (a package, or
    species_classifier in the repository) one package knows kinds and groups, at the cost of one.
    """
    from uncia.commands.training_runs import check_output_folder, progress_bars
    from uncia.training.animal_or_not.recipe import train_group_model
    from uncia.training.datasets.reading import read_dataset
    from uncia.triton_models.packages.loading import open_package

    check_output_folder(out)
    with progress_bars(shown=not as_json) as tell:
        data = read_dataset(source, kind)
        made = train_group_model(
            data,
            out.resolve(),
            beside=open_package(beside) if beside else None,
            precision=precision,
            seed=seed,
            cache=cache,
            progress=tell,
        )
    card = made.package.card
    told = [entry for entry in card.labels.classes if entry.label == entry.group]
    if as_json:
        thresholds = {entry.label: entry.threshold for entry in told}
        facts = {"folder": str(out), "model": card.model, "label_set": card.label_set}
        echo_json({**facts, "thresholds": thresholds, "figures": made.figures})
        return
    table = Table("group", "taxon", "threshold", "calibrated")
    for entry in told:
        threshold = "none keeps the promise" if entry.threshold is None else f"{entry.threshold:g}"
        table.add_row(entry.label, entry.taxon, threshold, "yes" if entry.calibration else "no")
    plain_console().print(table)
    for name, each in made.figures.items():
        echo(f"{name}: {each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f}) on test bursts")
    echo(f"{card.model}: {len(card.labels.classes)} classes, {out}")
