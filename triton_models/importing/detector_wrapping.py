"""Add nodes around a user's detector: FRAME in; BOXES, SCORES and CATEGORIES out.

Before it: the frame laid into the network's input, and the pixels that it expects. After it: boxes in shares of the
frame, the best score of each category, suppression, and a fixed number of boxes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, checker, compose

from uncia.triton_models.detectors import CATEGORIES
from uncia.triton_models.detectors.onnx_builder import FLOAT, UINT8, OnnxBuilder, tensor
from uncia.triton_models.detectors.postprocessing import Suppression, add_outputs
from uncia.triton_models.importing.detector_description import DetectorDescription
from uncia.triton_models.importing.wrapping import NUMBERS, PREFIX, allow_any_batch, load_graph
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.validation import ModelRefused, open_graph

_MIN_OPSET = 13
_OUTPUTS = ["BOXES", "SCORES", "CATEGORIES"]


@dataclass(frozen=True)
class _Outputs:
    """The outputs of the user's graph that are used, and the number of boxes; -1 where the graph leaves it open."""

    boxes: Any
    scores: Any
    """The same tensor as `boxes` where one holds both."""
    candidates: int


def wrap_detector(path: Path, description: DetectorDescription) -> bytes:
    """The serialised graph that meets the contract. Raises `ModelRefused` with the problem in one sentence."""
    if not path.is_file():
        raise ModelRefused(f"there is no ONNX file at {path}")
    session = open_graph(path)
    input_tensor = _only_input(session, description, path)
    outputs = _chosen_outputs(session, description, path)
    imported = load_graph(path)
    opset = {entry.domain or "": entry.version for entry in imported.opset_import}.get("", 0)
    if opset < _MIN_OPSET:
        raise ModelRefused(f"{path} has ONNX opset {opset}; export it with {_MIN_OPSET} or later")
    allow_any_batch(imported)
    try:
        inner = compose.add_prefix(imported, PREFIX)
        before = _preparation(input_tensor, description, inner, opset)
        after = _decoding(outputs, description, inner, opset)
        joined = compose.merge_models(before, inner, io_map=[("ready", PREFIX + input_tensor.name)])
        names = {"raw_boxes": outputs.boxes.name, "raw_scores": outputs.scores.name}
        used = [entry.name for entry in after.graph.input]
        io_map = [(PREFIX + names[name], name) for name in used]
        wrapped = compose.merge_models(joined, after, io_map=io_map, outputs=_OUTPUTS)
        wrapped.producer_name = "uncia"
        return bytes(wrapped.SerializeToString())
    except (ValueError, checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(f"{path} cannot be wrapped: {describe_error(error)}") from error


def _only_input(session: Any, description: DetectorDescription, path: Path) -> Any:
    tensors = session.get_inputs()
    names = ", ".join(entry.name for entry in tensors)
    if len(tensors) != 1:
        raise ModelRefused(
            f"{path} takes {len(tensors)} inputs ({names}); a detector must have one, the picture: export it without "
            "the sizes of the photographs"
        )
    found = tensors[0]
    if description.input.tensor not in ("", found.name):
        raise ModelRefused(f"{path} has no input {description.input.tensor}; it has {names}")
    if found.type not in NUMBERS:
        raise ModelRefused(f"{path}: {found.name} is {found.type}; only float and uint8 inputs are supported")
    if found.type == "tensor(uint8)" and not description.input.raw_bytes:
        raise ModelRefused(f"{path}: {found.name} takes bytes, so remove scale, mean and std from the description")
    width, height = description.input_size
    wanted = (3, height, width) if description.input.layout == "NCHW" else (height, width, 3)
    if not _fits(found.shape, (None, *wanted)):
        sizes = ", ".join(map(str, wanted))
        raise ModelRefused(
            f"{path}: {found.name} is {list(found.shape)}, and the description says "
            f"{description.input.layout}: [batch, {sizes}]"
        )
    return found


def _chosen_outputs(session: Any, description: DetectorDescription, path: Path) -> _Outputs:
    tensors = {entry.name: entry for entry in session.get_outputs()}
    output, classes = description.output, len(description.categories)
    if output.kind == "yolo":
        found = _by_name(tensors, output.tensor, "tensor", path)
        columns = 4 + output.objectness + classes
        shape = (None, columns, None) if output.layout == "channels-first" else (None, None, columns)
        _check(found, shape, f"{columns} numbers per box ({classes} categories)", path)
        candidates = found.shape[2 if output.layout == "channels-first" else 1]
        return _Outputs(found, found, _count(candidates))
    boxes = _by_name(tensors, output.boxes, "boxes", path)
    scores = _by_name(tensors, output.scores_tensor, "scores_tensor", path)
    _check(boxes, (None, None, 4), "[batch, boxes, 4]", path)
    _check(scores, (None, None, classes), f"[batch, boxes, {classes}] ({classes} categories)", path)
    counts = {_count(entry.shape[1]) for entry in (boxes, scores)} - {-1}
    if len(counts) > 1:
        raise ModelRefused(f"{path}: {boxes.name} and {scores.name} differ in the number of boxes")
    return _Outputs(boxes, scores, counts.pop() if counts else -1)


def _by_name(tensors: dict[str, Any], name: str, field: str, path: Path) -> Any:
    if not name and len(tensors) == 1:
        return next(iter(tensors.values()))
    if name not in tensors:
        raise ModelRefused(
            f"{path} has the outputs {', '.join(tensors)}: set output.{field} in the description to one of them"
        )
    return tensors[name]


def _check(found: Any, shape: tuple[int | None, ...], meaning: str, path: Path) -> None:
    if found.type not in NUMBERS or found.type == "tensor(uint8)":
        raise ModelRefused(f"{path}: {found.name} is {found.type}, and must be floating point")
    if not _fits(found.shape, shape):
        raise ModelRefused(f"{path}: {found.name} is {list(found.shape)}, and the description says {meaning}")


def _fits(shape: Any, wanted: tuple[int | None, ...]) -> bool:
    """Dimensions that the graph leaves open, and those where anything may stand, fit."""
    return len(shape) == len(wanted) and all(
        expected is None or size == expected or not isinstance(size, int)
        for size, expected in zip(shape, wanted, strict=True)
    )


def _count(size: Any) -> int:
    return size if isinstance(size, int) else -1


def _preparation(found: Any, description: DetectorDescription, inner: ModelProto, opset: int) -> ModelProto:
    builder, wants, frame = OnnxBuilder(opset, "before/"), description.input, description.frame
    current = "FRAME"
    if wants.channels == "BGR":
        current = builder.add("Gather", current, builder.constant([2, 1, 0], np.int64), axis=3)
    current = builder.cast(builder.add("Transpose", current, perm=[0, 3, 1, 2]), FLOAT)
    x, y, inner_width, inner_height = description.placement
    if (inner_width, inner_height) != (frame.width, frame.height):
        scales = builder.constant([1.0, 1.0, inner_height / frame.height, inner_width / frame.width])
        current = builder.add("Resize", current, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    width, height = description.input_size
    if (inner_width, inner_height) != (width, height):
        border = [0, 0, y, x, 0, 0, height - inner_height - y, width - inner_width - x]
        current = builder.add("Pad", current, builder.constant(border, np.int64), builder.constant(wants.fill))
    if not wants.raw_bytes:
        # (pixel * scale - mean) / std as one product and one sum.
        factors = np.array([wants.scale / std for std in wants.std]).reshape(1, 3, 1, 1)
        offsets = np.array([-mean / std for mean, std in zip(wants.mean, wants.std, strict=True)]).reshape(1, 3, 1, 1)
        current = builder.add("Add", builder.add("Mul", current, builder.constant(factors)), builder.constant(offsets))
    current = builder.cast(current, NUMBERS[found.type])
    shape: list[int | str]
    if wants.layout == "NCHW":
        builder.add("Identity", current, output="ready")
        shape = ["batch", 3, height, width]
    else:
        builder.add("Transpose", current, perm=[0, 2, 3, 1], output="ready")
        shape = ["batch", height, width, 3]
    return builder.model(
        [tensor("FRAME", UINT8, ["batch", frame.height, frame.width, 3])],
        [tensor("ready", NUMBERS[found.type], shape)],
        opsets=list(inner.opset_import),
        ir_version=inner.ir_version,
    )


def _decoding(outputs: _Outputs, description: DetectorDescription, inner: ModelProto, opset: int) -> ModelProto:
    builder, output = OnnxBuilder(opset, "after/"), description.output
    inputs = [tensor("raw_boxes", NUMBERS[outputs.boxes.type], ["batch", *outputs.boxes.shape[1:]])]
    boxes = builder.cast("raw_boxes", FLOAT)
    if output.kind == "yolo":
        if output.layout == "channels-first":
            boxes = builder.add("Transpose", boxes, perm=[0, 2, 1])
        first_class = 4 + output.objectness
        scores = builder.columns(boxes, first_class, first_class + len(description.categories), 2)
        whole, boxes = boxes, builder.columns(boxes, 0, 4, 2)
        objects = builder.columns(whole, 4, 5, 2) if output.objectness else ""
    else:
        inputs.append(tensor("raw_scores", NUMBERS[outputs.scores.type], ["batch", *outputs.scores.shape[1:]]))
        scores, objects = builder.cast("raw_scores", FLOAT), ""
    if output.scores == "logits":
        scores = builder.add("Sigmoid", scores)
        objects = builder.add("Sigmoid", objects) if objects else ""
    if objects:
        scores = builder.add("Mul", scores, objects)
    how = Suppression(output.iou, description.threshold / 5, output.suppression)
    corners = _corners_of_frame(builder, boxes, description)
    added = add_outputs(builder, corners, _by_category(builder, scores, description), outputs.candidates, how)
    return builder.model(inputs, added, opsets=list(inner.opset_import), ir_version=inner.ir_version)


def _by_category(builder: OnnxBuilder, scores: str, description: DetectorDescription) -> str:
    """The best score of each of `CATEGORIES` (B, K, 3); 0 for those that the network does not know."""
    columns = []
    for category in CATEGORIES:
        indices = [index for index, name in enumerate(description.categories) if name == category]
        if indices:
            chosen = builder.add("Gather", scores, builder.constant(indices, np.int64), axis=2)
            columns.append(builder.maximum_over(chosen, 2) if len(indices) > 1 else chosen)
        else:
            columns.append(builder.add("Mul", builder.columns(scores, 0, 1, 2), builder.constant(0.0)))
    return builder.add("Concat", *columns, axis=2)


def _corners_of_frame(builder: OnnxBuilder, boxes: str, description: DetectorDescription) -> str:
    """Corners (B, K, 4) in shares of the frame."""
    first, second = builder.columns(boxes, 0, 2, 2), builder.columns(boxes, 2, 4, 2)
    if description.output.format == "centre":
        half = builder.add("Mul", second, builder.constant(0.5))
        first, second = builder.add("Sub", first, half), builder.add("Add", first, half)
    elif description.output.format == "corner":
        second = builder.add("Add", first, second)
    corners = builder.add("Concat", first, second, axis=2)
    x, y, width, height = description.placement
    side = np.array([1.0, 1.0] if description.output.units == "pixels" else description.input_size)
    scale = np.tile(side / np.array([width, height]), 2)
    moved = np.tile(-np.array([x, y]) / np.array([width, height]), 2)
    return builder.add("Add", builder.add("Mul", corners, builder.constant(scale)), builder.constant(moved))
