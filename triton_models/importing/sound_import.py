"""Make a package from a user's ONNX audio classifier and its description, such as BirdNET's or Perch's.

The description is a small TOML, YAML or JSON file:

kind = "sound"
name = "valley_birds"           the model's name in the repository
labels = "labels.csv"           relative to this file; see `class_list`. Labels `Turdus merula_Blackbird` are split
source = "where it comes from"  and licence = "…": shown on its card

[sound]
input = "waveform"              or "mel": what the graph takes
sample_rate = 48000             Hz
window_s = 3.0                  length of a window
hop_s = 1.5                     from one window to the next
                                and for "mel": fft, mels, columns, low_hz, high_hz, range_db; see `SoundSpec`
[output]
kind = "sigmoid"                one probability for each class by itself; or "logits" (softmax), or "probabilities"
tensor = "scores"               only where the graph has several outputs

A graph that takes a waveform gets float samples from -1 to 1, [batch, samples]; one that takes mel spectrograms gets
them from 0 to 1, [batch, 1, mels, columns], as `uncia.sound.spectrogram` draws them.
"""

import re
from pathlib import Path
from typing import Any, Literal

import onnx
from onnx import ModelProto, TensorProto, checker, compose, helper
from pydantic import ConfigDict

from uncia.camtrap.vocabulary import category_of
from uncia.serving.labels import LabelClass, LabelSet
from uncia.serving.model_card import ModelCard
from uncia.sound.spec import SoundSpec
from uncia.triton_models.importing.class_list import read_labels
from uncia.triton_models.importing.description import StrictModel, read_fields
from uncia.triton_models.importing.graph_refusals import describe_weights
from uncia.triton_models.importing.wrapping import (
    NUMBERS,
    PREFIX,
    allow_any_batch,
    check_opset,
    check_output,
    class_outputs,
    load_graph,
    part_model,
    the_tensor,
)
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.loading import PackageError
from uncia.triton_models.packages.validation import ModelRefused, ValidatedPackage, open_graph, validate_package
from uncia.triton_models.packages.writing import render_page, write_package
from uncia.triton_models.releases.installation import validate_model_name

__all__ = ["SoundDescription", "make_sound_package", "sound_labels", "wrap_sound"]

_SCIENTIFIC_AND_COMMON = re.compile(r"([A-Z][a-z-]+ [a-z-]+)_(.+)")
_NOISES = frozenset({"Engine", "Environmental", "Fireworks", "Gun", "Noise", "Power tools", "Siren"})
"""First halves of BirdNET's labels (V2.4) of what is neither an animal nor a person."""


