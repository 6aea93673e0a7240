"""Class-activation maps come from the package's own graph, or are refused with one sentence."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.packages import SMALL, write_package
from uncia.events import ExplanationMethod
from uncia.training.class_activation import class_activation
from uncia.triton_models.packages.loading import PackageError, open_package

CLASSES = 4


def write_convolution(path: Path) -> None:
    """Features: the mean colour of tiles of 32 pixels; a linear head over their mean, whose class 0 looks for red."""
    weights = np.zeros((CLASSES, 3, 1, 1), np.float32)
    weights[0, 0], weights[1, 1], weights[2, 2] = 0.1, 0.1, 0.1
    nodes = [
        helper.make_node("Cast", ["FRAME"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["tiles"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Relu", ["tiles"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Conv", ["pooled", "weights"], ["scores"]),
        helper.make_node("Flatten", ["scores"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["WHOLE"], axis=1),
        helper.make_node("Identity", ["WHOLE"], ["WINDOWS"]),
        helper.make_node("Mul", ["WHOLE", "zero"], ["none"]),
        helper.make_node("Cast", ["none"], ["PLACES"], to=TensorProto.INT32),
    ]
    kinds = (("WHOLE", TensorProto.FLOAT), ("WINDOWS", TensorProto.FLOAT), ("PLACES", TensorProto.INT32))
    graph = helper.make_graph(
        nodes,
        "tiles",
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, ["batch", SMALL.height, SMALL.width, 3])],
        [helper.make_tensor_value_info(name, kind, ["batch", CLASSES]) for name, kind in kinds],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.zeros(1, np.float32), "zero")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def test_the_map_is_highest_where_the_class_is(tmp_path: Path) -> None:
    write_package(tmp_path / "package", classes=CLASSES)
    write_convolution(tmp_path / "package" / "model.onnx")
    pixels = np.full((SMALL.height, SMALL.width, 3), 40, np.uint8)
    pixels[32:, 64:, 0] = 250
    found = class_activation(open_package(tmp_path / "package"), pixels, 0)
    assert found.method is ExplanationMethod.CLASS_ACTIVATION
    assert (len(found.weights), found.samples, found.r2) == (6, 1, None)
    (box,) = found.boxes
    assert box.box == pytest.approx((2 / 3, 1 / 2, 1 / 3, 1 / 2))


def test_a_graph_without_a_linear_head_over_feature_maps_is_refused(tmp_path: Path) -> None:
    write_package(tmp_path / "package", classes=CLASSES)
    pixels = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
    with pytest.raises(PackageError, match="no linear head over pooled features"):
        class_activation(open_package(tmp_path / "package"), pixels, 0)
