"""Model packages of a few hundred bytes that meet the stream's contract, each with other weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import LabelClass, LabelSet
from uncia.triton_models.packages.loading import OpenPackage
from uncia.triton_models.packages.writing import write_package

FRAME = FrameSpec(width=128, height=96, window=64, stride=32)
LABELS = ("fox", "lynx", "empty")


def label_set(labels: tuple[str, ...] = LABELS) -> LabelSet:
    groups = {"empty": "nothing", "nothing": "nothing", "person": "person", "vehicle": "vehicle"}
    classes = [
        LabelClass.model_validate({"index": at, "label": label, "taxon": "", "group": groups.get(label, "animal")})
        for at, label in enumerate(labels)
    ]
    return LabelSet(name="tiny", classes=tuple(classes))


def tiny_graph(frame: FrameSpec, classes: int, seed: int, opset: int = 17) -> bytes:
    """Features: the mean of 32 x 32 pixels. Windows: their mean over 2 x 2. A class weights red, green, blue."""
    weights = np.random.default_rng(seed).normal(size=(classes, 3, 1, 1)).astype(np.float32) * 8
    whole_only = frame.grid == (1, 1)
    constants = {
        "scale": np.float32(1 / 255),
        "weights": weights,
        "shape": np.array([0, classes, -1], dtype=np.int64),
        "axis": np.array([2, 3], dtype=np.int64),
    }
    window = {"kernel_shape": [2, 2], "strides": [1, 1]}
    nodes = [
        helper.make_node("Cast", ["FRAME"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["pixels"]),
        helper.make_node("AveragePool", ["pixels"], ["features"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("GlobalAveragePool", ["features"], ["mean"]),
        helper.make_node("Conv", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["chance"], axis=1),
        helper.make_node("Flatten", ["chance"], ["WHOLE"]),
        helper.make_node("GlobalAveragePool" if whole_only else "AveragePool", ["features"], ["pooled"])
        if whole_only
        else helper.make_node("AveragePool", ["features"], ["pooled"], **window),
        helper.make_node("Conv", ["pooled", "weights"], ["each"]),
        helper.make_node("Softmax", ["each"], ["chances"], axis=1),
        helper.make_node("Reshape", ["chances", "shape"], ["flat"]),
        helper.make_node("ReduceMax", ["flat"], ["WINDOWS"], axes=[2], keepdims=0),
        helper.make_node("ArgMax", ["flat"], ["place"], axis=2, keepdims=0),
        helper.make_node("Cast", ["place"], ["PLACES"], to=TensorProto.INT32),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", frame.height, frame.width, 3])],
        [
            helper.make_tensor_value_info("WHOLE", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("WINDOWS", TensorProto.FLOAT, ["batch", classes]),
            helper.make_tensor_value_info("PLACES", TensorProto.INT32, ["batch", classes]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def tiny_package(
    folder: Path, seed: int, *, labels: tuple[str, ...] = LABELS, frame: FrameSpec = FRAME, opset: int = 17
) -> OpenPackage:
    return write_package(
        folder,
        tiny_graph(frame, len(labels), seed, opset),
        model="tiny",
        frame=frame,
        labels=label_set(labels),
        weights="drawn",
        licence="CC0-1.0",
        page="",
    )


def some_frames(frame: FrameSpec, count: int = 3) -> np.ndarray:
    """Coloured patches of 16 pixels: no two windows alike, and not the same mirrored."""
    patches = np.random.default_rng(9).integers(
        0, 256, (count, frame.height // 16 + 1, frame.width // 16 + 1, 3), np.uint8
    )
    return patches.repeat(16, axis=1).repeat(16, axis=2)[:, : frame.height, : frame.width]
