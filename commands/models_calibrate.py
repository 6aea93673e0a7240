"""`uncia models calibrate`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from uncia.commands.model_options import Json
from uncia.errors import SettingsError
from uncia.terminal import echo, echo_json, plain_console

app = typer.Typer()


@app.command()
def calibrate(
    package: Annotated[Path, typer.Argument(help="A model package, or a version's folder in the repository.")],
    source: Annotated[Path, typer.Argument(help="Data whose truth is known.")],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    false_alarms: Annotated[int | None, typer.Option(help="Bursts that a class may be wrong about.")] = None,
    precision: Annotated[float | None, typer.Option(help="Share of calls that must be right.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Learn on all of it: nothing of it was trained on.")
    ] = False,
    kind: Annotated[str, typer.Option(help="auto, folders, camtrap-dp, coco or table.")] = "auto",
    seed: Annotated[
        int, typer.Option(help="Draws the split: that of the training, so that the sides are the same.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Learn thresholds and calibration of each class on held-out bursts, and write a package that has them.

    By default a threshold allows no false alarm on the held-out bursts. Classes that fewer than three bursts show keep
    what they have.
    """
    from uncia.training.calibration.calibrated_package import write_calibrated_package
    from uncia.training.calibration.label_set_calibration import ThresholdTarget
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.datasets.splits import split
    from uncia.training.offline_inference.inference import score_images
    from uncia.training.progress import progress_bar
    from uncia.triton_models.packages.loading import open_package

    if false_alarms is not None and precision is not None:
        raise SettingsError("promise either --false-alarms or --precision, not both")
    if precision is not None and not 0 < precision <= 1:
        raise SettingsError(f"--precision {precision}: a share above 0, at most 1")
    promise = (
        ThresholdTarget(precision) if precision is not None else ThresholdTarget(at_most_false_alarms=false_alarms or 0)
    )
    opened = open_package(package)
    data = read_dataset(source, kind)
    pictures = data.samples if everything else split(data, seed=seed).held_out
    with progress_bar(f"asking about {len(pictures)} pictures", shown=not as_json) as progress:
        answers = score_images(opened, pictures, progress)
    made, learnt = write_calibrated_package(out, opened, answers, promise, data.source)
    if as_json:
        facts = {"folder": str(out), "label_set": made.card.label_set, "unreadable": len(answers.unreadable)}
        echo_json({**facts, "classes": [asdict(each) for each in learnt]})
        return
    table = Table("class", "threshold", "found", "false alarms", "calibrated")
    for each in learnt:
        threshold = "none keeps the promise" if each.threshold is None else f"{each.threshold:g}"
        found, alarms = f"{each.found} of {each.present}", f"{each.false_alarms} of {each.absent}"
        table.add_row(each.label, threshold, found, alarms, "yes" if each.calibrated else "no")
    plain_console().print(table)
    echo(f"{made.card.model} with the label set {made.card.label_set}: {out}")
