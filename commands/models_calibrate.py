"""`uncia models calibrate`: fit thresholds and calibration on labelled data."""

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
    source: Annotated[
        Path, typer.Argument(help="Labelled data: class folders, Camtrap DP, COCO Camera Traps, or a table.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new package.")],
    false_alarms: Annotated[int | None, typer.Option(help="Target: at most this many false alarms per class.")] = None,
    precision: Annotated[float | None, typer.Option(help="Target: minimum precision of each class, 0 to 1.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Use all of the data; only if the model was trained on none of it.")
    ] = False,
    kind: Annotated[str, typer.Option(help="Format: auto, folders, camtrap-dp, coco or table.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the split: use that of the training to get the same subsets.")] = 1,
    as_json: Json = False,
) -> None:
    """Fit the threshold and calibration of each class on held-out bursts and write a package with them.

    By default a threshold allows no false alarm on the held-out bursts. Classes that fewer than three bursts show
    remain unchanged.
    """
    from uncia.training.calibration.calibrated_package import write_calibrated_package
    from uncia.training.calibration.label_set_calibration import ThresholdTarget
    from uncia.training.datasets.reading import read_dataset
    from uncia.training.datasets.splits import split
    from uncia.training.offline_inference.inference import score_images
    from uncia.training.progress import progress_bar
    from uncia.triton_models.packages.loading import open_package

    if false_alarms is not None and precision is not None:
        raise SettingsError("use either --false-alarms or --precision, not both")
    if precision is not None and not 0 < precision <= 1:
        raise SettingsError(f"--precision {precision}: must be above 0 and at most 1")
    target = (
        ThresholdTarget(precision) if precision is not None else ThresholdTarget(at_most_false_alarms=false_alarms or 0)
    )
    opened = open_package(package)
    data = read_dataset(source, kind)
    pictures = data.samples if everything else split(data, seed=seed).held_out
    with progress_bar(f"running the model on {len(pictures)} pictures", shown=not as_json) as progress:
        scores = score_images(opened, pictures, progress)
    written, calibrations = write_calibrated_package(out, opened, scores, target, data.source)
    if as_json:
        result = {"folder": str(out), "label_set": written.card.label_set, "unreadable": len(scores.unreadable)}
        echo_json({**result, "classes": [asdict(entry) for entry in calibrations]})
        return
    table = Table("class", "threshold", "found", "false alarms", "calibrated")
    for entry in calibrations:
        threshold = "none meets the target" if entry.threshold is None else f"{entry.threshold:g}"
        found, alarms = f"{entry.found} of {entry.present}", f"{entry.false_alarms} of {entry.absent}"
        table.add_row(entry.label, threshold, found, alarms, "yes" if entry.calibrated else "no")
    plain_console().print(table)
    echo(f"{written.card.model} with the label set {written.card.label_set}: {out}")
