"""Suppression in the graph keeps the boxes that a plain implementation keeps; unsound scores reach the client."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from uncia.triton_models.detectors import BOXES_PER_FRAME
from uncia.triton_models.detectors.onnx_builder import FLOAT, OnnxBuilder, checked_bytes, tensor
from uncia.triton_models.detectors.postprocessing import Suppression, add_outputs

HOW = Suppression(iou=0.5, min_score=0.1)


def run(corners: NDArray[Any], scores: NDArray[Any], how: Suppression = HOW, opset: int = 17) -> list[NDArray[Any]]:
    builder = OnnxBuilder(opset)
    outputs = add_outputs(builder, "corners", "scores", corners.shape[1], how)
    inputs = [
        tensor("corners", FLOAT, ["batch", *corners.shape[1:]]),
        tensor("scores", FLOAT, ["batch", *scores.shape[1:]]),
    ]
    session = onnxruntime.InferenceSession(
        checked_bytes(builder.model(inputs, outputs)), providers=["CPUExecutionProvider"]
    )
    found: list[NDArray[Any]] = session.run(
        ["BOXES", "SCORES", "CATEGORIES"],
        {"corners": corners.astype(np.float32), "scores": scores.astype(np.float32)},
    )
    return found


def kept(corners: NDArray[Any], scores: NDArray[Any]) -> list[int]:
    """Indices of the boxes that remain, best first."""
    best = scores.max(axis=1)
    chosen: list[int] = []
    for index in np.argsort(-best, kind="stable"):
        if best[index] <= HOW.min_score:
            break
        if all(overlap(corners[index], corners[other]) <= HOW.iou for other in chosen):
            chosen.append(int(index))
    return chosen[:BOXES_PER_FRAME]


def overlap(first: NDArray[Any], second: NDArray[Any]) -> float:
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - common)


@pytest.mark.parametrize("candidates", [1, 31, 32, 200, 900])
@pytest.mark.parametrize("opset", [13, 17, 18])
def test_the_graph_keeps_the_best_of_overlapping_boxes(candidates: int, opset: int) -> None:
    rng = np.random.default_rng(candidates)
    first = rng.uniform(0, 0.7, (2, candidates, 2))
    corners = np.concatenate([first, first + rng.uniform(0.05, 0.3, first.shape)], axis=2).astype(np.float32)
    # More candidates than enter suppression: those that do not have low scores.
    scores = rng.uniform(0, 1, (2, candidates, 3)) * (np.arange(candidates) < 250)[None, :, None]
    boxes, values, categories = run(corners, scores, opset=opset)
    assert boxes.shape == (2, BOXES_PER_FRAME, 4)
    for frame in range(2):
        expected = kept(corners[frame], scores[frame])
        assert (values[frame] > 0).sum() == len(expected)
        for row, index in enumerate(expected):
            box = corners[frame, index]
            assert boxes[frame, row] == pytest.approx([*box[:2], *(box[2:] - box[:2])], abs=1e-6)
            assert values[frame, row] == pytest.approx(scores[frame, index].max(), abs=1e-6)
            assert categories[frame, row] == scores[frame, index].argmax()


def test_rows_without_a_detection_are_zero() -> None:
    boxes, scores, categories = run(np.full((1, 40, 4), 0.5), np.full((1, 40, 2), 0.05))
    assert not boxes.any() and not scores.any() and not categories.any()


def test_boxes_are_clipped_to_the_frame() -> None:
    boxes, _, _ = run(np.array([[[-0.5, -1, 0.25, 2.0]]]), np.array([[[0.9]]]))
    assert boxes[0, 0] == pytest.approx([0, 0, 0.25, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("candidates", [20, 400])
def test_an_unsound_score_makes_all_scores_of_its_frame_nan_and_of_no_other(
    bad: float, enabled: bool, candidates: int
) -> None:
    corners = np.tile(np.array([0.1, 0.1, 0.4, 0.4]), (2, candidates, 1))
    scores = np.full((2, candidates, 3), 0.3)
    scores[0, 7, 1] = bad
    _, values, _ = run(corners, scores, Suppression(0.5, 0.1, enabled))
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1]).all()


def test_without_suppression_equal_boxes_remain() -> None:
    corners = np.tile(np.array([0.1, 0.1, 0.4, 0.4]), (1, 300, 1))
    _, values, _ = run(corners, np.full((1, 300, 3), 0.3), Suppression(enabled=False))
    assert (values > 0).sum() == BOXES_PER_FRAME
