"""Add nodes around a user's graph: FRAME in; WHOLE, WINDOWS and PLACES out.

Before it: the pixels that it expects (channels, scale, mean, deviation, data type, layout). After it: probabilities, as
WHOLE and, since there is only one window, also as WINDOWS, whose index is 0.
"""

from pathlib import Path
from typing import Any, Literal

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, checker, compose, helper

from uncia.triton_models.importing.description import DescribesPixels, GraphDescription
from uncia.triton_models.packages.graph_errors import MAX_ONNX_BYTES, describe_error
from uncia.triton_models.packages.validation import ModelRefused, open_graph

NUMBERS = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(uint8)": TensorProto.UINT8,
}
PREFIX = "imported/"
_MIN_OPSET = 11


def wrap(path: Path, description: GraphDescription, classes: int) -> bytes:
    """The serialised graph that meets the stream's contract. Raises `ModelRefused` with the problem in one sentence."""
    if not path.is_file():
        raise ModelRefused(f"there is no ONNX file at {path}")
    session = open_graph(path)
    input_tensor = the_tensor(session.get_inputs(), description.input.tensor, "input", path)
    output_tensor = the_tensor(session.get_outputs(), description.output.tensor, "output", path)
    check_pixels(input_tensor, description, path)
    check_output(output_tensor, classes, path)
    imported = load_graph(path)
    check_opset(imported, path)
    allow_any_batch(imported)
    try:
        inner = compose.add_prefix(imported, PREFIX)
        before = pixel_preparation(input_tensor, description, inner)
        after = class_outputs(output_tensor, description.output.kind, inner, classes)
        joined = compose.merge_models(before, inner, io_map=[("ready", PREFIX + input_tensor.name)])
        wrapped = compose.merge_models(
            joined, after, io_map=[(PREFIX + output_tensor.name, "raw")], outputs=["WHOLE", "WINDOWS", "PLACES"]
        )
        wrapped.producer_name = "uncia"
        return bytes(wrapped.SerializeToString())
    except (ValueError, checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelRefused(f"{path} cannot be wrapped: {describe_error(error)}") from error


def the_tensor(tensors: list[Any], name: str, what: str, path: Path) -> Any:
    """The only tensor, or the one with this name."""
    found = [tensor for tensor in tensors if not name or tensor.name == name]
    if len(found) == 1 and (what == "output" or len(tensors) == 1):
        return found[0]
    names = ", ".join(tensor.name for tensor in tensors)
    if what == "input" and len(tensors) > 1:
        raise ModelRefused(f"{path} takes {len(tensors)} inputs ({names}); a classifier must have one, the picture")
    raise ModelRefused(f"{path} has the {what}s {names}: set {what}.tensor in the description to one of them")


def check_pixels(tensor: Any, description: DescribesPixels, path: Path) -> None:
    """Raises `ModelRefused` where the graph's input is not what the description says."""
    frame, layout = description.frame, description.input.layout
    if tensor.type not in NUMBERS:
        raise ModelRefused(f"{path}: {tensor.name} is {tensor.type}; only float and uint8 inputs are supported")
    if tensor.type == "tensor(uint8)" and not description.input.raw_bytes:
        raise ModelRefused(f"{path}: {tensor.name} takes bytes, so remove scale, mean and std from the description")
    wanted = {"NCHW": (3, frame.height, frame.width), "NHWC": (frame.height, frame.width, 3)}[layout]
    shape = list(tensor.shape)
    fits = len(shape) == 4 and all(
        size == expected or not isinstance(size, int) for size, expected in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        raise ModelRefused(
            f"{path}: {tensor.name} is {shape}, and the description says {layout}: [batch, {_join(wanted)}]"
        )


def check_output(tensor: Any, classes: int, path: Path) -> None:
    stated = check_rows(tensor, "classes", path)
    if isinstance(stated, int) and stated != classes:
        raise ModelRefused(f"{path} has {stated:,} classes, and the labels file has {classes:,}")


def check_rows(tensor: Any, what: str, path: Path) -> int | str | None:
    """The length that a graph states for the rows of its output: a number, or what it calls an open one.

    Raises `ModelRefused` where the output has no row of floating point numbers for each frame; `what`: of a row.
    """
    if tensor.type not in NUMBERS or tensor.type == "tensor(uint8)":
        raise ModelRefused(f"{path}: {tensor.name} is {tensor.type}, and must be floating point")
    shape = list(tensor.shape)
    if len(shape) < 2 or any(size != 1 for size in shape[2:] if isinstance(size, int)):
        raise ModelRefused(f"{path}: {tensor.name} is {shape}, and must be [batch, {what}]")
    length: int | str | None = shape[1]
    return length


def load_graph(path: Path) -> ModelProto:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise ModelRefused(f"{path} is not ONNX, or incomplete: copy or export it again") from error
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelRefused(
            f"{path} stores its weights in separate files: save it as one file of less than "
            f"{MAX_ONNX_BYTES / 2**30:.0f} GiB"
        )
    # Older files list their weights among the inputs, where merging would treat them as such.
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in model.graph.input if tensor.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def check_opset(model: ModelProto, path: Path) -> None:
    """Raises `ModelRefused` for operators that are too old to be wrapped."""
    opset = {entry.domain or "": entry.version for entry in model.opset_import}.get("", 0)
    if opset < _MIN_OPSET:
        raise ModelRefused(f"{path} has ONNX opset {opset}; export it with {_MIN_OPSET} or later")


def allow_any_batch(model: ModelProto) -> None:
    """Most graphs that were exported for one picture accept any number; the package's validation tests that."""
    for tensor in (*model.graph.input, *model.graph.output):
        if tensor.type.tensor_type.shape.dim:
            tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Inferred inner shapes contain the old batch size.
    del model.graph.value_info[:]


def pixel_preparation(tensor: Any, description: DescribesPixels, inner: ModelProto) -> ModelProto:
    """From the bytes of a frame to the pixels that the graph expects."""
    wants, frame = description.input, description.frame
    number, current = NUMBERS[tensor.type], "FRAME"
    nodes, weights = [], []

    def then(operator: str, result: str, *more: str, **attributes: Any) -> None:
        nonlocal current
        nodes.append(helper.make_node(operator, [current, *more], [result], **attributes))
        current = result

    if wants.channels == "BGR":
        weights.append(helper.make_tensor("reversed", TensorProto.INT64, [3], [2, 1, 0]))
        then("Gather", "bgr", "reversed", axis=3)
    if not wants.raw_bytes:
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
    return part_model(
        nodes,
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", frame.height, frame.width, 3])],
        [helper.make_tensor_value_info("ready", number, shape)],
        weights,
        inner,
    )


def class_outputs(
    tensor: Any, kind: Literal["logits", "sigmoid", "probabilities"], inner: ModelProto, classes: int
) -> ModelProto:
    """WHOLE, WINDOWS and PLACES from the graph's output: softmax of logits, sigmoids of independent ones, or as is."""
    operator: tuple[str, dict[str, Any]] = {
        "logits": ("Softmax", {"axis": 1}),
        "sigmoid": ("Sigmoid", {}),
        "probabilities": ("Identity", {}),
    }[kind]
    nodes = [
        helper.make_node("Cast", ["raw"], ["scores"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["scores"], ["flat"], axis=1),
        helper.make_node(operator[0], ["flat"], ["WHOLE"], **operator[1]),
        helper.make_node("Identity", ["WHOLE"], ["WINDOWS"]),
        # No probability is below -1, so this is 0 for every class.
        helper.make_node("Less", ["WHOLE", "least"], ["never"]),
        helper.make_node("Cast", ["never"], ["PLACES"], to=TensorProto.INT32),
    ]
    kinds = (("WHOLE", TensorProto.FLOAT), ("WINDOWS", TensorProto.FLOAT), ("PLACES", TensorProto.INT32))
    return part_model(
        nodes,
        [helper.make_tensor_value_info("raw", NUMBERS[tensor.type], ["batch", *tensor.shape[1:]])],
        [helper.make_tensor_value_info(name, kind, ["batch", classes]) for name, kind in kinds],
        [helper.make_tensor("least", TensorProto.FLOAT, [1], [-1.0])],
        inner,
    )


def part_model(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any], inner: ModelProto
) -> ModelProto:
    """A model that can be merged with the imported one: it has the same opsets."""
    graph = helper.make_graph(nodes, "uncia", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=list(inner.opset_import))
    model.ir_version = inner.ir_version
    return model


def _join(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
