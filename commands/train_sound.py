"""`uncia train sound`: train an audio classifier on folders of recordings."""

from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from uncia.sound.spec import SoundSpec
from uncia.terminal import echo, echo_json, plain_console
from uncia.training import TrainingError

if TYPE_CHECKING:
    from uncia.training.sound.recipe import TrainedSound
    from uncia.training.sound.splitting import SplitBy

_SHOWN = 10
_SPLITS: "tuple[SplitBy, ...]" = ("auto", "recorder", "recording")


def sound(
    source: Annotated[
        Path, typer.Argument(help="Folders named by class with WAV or FLAC files; `background` is no class.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model package; its name becomes the model's.")],
    sample_rate: Annotated[int, typer.Option(min=1_000, help="Sample rate of the model, in Hz.")] = 32_000,
    window: Annotated[float, typer.Option(help="Length of a window, in seconds.")] = 3.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next.")] = 1.5,
    low: Annotated[float, typer.Option(help="Lowest frequency, in Hz.")] = 150.0,
    high: Annotated[float, typer.Option(help="Highest frequency, in Hz; at most half of the sample rate.")] = 15_000.0,
    epochs: Annotated[int, typer.Option(min=1, help="Maximum number of epochs.")] = 20,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after this many epochs without a lower validation loss.")
    ] = 5,
    batch: Annotated[int, typer.Option(min=2, help="Windows per batch.")] = 32,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 2e-3,
    windows: Annotated[int, typer.Option(min=1, help="Windows of one recording, at the most.")] = 100,
    split_by: Annotated[
        str,
        typer.Option(
            help="Unit that is never divided between subsets: recording, recorder, or auto (recorder where all are "
            "known and each class has enough)."
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Random seed of the split and the training.")] = 0,
    precision: Annotated[
        float,
        typer.Option(min=0, max=1, help="Target of the thresholds: minimum precision on the validation windows."),
    ] = 0.9,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a small network for calls in sound recordings, with shifted, mixed and noisy variations of them.

    A class needs at least four recordings; no recording is divided between training, thresholds and test.
    """
    from uncia.commands.training_runs import check_output_folder, progress_bars

    name = check_output_folder(out)
    by = next((one for one in _SPLITS if one == split_by), None)
    if by is None:
        raise TrainingError(f"no split by {split_by!r}: use {', '.join(_SPLITS)}")
    try:
        spec = SoundSpec(sample_rate=sample_rate, window_s=window, hop_s=hop, low_hz=low, high_hz=high)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise TrainingError(f"{field + ': ' if field else ''}{problem['msg']}") from error
    # Loads torch: mistakes in the options are reported before.
    from uncia.training.sound.network import SoundTraining
    from uncia.training.sound.recipe import SoundRecipe, train_sound

    training = SoundTraining(epochs=epochs, patience=patience, batch=batch, rate=rate)
    recipe = SoundRecipe(spec, training, by, precision, windows, seed)
    with progress_bars(shown=not as_json) as progress:
        trained = train_sound(source, out.resolve(), name, recipe, progress)
    if as_json:
        echo_json(_as_dict(trained))
    else:
        _print(trained)


def _as_dict(trained: "TrainedSound") -> dict[str, object]:
    figures, card = trained.figures, trained.card
    classes = {
        entry.label: {"threshold": entry.threshold, **asdict(own)}
        for entry, own in zip(card.labels.classes, figures.classes, strict=True)
    }
    return {
        "folder": str(trained.folder),
        "model": card.model,
        "label_set": card.label_set,
        "onnx_sha256": card.onnx_sha256,
        "split_by": trained.split.by,
        "accuracy": figures.accuracy,
        "recordings": figures.recordings,
        "background_windows": figures.background_windows,
        "background_heard": figures.background_heard,
        "classes": classes,
        "unusable": {str(path): why for path, why in sorted(trained.unusable.items())},
    }


def _print(trained: "TrainedSound") -> None:
    figures = trained.figures
    table = Table("class", "threshold", "test recordings", "right", "windows", "heard", "false")
    for entry, own in zip(trained.card.labels.classes, figures.classes, strict=True):
        threshold = "none meets the target" if entry.threshold is None else f"{entry.threshold:g}"
        table.add_row(entry.label, threshold, *map(str, astuple(own)))
    plain_console().print(table)
    echo(f"{figures.accuracy:.1%} of {figures.recordings} held-back recordings are right (split by {trained.split.by})")
    for path, why in sorted(trained.unusable.items())[:_SHOWN]:
        echo(f"left out: {path}: {why}", err=True)
    if len(trained.unusable) > _SHOWN:
        echo(f"left out: {len(trained.unusable) - _SHOWN} more; the card lists them", err=True)
    echo(f"{trained.folder} contains the model {trained.card.model}; its card.html shows the evaluation.")
