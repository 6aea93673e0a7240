"""Our nodes around a user's graph: FRAME in; WHOLE, WINDOWS and PLACES out.

In front: bytes as he wants them (channels, scale, mean, deviation, kind of number, layout). Behind: probabilities, as
the whole frame's and, since there is but one window, as each class's best window too, whose place is 0.
"""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, checker, compose, helper

from uncia.triton_models.importing.description import GraphDescription
from uncia.triton_models.packages.graph_errors import MAX_ONNX_BYTES, describe_error
from uncia.triton_models.packages.validation import ModelRefused, open_graph

_NUMBERS = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(uint8)": TensorProto.UINT8,
}
_INSIDE = "theirs/"
_LEAST_OPSET = 11


def wrap(path: Path, description: GraphDescription, classes: int) -> bytes:
    """The graph in the stream's contract, serialised. Raises `ModelRefused` in one sentence."""
    if not path.is_file():
        raise ModelRefused(f"there is no ONNX file at {path}")
    session = open_graph(path)
    taken = _one(session.get_inputs(), description.input.tensor, "input", path)
    given = _one(session.get_outputs(), description.output.tensor, "output", path)
    _check_input(taken, description, path)
    _check_output(given, classes, path)
    theirs = _load(path)
    opset = {entry.domain or "": entry.version for entry in theirs.opset_import}.get("", 0)
    if opset < _LEAST_OPSET:
        raise ModelRefused(f"{path} speaks ONNX opset {opset}; export it with {_LEAST_OPSET} or later")
    _any_batch(theirs)
    try:
        inner = compose.add_prefix(theirs, _INSIDE)
        before = _before(taken, description, inner)
        behind = _behind(given, description, inner, classes)
        joined = compose.merge_models(before, inner, io_map=[("ready", _INSIDE + taken.name)])
        whole = compose.merge_models(
            joined, behind, io_map=[(_INSIDE + given.name, "raw")], outputs=["WHOLE", "WINDOWS", "PLACES"]
        )
        whole.producer_name = "uncia"
        return bytes(whole.SerializeToString())
    except (ValueError, checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(f"{path} cannot be wrapped: {describe_error(error)}") from error


def _one(tensors: list[Any], name: str, what: str, path: Path) -> Any:
    """The tensor that is meant."""
    found = [tensor for tensor in tensors if not name or tensor.name == name]
    if len(found) == 1 and (what == "output" or len(tensors) == 1):
        return found[0]
    names = ", ".join(tensor.name for tensor in tensors)
    if what == "input" and len(tensors) > 1:
        raise ModelRefused(f"{path} takes {len(tensors)} inputs ({names}); a classifier takes one, the picture")
    raise ModelRefused(f"{path} has the {what}s {names}: let {what}.tensor in the description name one of them")


def _check_input(tensor: Any, description: GraphDescription, path: Path) -> None:
    frame, layout = description.frame, description.input.layout
    if tensor.type not in _NUMBERS:
        raise ModelRefused(f"{path}: {tensor.name} is {tensor.type}; float and uint8 pictures can be made for it")
    if tensor.type == "tensor(uint8)" and not description.input.plain:
        raise ModelRefused(
            f"{path}: {tensor.name} takes bytes, so scale, mean and std must be left out of the description"
        )
    wanted = {"NCHW": (3, frame.height, frame.width), "NHWC": (frame.height, frame.width, 3)}[layout]
    shape = list(tensor.shape)
    fits = len(shape) == 4 and all(
        size == ours or not isinstance(size, int) for size, ours in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        raise ModelRefused(
            f"{path}: {tensor.name} is {shape}, and the description says {layout}: [batch, {_words(wanted)}]"
        )


def _check_output(tensor: Any, classes: int, path: Path) -> None:
    if tensor.type not in _NUMBERS or tensor.type == "tensor(uint8)":
        raise ModelRefused(f"{path}: {tensor.name} is {tensor.type}, and scores are floating point")
    shape = list(tensor.shape)
    if len(shape) < 2 or any(size != 1 for size in shape[2:] if isinstance(size, int)):
        raise ModelRefused(f"{path}: {tensor.name} is {shape}, and must be [batch, classes]")
    if isinstance(shape[1], int) and shape[1] != classes:
        raise ModelRefused(f"{path} answers {shape[1]:,} classes, and the labels name {classes:,}")


def _load(path: Path) -> ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise ModelRefused(f"{path} is no ONNX file, or not all of one: copy or export it again") from error
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelRefused(
            f"{path} keeps its weights in files beside it: save it as one file, of less than "
            f"{MAX_ONNX_BYTES / 2**30:.0f} GiB"
        )
    # Older files name their weights among the inputs, and merging would take them for such.
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def _any_batch(model: ModelProto) -> None:
    """A graph that was exported for one picture mostly takes any number; whether it does is tried afterwards."""
    for tensor in (*model.graph.input, *model.graph.output):
        if tensor.type.tensor_type.shape.dim:
            tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes that were inferred inside say the old batch.
    del model.graph.value_info[:]


def _before(taken: Any, description: GraphDescription, inner: ModelProto) -> ModelProto:
    wants, frame = description.input, description.frame
    number, kind = _NUMBERS[taken.type], "FRAME"
    nodes, weights = [], []

    def then(operator: str, result: str, *more: str, **attributes: Any) -> None:
        nonlocal kind
        nodes.append(helper.make_node(operator, [kind, *more], [result], **attributes))
        kind = result

    if wants.channels == "BGR":
        weights.append(helper.make_tensor("reversed", TensorProto.INT64, [3], [2, 1, 0]))
        then("Gather", "bgr", "reversed", axis=3)
    if not wants.plain:
        # (pixel * scale - mean) / std as one product and one sum.
        factors = [wants.scale / std for std in wants.std]
        offsets = [-mean / std for mean, std in zip(wants.mean, wants.std, strict=True)]
        weights.append(helper.make_tensor("factors", TensorProto.FLOAT, [3], factors))
        weights.append(helper.make_tensor("offsets", TensorProto.FLOAT, [3], offsets))
        then("Cast", "pixels", to=TensorProto.FLOAT)
        then("Mul", "scaled", "factors")
        then("Add", "normal", "offsets")
    then("Cast", "typed", to=number)
    if wants.layout == "NCHW":
        then("Transpose", "ready", perm=[0, 3, 1, 2])
        shape = ["batch", 3, frame.height, frame.width]
    else:
        then("Identity", "ready")
        shape = ["batch", frame.height, frame.width, 3]
    return _model(
        nodes,
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", frame.height, frame.width, 3])],
        [helper.make_tensor_value_info("ready", number, shape)],
        weights,
        inner,
    )


def _behind(given: Any, description: GraphDescription, inner: ModelProto, classes: int) -> ModelProto:
    nodes = [
        helper.make_node("Cast", ["raw"], ["scores"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["scores"], ["flat"], axis=1),
        helper.make_node("Softmax", ["flat"], ["WHOLE"], axis=1)
        if description.output.kind == "logits"
        else helper.make_node("Identity", ["flat"], ["WHOLE"]),
        helper.make_node("Identity", ["WHOLE"], ["WINDOWS"]),
        # No probability is below -1: a zero for each.
        helper.make_node("Less", ["WHOLE", "least"], ["never"]),
        helper.make_node("Cast", ["never"], ["PLACES"], to=TensorProto.INT32),
    ]
    kinds = (("WHOLE", TensorProto.FLOAT), ("WINDOWS", TensorProto.FLOAT), ("PLACES", TensorProto.INT32))
    return _model(
        nodes,
        [helper.make_tensor_value_info("raw", _NUMBERS[given.type], ["batch", *given.shape[1:]])],
        [helper.make_tensor_value_info(name, kind, ["batch", classes]) for name, kind in kinds],
        [helper.make_tensor("least", TensorProto.FLOAT, [1], [-1.0])],
        inner,
    )


def _model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any], inner: ModelProto
) -> ModelProto:
    """A model that can be merged with theirs: it speaks the same opsets."""
    graph = helper.make_graph(nodes, "uncia", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=list(inner.opset_import))
    model.ir_version = inner.ir_version
    return model


def _words(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
