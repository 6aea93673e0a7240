"""Class-activation maps (Zhou et al. 2016) of a model package: the class's weights applied at every feature.

One inference instead of hundreds, and only for graphs whose head is a linear layer over pooled features, which the
served outputs do not show: so the graph is read from the package's file, and the stream has no such maps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import how_to_install
from uncia.events import ExplanationMethod
from uncia.explaining.boxes import find_boxes
from uncia.explaining.explanation import Explanation, ScoresUnsound
from uncia.explaining.perturbations import grid_segments
from uncia.imaging.frames import Pixels
from uncia.triton_models.packages.loading import OpenPackage, PackageError, open_session

_POOLING = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean"})


@dataclass(frozen=True)
class _LinearHead:
    """Where a graph has its features, and the weights of its classes."""

    features: str
    weights: NDArray[np.float32]
    """(classes, D)."""


def class_activation(package: OpenPackage, pixels: Pixels, class_index: int) -> Explanation:
    """The map of one class for a frame uint8 (height, width, 3): how much each feature raises the class's logit above
    the mean of all classes. Raises `PackageError` for a graph without a linear head over pooled features."""
    try:
        import onnx
    except ImportError as error:
        raise PackageError(f"class-activation maps need the package onnx: {how_to_install('models')}") from error
    model = onnx.load(str(package.graph))
    head = _find_head(model, len(package.card.labels.classes))
    if head is None:
        raise _no_map(package)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(head.features))
    session = open_session(model.SerializeToString())
    card = package.card
    windows, features = session.run([card.windows, head.features], {card.input: pixels[None]})
    if features.ndim != 4 or features.shape[1] != head.weights.shape[1]:
        raise _no_map(package)
    rows, columns = features.shape[2:]
    centred = head.weights[class_index] - head.weights.mean(axis=0)
    weights = np.einsum("d,dyx->yx", centred, features[0]).astype(np.float64).ravel()
    if not np.isfinite(weights).all():
        raise ScoresUnsound("the model returned NaN or infinite features: build it again with `uncia models build`")
    segments = grid_segments(pixels.shape[0], pixels.shape[1], rows, columns)
    score = float(windows[0, class_index])
    boxes = find_boxes(segments, weights)
    return Explanation(ExplanationMethod.CLASS_ACTIVATION, segments, weights, score, 1, boxes)


def _no_map(package: OpenPackage) -> PackageError:
    return PackageError(
        f"{package.graph} has no linear head over pooled features, so there is no class-activation map: use "
        "--method lime or occlusion"
    )


def _find_head(model: object, classes: int) -> _LinearHead | None:
    """The 1 x 1 convolution or matrix of the classes that reads pooled features."""
    import onnx

    graph = model.graph  # type: ignore[attr-defined]
    initial = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or len(node.input) < 2 or node.input[1] not in initial:
            continue
        matrix = np.squeeze(onnx.numpy_helper.to_array(initial[node.input[1]]))
        if node.op_type == "MatMul" and matrix.ndim == 2:
            matrix = matrix.T
        pooled = producers.get(node.input[0])
        if pooled is not None and pooled.op_type == "Flatten":
            pooled = producers.get(pooled.input[0])
        if matrix.ndim == 2 and len(matrix) == classes and pooled is not None and pooled.op_type in _POOLING:
            return _LinearHead(pooled.input[0], matrix.astype(np.float32))
    return None
