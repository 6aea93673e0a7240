"""`uncia models frame`: encode a photograph as an inference request, for Triton clients without Uncia's code."""

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
    photograph: Annotated[Path | None, typer.Argument(help="JPEG file to preprocess.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the input tensor's bytes to this file.")
    ] = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="Print the JSON part of a request for this output; `WINDOWS=3` requests its three best classes."
        ),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print the URL path of the live version.")] = False,
    repository: Repository = None,
) -> None:
    """Preprocess a photograph for an HTTP inference request, as the workers do. See docs/predict-service.md."""
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
        sys.stdout.write(json.dumps(_head_of(card, pixels.shape, head)))


def _head_of(card: ModelCard, shape: tuple[int, ...], outputs: list[str]) -> dict[str, Any]:
    """Return the JSON of a request in Triton's binary format; `NAME=k` requests the k best classes."""
    requested = []
    for name, _, best in (output.partition("=") for output in outputs):
        requested.append({"name": name, "parameters": {"classification": int(best)} if best else {}})
    tensor = {"name": card.input, "datatype": "UINT8", "shape": [1, *shape]}
    return {"inputs": [{**tensor, "parameters": {"binary_data_size": math.prod(shape)}}], "outputs": requested}
