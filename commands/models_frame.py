"""`uncia models frame`: a photograph as the model's input bytes, for clients of Triton without Uncia's code."""

import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from uncia.commands.model_options import Repository, settings_with
from uncia.errors import SettingsError, UnciaError
from uncia.serving.model_card import ModelCard, read_active_card
from uncia.terminal import echo

app = typer.Typer()


@app.command("frame")
def frame(
    photograph: Annotated[Path | None, typer.Argument(help="A JPEG file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the frame's bytes.")] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(help="Print the JSON head of a request for this output; `WINDOWS=3` for its three best classes."),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print the path under which Triton serves the version.")] = False,
    repository: Repository = None,
) -> None:
    """Prepare a photograph for an HTTP request to the live version, as the stream does. See docs/predict-service.md."""
    card = read_active_card(settings_with(repository))
    if path:
        echo(f"v2/models/{card.model}/versions/{card.version}")
        return
    if photograph is None or output is None:
        raise SettingsError("name a photograph and, with --output, the file for its frame")
    from uncia.imaging.frames import decode_frame

    try:
        pixels = decode_frame(photograph.read_bytes(), card.frame, max_pixels=150_000_000).pixels
        output.write_bytes(pixels.tobytes())
    except OSError as error:
        raise UnciaError(f"{error.filename}: {error.strerror}") from error
    if head:
        # No newline: the request's header states the length of the head in bytes.
        sys.stdout.write(json.dumps(head_of(card, pixels.shape, head)))


def head_of(card: ModelCard, shape: tuple[int, ...], outputs: list[str]) -> dict[str, Any]:
    """The JSON before one frame's bytes, by Triton's binary extension; `NAME=k` requests the k best classes."""
    requested = []
    for name, _, best in (output.partition("=") for output in outputs):
        requested.append({"name": name, "parameters": {"classification": int(best)} if best else {}})
    tensor = {"name": card.input, "datatype": "UINT8", "shape": [1, *shape]}
    return {"inputs": [{**tensor, "parameters": {"binary_data_size": math.prod(shape)}}], "outputs": requested}