class _Sound(SoundSpec):
    """As `SoundSpec`, and a misspelt field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Output(StrictModel):
    kind: Literal["sigmoid", "logits", "probabilities"]
    tensor: str = ""


class SoundDescription(StrictModel):
    """The content of the file."""

    kind: Literal["sound"]
    name: str
    labels: Path
    sound: _Sound
    output: _Output
    source: str = ""
    licence: str = ""


def make_sound_package(graph: Path, description: Path, out: Path) -> ValidatedPackage[ModelCard]:
    """Wrap the graph and write it as a package into `out`. Raises `ModelRefused` with the problem in one sentence."""
    described = read_fields(description, SoundDescription)
    name = validate_model_name(described.name)
    labels = sound_labels(read_labels(description.parent / described.labels, name, described.source))
    spec = SoundSpec.model_validate(described.sound.model_dump())
    wrapped = wrap_sound(graph, spec, described.output.kind, described.output.tensor, len(labels.classes))
    try:
        write_package(
            out,
            wrapped,
            model=name,
            frame=spec.frame,
            labels=labels,
            weights=describe_weights(graph, described.source),
            licence=described.licence,
            page=_page(described, graph, len(labels.classes)),
            sound=spec,
        )
        package = validate_package(out)
    except (PackageError, ModelRefused) as error:
        raise ModelRefused(f"{graph}: {str(error).replace(f'{out}/model.onnx', 'wrapped')}") from error
    assert isinstance(package.card, ModelCard)
    return ValidatedPackage(package.folder, package.card, package.page)


def sound_labels(labels: LabelSet) -> LabelSet:
    """The labels, with `Turdus merula_Eurasian Blackbird` split into taxon and label.

    Where both halves are equal, as in `Dog_Dog`, there is no taxon. Sounds of people are persons, so that their
    spectrograms are withheld; BirdNET's noises, such as `Engine_Engine`, are nothing, also where the second half is
    translated.
    """
    return labels.model_copy(update={"classes": tuple(map(_split, labels.classes))})


def _split(entry: LabelClass) -> LabelClass:
    first, _, second = entry.label.partition("_")
    changes: dict[str, Any] = {}
    if first == second:
        changes = {"label": first}
    elif found := _SCIENTIFIC_AND_COMMON.fullmatch(entry.label):
        changes = {"taxon": found[1], "label": found[2]}
    group = entry.group
    if group == "animal" and first == second:
        group = category_of(first) or group
    if group == "animal" and any(map(_is_person, (entry.label, first, second))):
        group = "person"
    elif group == "animal" and first in _NOISES:
        group = "nothing"
    if group == "person":
        changes["taxon"] = "Homo sapiens"
    elif group != "animal":
        changes["taxon"] = ""
    return entry.model_copy(update={**changes, "group": group})


def _is_person(name: str) -> bool:
    return category_of(name) == "person" or name.lower().startswith("human")


def wrap_sound(
    path: Path, spec: SoundSpec, kind: Literal["sigmoid", "logits", "probabilities"], output: str, classes: int
) -> bytes:
    """The serialised graph that takes a FRAME as `SoundSpec` carries it. Raises `ModelRefused`."""
    if not path.is_file():
        raise ModelRefused(f"there is no ONNX file at {path}")
    session = open_graph(path)
    tensor = the_tensor(session.get_inputs(), "", "input", path)
    scores = the_tensor(session.get_outputs(), output, "output", path)
    wanted = [1, spec.mels, spec.columns] if spec.input == "mel" else [spec.samples]
    shape = list(tensor.shape)[1:]
    if tensor.type not in ("tensor(float)", "tensor(float16)", "tensor(double)") or len(shape) != len(wanted):
        raise ModelRefused(
            f"{path}: {tensor.name} is {tensor.type} {tensor.shape}, and must be [batch, {wanted}] floats"
        )
    if any(isinstance(size, int) and size != expected for size, expected in zip(shape, wanted, strict=True)):
        raise ModelRefused(f"{path}: {tensor.name} is {tensor.shape}, and the description gives [batch, {wanted}]")
    check_output(scores, classes, path)
    imported = load_graph(path)
    check_opset(imported, path)
    allow_any_batch(imported)
    try:
        inner = compose.add_prefix(imported, PREFIX)
        before, after = _preparation(tensor, spec, inner), class_outputs(scores, kind, inner, classes)
        joined = compose.merge_models(before, inner, io_map=[("ready", PREFIX + tensor.name)])
        wrapped = compose.merge_models(
            joined, after, io_map=[(PREFIX + scores.name, "raw")], outputs=["WHOLE", "WINDOWS", "PLACES"]
        )
        wrapped.producer_name = "uncia"
        return bytes(wrapped.SerializeToString())
    except (ValueError, checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(f"{path} cannot be wrapped: {describe_error(error)}") from error


def _preparation(tensor: Any, spec: SoundSpec, inner: ModelProto) -> ModelProto:
    """From the bytes of a frame to what the graph takes."""
    frame, number = spec.frame, NUMBERS[tensor.type]

    def integers(name: str, *values: int) -> TensorProto:
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    def constant(name: str, value: float) -> TensorProto:
        return helper.make_tensor(name, TensorProto.FLOAT, [1], [value])

    cast = helper.make_node("Cast", ["FRAME"], ["bytes"], to=TensorProto.FLOAT)
    if spec.input == "mel":
        shape: list[Any] = ["batch", 1, spec.mels, spec.columns]
        weights = [integers("first", 0), integers("channel", 1), integers("axis", 3), constant("white", 255.0)]
        nodes = [
            cast,
            helper.make_node("Slice", ["bytes", "first", "channel", "axis"], ["one"]),
            helper.make_node("Transpose", ["one"], ["rows"], perm=[0, 3, 1, 2]),
            helper.make_node("Div", ["rows", "white"], ["values"]),
        ]
    else:
        shape = ["batch", spec.samples]
        size = 2 * spec.samples
        weights = [
            integers("flat_shape", 0, -1),
            integers("low_at", 0),
            integers("high_at", 1),
            integers("size", size),
            integers("axis", 1),
            integers("step", 2),
            constant("byte", 256.0),
            constant("sign", 32_768.0),
            constant("range", 65_536.0),
            constant("loudest", 32_767.0),
        ]
        nodes = [
            cast,
            helper.make_node("Reshape", ["bytes", "flat_shape"], ["carried"]),
            helper.make_node("Slice", ["carried", "low_at", "size", "axis", "step"], ["low"]),
            helper.make_node("Slice", ["carried", "high_at", "size", "axis", "step"], ["high"]),
            helper.make_node("Mul", ["high", "byte"], ["shifted"]),
            helper.make_node("Add", ["shifted", "low"], ["unsigned"]),
            # Two's complement: from half of the range on, the number is negative.
            helper.make_node("Less", ["unsigned", "sign"], ["positive"]),
            helper.make_node("Sub", ["unsigned", "range"], ["below"]),
            helper.make_node("Where", ["positive", "unsigned", "below"], ["signed"]),
            helper.make_node("Div", ["signed", "loudest"], ["values"]),
        ]
    nodes.append(helper.make_node("Cast", ["values"], ["ready"], to=number))
    return part_model(
        nodes,
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", frame.height, frame.width, 3])],
        [helper.make_tensor_value_info("ready", number, shape)],
        weights,
        inner,
    )


def _page(described: SoundDescription, graph: Path, classes: int) -> str:
    sound = described.sound
    rows = [
        ("field", "value"),
        ("file", graph.name),
        ("source", described.source or "not given"),
        ("licence", described.licence or "not given"),
        ("classes", f"{classes:,}"),
        ("input", f"{sound.input}, {sound.window_s:g} s at {sound.sample_rate:,} Hz, every {sound.hop_s:g} s"),
        ("output", described.output.kind),
    ]
    text = ["Imported from an ONNX file: it has not been evaluated on your recorders."]
    return render_page(described.name, text, {"Description": rows})
