"""A detector in a file: one animal box at the brightest thing, and a vehicle, a flat animal and a weak animal."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from uncia.events.detections import DetectionCategory
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.model_versions import CARD_FILE, GRAPH_FILE

FRAME = FrameSpec(width=64, height=32, window=32, crop_top=0.1, crop_bottom=0.3)
BOXES = ((0.0, 0.5, 1.0, 0.5), (0.25, 0.25, 0.5, 0.5), (0.3, 0.3, 0.0, 0.2), (0.1, 0.1, 0.2, 0.2), (0.0, 0.0, 0.1, 0.1))
"""In shares of the frame."""
KINDS = (2, 0, 0, 0, 0)
"""Categories: a vehicle first, then animals."""


def write_detector(folder: Path, *, scores: tuple[float, ...] | None = None) -> Path:
    """A package whose second box, an animal, scores as bright as the frame is, 0 to 1, unless `scores` are given."""
    folder.mkdir(parents=True)
    fixed = (
        np.array([0.9, 0.0, 0.5, 0.03, 0.019], dtype=np.float32)
        if scores is None
        else np.array(scores, dtype=np.float32)
    )
    bright = np.array([0, 0 if scores is not None else 1 / 255, 0, 0, 0], dtype=np.float32)
    weights = {
        "fixed": fixed[None],
        "bright": bright[None],
        "boxes": np.array(BOXES, dtype=np.float32)[None],
        "kinds": np.array(KINDS, dtype=np.int32)[None],
    }
    nodes = [
        helper.make_node("Cast", ["FRAME"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "bright"], ["varied"]),
        helper.make_node("Add", ["varied", "fixed"], ["FOUND_SCORES"]),
        helper.make_node("Identity", ["boxes"], ["FOUND_BOXES"]),
        helper.make_node("Identity", ["kinds"], ["FOUND_KINDS"]),
    ]
    outputs = [
        helper.make_tensor_value_info("FOUND_BOXES", TensorProto.FLOAT, [1, len(BOXES), 4]),
        helper.make_tensor_value_info("FOUND_SCORES", TensorProto.FLOAT, [1, len(BOXES)]),
        helper.make_tensor_value_info("FOUND_KINDS", TensorProto.INT32, [1, len(BOXES)]),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("FRAME", TensorProto.UINT8, [1, FRAME.height, FRAME.width, 3])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    (folder / GRAPH_FILE).write_bytes(content)
    card = DetectorCard(
        model="tiny_detector",
        versions=("1",),
        frame=FRAME,
        boxes="FOUND_BOXES",
        scores="FOUND_SCORES",
        category_indices="FOUND_KINDS",
        categories=tuple(DetectionCategory),
        max_boxes=len(BOXES),
        self_test=DetectorSelfTest(boxes=(), scores=(), categories=()),
        onnx_sha256=hashlib.sha256(content).hexdigest(),
        licence="MIT",
    )
    (folder / CARD_FILE).write_text(card.model_dump_json())
    return folder
