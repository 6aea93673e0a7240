"""`uncia models frame`: a photograph as the bytes that the model takes, for whoever asks Triton without our code."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from uncia.commands.model_options import Repository, settings_with
from uncia.errors import SettingsError, UnciaError
from uncia.serving.model_card import ModelCard, load_model_card
from uncia.terminal import echo

app = typer.Typer()


@app.command("frame")
def frame(
    photograph: Annotated[Path | None, typer.Argument(help="A JPEG.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the frame's bytes go.")] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Print a request's head that asks for this output; `WINDOWS=3` for its three best classes."),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print the path under which Triton serves the version.")] = False,
    repository: Repository = None,
) -> None:
    """Prepare a photograph as the live version wants it: what the stream does, for HTTP. docs/predict-service.md."""
    card = load_model_card(settings_with(repository))
    if path:
        echo(f"v2/models/{card.model}/versions/{card.version}")
        return
    if photograph is None or output is None:
        raise SettingsError("name a photograph and, with --output, where its frame goes")
    from uncia.imaging.frames import read_frame

    try:
        pixels = read_frame(photograph.read_bytes(), card.frame, max_pixels=150_000_000).pixels
        output.write_bytes(pixels.tobytes())
    except OSError as error:
        raise UnciaError(f"{error.filename}: {error.strerror}") from error
    if head:
        # No line's end: every byte of it is counted.
        sys.stdout.write(json.dumps(head_of(card, pixels.shape, head)))


def head_of(card: ModelCard, shape: tuple[int, ...], outputs: list[str]) -> dict[str, Any]:
    """The JSON in front of one frame's bytes, by Triton's binary extension; `NAME=k` asks for the k best classes."""
    size = 1
    for side in shape:
        size *= side
    asked = []
    for name, _, best in (each.partition("=") for each in outputs):
        asked.append({"name": name, "parameters": {"classification": int(best)} if best else {}})
    tensor = {"name": card.input, "datatype": "UINT8", "shape": [1, *shape]}
    return {"inputs": [{**tensor, "parameters": {"binary_data_size": size}}], "outputs": asked}
