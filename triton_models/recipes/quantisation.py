"""int8 instead of float32 in the convolutions of a YOLOX detector: half of the CPU time for nearly the same boxes.

Static quantisation as ONNX Runtime does it, with what was found to matter for this network (`docs/benchmarks.md`):

- The stem and the first stage stay in float32: their activations reach 130 while most are below 1.
- What enters a SiLU is cut off at `LOWEST`: far below zero the result is 0 in any case, and those values would take
  half of the 256 levels. With full ranges the area under the curve falls from 0.955 to 0.908 on one camera.
- Weights have 7 bits and a scale per channel. On CPUs without VNNI, sums of 8 bits overflow, and boxes get lost.
- The last layers, from which boxes and scores are computed, stay in float32.

Needs the extra `models`; no code that serves imports this module.
"""

import csv
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto

from uncia.imaging.frames import Pixels

LOWEST = -6.0
"""SiLU(-6) is -0.015."""

_SILU_LOWEST = -0.2785
_TABLE = "megadetector_lite_ranges.csv"
_NETWORK = "/network/"
_FLOAT32 = ("/stem/", "/dark2/", "preds", "/head/Concat")
_TYPES = ("Conv", "Sigmoid", "Mul", "Concat", "MaxPool", "Add", "Resize")
_OUTLIERS = 100_000
"""One value of so many may exceed a range: a single bright cell would cost all others their resolution."""


def published_ranges() -> dict[str, float]:
    """By tensor, the highest activation of MegadetectorLite, as `measure_ranges` found it."""
    with files("uncia.triton_models.recipes").joinpath(_TABLE).open(encoding="utf-8") as file:
        return {row["tensor"]: float(row["highest"]) for row in csv.DictReader(file)}


def measure_ranges(graph: bytes, frames: Iterable[Pixels]) -> dict[str, float]:
    """The highest output of every block (SiLU or addition) for frames uint8 (height, width, 3): all but one value in
    100,000 of each frame, and the maximum over the frames. For `quantise`."""
    model = onnx.load_model_from_string(graph)
    names = _blocks(model)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    highest = dict.fromkeys(names, 0.0)
    for frame in frames:
        for name, values in zip(names, session.run(names, {"FRAME": frame[None]}), strict=True):
            place = values.size - 1 - values.size // _OUTLIERS
            highest[name] = max(highest[name], float(np.partition(values.ravel(), place)[place]))
    return highest


def quantise(graph: bytes, highest: Mapping[str, float]) -> bytes:
    """A float32 graph of `detector_graph` with convolutions in int8.

    `highest` has the highest activation by tensor, as `measure_ranges` returns it. Raises `ValueError` for a tensor of
    the graph that is missing there.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph))
    kept = [node.name for node in model.graph.node if node.op_type in _TYPES and not _is_quantised(node)]
    ranges = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in _ranges(model, highest).items()
    }
    quantizer: Any = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=kept,
        op_types_to_quantize=list(_TYPES),
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantised: bytes = quantizer.model.model.SerializeToString()
    return quantised


def _is_quantised(node: NodeProto) -> bool:
    return node.name.startswith(_NETWORK) and not any(part in node.name for part in _FLOAT32)


def _blocks(model: ModelProto) -> list[str]:
    """The outputs of SiLUs and additions, in the order of the graph."""
    sigmoids = {output for node in model.graph.node if node.op_type == "Sigmoid" for output in node.output}
    return [
        node.output[0]
        for node in model.graph.node
        if node.name.startswith(_NETWORK)
        and (node.op_type == "Add" or (node.op_type == "Mul" and not sigmoids.isdisjoint(node.input)))
    ]


def _ranges(model: ModelProto, highest: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every tensor of the network."""
    blocks = _blocks(model)
    if missing := sorted(set(blocks) - highest.keys()):
        raise ValueError(f"there are no ranges for {len(missing)} tensors of the graph, such as {missing[0]}")
    found: dict[str, tuple[float, float]] = {}
    for node in model.graph.node:
        inputs = [found[name] for name in node.input if name in found]
        if node.output[0] in blocks and node.op_type == "Mul":
            top = highest[node.output[0]]
            # A SiLU: x, sigmoid(x), and their product.
            found |= {node.input[0]: (LOWEST, top), node.input[1]: (0.0, 1.0), node.output[0]: (_SILU_LOWEST, top)}
        elif node.output[0] in blocks:
            found[node.output[0]] = (2 * _SILU_LOWEST, highest[node.output[0]])
        elif node.op_type in ("Concat", "MaxPool", "Resize") and inputs:
            found[node.output[0]] = (min(low for low, _ in inputs), max(high for _, high in inputs))
    return found
