"""Make a package from a user's ONNX embedder and its description, such as MiewID's.

The description is a small TOML, YAML or JSON file:

kind = "embedder"
name = "miewid"                 the model's name in the repository
taxa = ["Panthera uncia"]       whose individuals it distinguishes, with everything below them; omit for any
sides = ["left", "right"]       sides of the animal that it was trained on; omit for any
source = "where it comes from"  and licence, trained_on, notes: shown on its card

[input]
width = 440                     size that a crop is brought to
height = 440
fit = "stretch"                 or "letterbox", in the middle; fill = 0 is the grey value of the border
layout = "NCHW"                 or "NHWC"; and channels, scale, mean, std and tensor, as of a classifier

[output]
dimensions = 2152               numbers of a vector
normalised = false              true where the graph returns vectors of unit length
tensor = "embedding"            only where the graph has several outputs
"""

from pathlib import Path
from typing import Any, Literal

import onnx
from onnx import ModelProto, TensorProto, checker, compose, helper
from pydantic import Field, PositiveInt

from uncia.events import AnimalSide
from uncia.serving.embedder_card import EmbedderCard
from uncia.triton_models.importing.description import FrameDescription, InputDescription, StrictModel, read_fields
from uncia.triton_models.importing.graph_refusals import describe_weights, refusing_graph
from uncia.triton_models.importing.wrapping import (
    NUMBERS,
    PREFIX,
    allow_any_batch,
    check_opset,
    check_pixels,
    check_rows,
    load_graph,
    part_model,
    pixel_preparation,
    the_tensor,
)
from uncia.triton_models.packages.embedder_writing import OUTPUT, write_embedder_package
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage, open_graph, validate_package
from uncia.triton_models.packages.writing import Provenance, render_page
from uncia.triton_models.releases.installation import validate_model_name

__all__ = ["EmbedderDescription", "make_embedder_package", "wrap_embedder"]


class _Input(InputDescription):
    """The pixels that the graph expects, and how a crop is laid into them."""

    width: PositiveInt = Field(le=4096)
    height: PositiveInt = Field(le=4096)
    fit: Literal["stretch", "letterbox"] = "stretch"
    fill: int = Field(default=0, ge=0, le=255)


class _Output(StrictModel):
    dimensions: int = Field(ge=2, le=100_000)
    normalised: bool
    tensor: str = ""


class EmbedderDescription(StrictModel):
    """The content of the file."""

    kind: Literal["embedder"]
    name: str
    taxa: tuple[str, ...] = ()
    sides: tuple[AnimalSide, ...] = ()
    input: _Input
    output: _Output
    source: str = ""
    licence: str = ""
    trained_on: str = ""
    notes: str = ""

    @property
    def frame(self) -> FrameDescription:
        """The frame that clients send: a crop has no strips to cut off."""
        return FrameDescription(width=self.input.width, height=self.input.height, crop_top=0, crop_bottom=0)


def make_embedder_package(graph: Path, description: Path, out: Path) -> ValidatedPackage[EmbedderCard]:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` with the problem in one sentence."""
    described = read_fields(description, EmbedderDescription)
    name = validate_model_name(described.name)
    wrapped = wrap_embedder(graph, described)
    weights = describe_weights(graph, described.source)
    with refusing_graph(graph, out):
        card = write_embedder_package(
            out,
            wrapped,
            model=name,
            frame=described.frame.spec,
            dimensions=described.output.dimensions,
            normalised=described.output.normalised,
            fit=described.input.fit,
            fill=described.input.fill,
            taxa=described.taxa,
            sides=described.sides,
            origin=Provenance(weights, described.licence, described.trained_on, described.notes),
            page=_page(described, graph),
        )
        package = validate_package(out)
    return ValidatedPackage(package.folder, card, package.page)


def wrap_embedder(path: Path, description: EmbedderDescription) -> bytes:
    """The serialised graph that takes a FRAME and returns an EMBEDDING. Raises `ModelRefused`."""
    if not path.is_file():
        raise ModelRefused(f"there is no ONNX file at {path}")
    session = open_graph(path)
    tensor = the_tensor(session.get_inputs(), description.input.tensor, "input", path)
    vector = the_tensor(session.get_outputs(), description.output.tensor, "output", path)
    check_pixels(tensor, description, path)
    _check_vector(vector, description.output.dimensions, path)
    imported = load_graph(path)
    check_opset(imported, path)
    allow_any_batch(imported)
    try:
        inner = compose.add_prefix(imported, PREFIX)
        before = pixel_preparation(tensor, description, inner)
        joined = compose.merge_models(before, inner, io_map=[("ready", PREFIX + tensor.name)])
        after = _vector_output(vector, inner, description.output.dimensions)
        wrapped = compose.merge_models(joined, after, io_map=[(PREFIX + vector.name, "raw")], outputs=[OUTPUT])
        wrapped.producer_name = "uncia"
        return bytes(wrapped.SerializeToString())
    except (ValueError, checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(f"{path} cannot be wrapped: {describe_error(error)}") from error


def _check_vector(tensor: Any, dimensions: int, path: Path) -> None:
    stated = check_rows(tensor, "numbers", path)
    if isinstance(stated, int) and stated != dimensions:
        raise ModelRefused(
            f"{path}: {tensor.name} has {stated:,} numbers, and the description says output.dimensions = {dimensions:,}"
        )


def _vector_output(tensor: Any, inner: ModelProto, dimensions: int) -> ModelProto:
    nodes = [
        helper.make_node("Cast", ["raw"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], [OUTPUT], axis=1),
    ]
    return part_model(
        nodes,
        [helper.make_tensor_value_info("raw", NUMBERS[tensor.type], ["batch", *tensor.shape[1:]])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dimensions])],
        [],
        inner,
    )


def _page(described: EmbedderDescription, graph: Path) -> str:
    pixels, output = described.input, described.output
    rows = [
        ("field", "value"),
        ("file", graph.name),
        ("source", described.source or "not given"),
        ("licence", described.licence or "not given"),
        ("trained on", described.trained_on or "not given"),
        ("taxa", ", ".join(described.taxa) or "any"),
        ("sides", ", ".join(side.value for side in described.sides) or "any"),
        ("input", f"crops, {pixels.fit} to {pixels.width} x {pixels.height}"),
        (
            "pixels",
            f"{pixels.channels}, {pixels.layout}, times {pixels.scale:g}, minus {pixels.mean}, divided by {pixels.std}",
        ),
        ("vector", f"{output.dimensions:,} numbers" + (", of unit length" if output.normalised else "")),
    ]
    text = ["Imported from an ONNX file: it has not been evaluated on your animals.", described.notes]
    return render_page(described.name, [line for line in text if line], {"Description": rows})
