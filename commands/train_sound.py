"""`uncia train sound` and `uncia data draw-calls`."""

from pathlib import Path
from typing import Annotated

import typer

from uncia.terminal import echo, echo_json

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def sound(
    source: Annotated[Path, typer.Argument(help="Folder with a folder of WAV or FLAC files for each class.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the model package; its name becomes the model's.")],
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 30,
    seed: Annotated[int, typer.Option(help="Random seed of the training.")] = 0,
    as_json: Json = False,
) -> None:
    """Train an audio classifier on folders of recordings, with one call in each. See docs/sound.md.

    A quarter of each class is held out; the accuracy is that on these recordings.
    """
    from dataclasses import asdict

    from uncia.commands.training_runs import progress_bars
    from uncia.training.sound.recipe import SoundSettings, train_sound

    with progress_bars(shown=not as_json) as progress:
        result = train_sound(source, out, SoundSettings(epochs=epochs, seed=seed), progress)
    if as_json:
        echo_json({"package": str(out), **asdict(result)})
        return
    for problem in result.unreadable:
        echo(f"left out: {problem}")
    echo(f"accuracy {result.accuracy:.3f} on {result.held_out} held-out recordings, trained on {result.trained_on}")
    for name, recall in result.recall.items():
        echo(f"  {name}: {recall:.0%} of its held-out recordings")
    echo(f"Package written: {out}. `uncia models install {out} --name audio_classifier` installs it.")


def draw_calls(
    folder: Annotated[Path, typer.Argument(help="Output folder; must not exist or must be empty.")],
    each: Annotated[int, typer.Option(min=4, help="Recordings of each class.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed writes the same files.")] = 1,
    as_json: Json = False,
) -> None:
    """Synthesise calls of four fictitious animals, and noise, as WAV files in folders named by class.

    For trying `uncia train sound`. Figures measured on them do not estimate accuracy in the field.
    """
    from uncia.training.sound.synthesis import draw_calls as draw

    count = draw(folder, each, seed)
    if as_json:
        echo_json({"folder": str(folder), "recordings": count})
    else:
        echo(f"{count:,} recordings written to {folder}")
