"""Write a detector's package atomically: graph, card with the self-test's boxes, and a page for readers."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from uncia.events.detections import DetectionCategory
from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.detector_card import DetectorCard, DetectorSelfTest
from uncia.serving.self_tests import detector_test_frame
from uncia.triton_models.detectors import BOXES_PER_FRAME, CATEGORIES
from uncia.triton_models.packages.graph_errors import describe_error
from uncia.triton_models.packages.loading import PackageError, open_session, overwrite_problem
from uncia.triton_models.packages.writing import Provenance, put_package

OUTPUTS = ["BOXES", "SCORES", "CATEGORIES"]


def write_detector_package(
    out: Path, graph: bytes, *, model: str, frame: FrameSpec, threshold: float, origin: Provenance, page: str
) -> DetectorCard:
    """Write `model.onnx`, its card with the self-test's boxes, and `card.html` to the folder `out`.

    An existing package is replaced. Raises `PackageError` where something else is there, the graph fails, its outputs
    are no numbers, or the disk is full; `out` is then unchanged.
    """
    if problem := overwrite_problem(out):
        raise PackageError(problem)
    card = DetectorCard(
        model=model,
        versions=("1",),
        frame=frame,
        categories=tuple(DetectionCategory(name) for name in CATEGORIES),
        max_boxes=BOXES_PER_FRAME,
        threshold=threshold,
        self_test=_self_test(graph, frame, threshold),
        onnx_sha256=hashlib.sha256(graph).hexdigest(),
        **asdict(origin),
    )
    put_package(out, graph, card, page)
    return card


def _self_test(graph: bytes, frame: FrameSpec, threshold: float) -> DetectorSelfTest:
    session = open_session(graph)
    try:
        boxes, scores, categories = session.run(OUTPUTS, {"FRAME": detector_test_frame(frame)[np.newaxis]})
    except Exception as error:  # ONNX Runtime's errors have no narrower common class
        raise PackageError(f"the graph fails its self-test: {describe_error(error)}") from error
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise PackageError("the graph returns NaN or infinite values for its self-test: export it again")
    if scores.min() < 0 or scores.max() > 1 + 1e-4:
        raise PackageError(
            f"the graph's scores reach from {scores.min():.3g} to {scores.max():.3g}, and must be between 0 and 1; if "
            'they are logits, set output.scores = "logits" in the description'
        )
    found = scores[0] >= threshold
    return DetectorSelfTest(
        boxes=tuple(_box(box) for box in boxes[0][found]),
        scores=tuple(float(score) for score in np.minimum(scores[0][found], 1)),
        categories=tuple(int(category) for category in categories[0][found]),
    )


def _box(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Box:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height
