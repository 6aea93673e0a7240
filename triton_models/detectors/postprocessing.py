"""The last part of a detector's graph: non-maximum suppression, and a fixed number of boxes per frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from uncia.triton_models.detectors import BOXES_PER_FRAME
from uncia.triton_models.detectors.onnx_builder import FLOAT, INT32, OnnxBuilder, tensor

MAX_CANDIDATES = 300
"""Boxes of a frame that enter suppression: those with the highest scores. Bounds its time, which is quadratic."""


@dataclass(frozen=True)
class Suppression:
    """How overlapping boxes are reduced to one."""

    iou: float = 0.5
    """Boxes that overlap more are the same object, whatever their categories."""
    min_score: float = 0.01
    """Boxes below are no detections."""
    enabled: bool = True
    """False for networks that return each object once."""


def add_outputs(builder: OnnxBuilder, corners: str, scores: str, candidates: int, how: Suppression) -> list[Any]:
    """Add BOXES, SCORES and CATEGORIES, and return their descriptions.

    `corners` (B, K, 4) are x1, y1, x2, y2 in shares of the frame, not yet clipped; `scores` (B, K, C) are those of the
    C categories; `candidates` is K, -1 where it is unknown. A NaN or infinite score anywhere makes all scores of its
    frame NaN, so that a client notices it.
    """
    best = builder.squeeze(builder.maximum_over(scores, 2), 2)
    category = builder.add("ArgMax", scores, axis=2, keepdims=0)
    # Times zero: 0, or NaN where any score is NaN or infinite.
    unsound = builder.sum_over(builder.add("Mul", best, builder.constant(0.0)), 1)
    if candidates < BOXES_PER_FRAME:
        # Rows that are never selected, because their score is 0.
        missing = BOXES_PER_FRAME - max(candidates, 0)
        corners = builder.add("Pad", corners, builder.constant([0, 0, 0, 0, missing, 0], np.int64))
        best = builder.add("Pad", best, builder.constant([0, 0, 0, missing], np.int64))
        category = builder.add("Pad", category, builder.constant([0, 0, 0, missing], np.int64))
    if candidates > MAX_CANDIDATES:
        best, order = builder.best(best, MAX_CANDIDATES)
        corners, category = builder.take_rows(corners, order), builder.take_values(category, order)
    corners = builder.add("Clip", corners, builder.constant(0.0), builder.constant(1.0))
    kept = _suppress(builder, corners, best, how) if how.enabled else _not_below(builder, best, how.min_score)
    top, index = builder.best(kept, BOXES_PER_FRAME)
    found = builder.add("Greater", top, builder.constant(0.0))
    boxes = builder.take_rows(corners, index)
    first, last = builder.columns(boxes, 0, 2), builder.columns(boxes, 2, 4)
    sized = builder.add("Concat", first, builder.add("Sub", last, first), axis=2)
    builder.add("Mul", sized, builder.unsqueeze(builder.cast(found, FLOAT), 2), output="BOXES")
    builder.add("Add", top, unsound, output="SCORES")
    categories = builder.cast(builder.take_values(category, index), INT32)
    builder.add("Where", found, categories, builder.constant(0, np.int32), output="CATEGORIES")
    return output_tensors()


def output_tensors() -> list[Any]:
    """Names, types and shapes of the three outputs."""
    return [
        tensor("BOXES", FLOAT, ["batch", BOXES_PER_FRAME, 4]),
        tensor("SCORES", FLOAT, ["batch", BOXES_PER_FRAME]),
        tensor("CATEGORIES", INT32, ["batch", BOXES_PER_FRAME]),
    ]


def _suppress(builder: OnnxBuilder, corners: str, best: str, how: Suppression) -> str:
    """Scores (B, K), with 0 for boxes that a better box covers."""
    by_class = builder.unsqueeze(best, 1)
    selected = builder.add(
        "NonMaxSuppression",
        corners,
        by_class,
        builder.constant([BOXES_PER_FRAME], np.int64),
        builder.constant([how.iou]),
        builder.constant([how.min_score]),
    )
    values = builder.add("GatherND", by_class, selected)
    # Not a product with 0, which keeps NaN, and NaN has no place in the order of the scores.
    shape = builder.add("Shape", by_class)
    return builder.squeeze(builder.add("ScatterND", builder.add("ConstantOfShape", shape), selected, values), 1)


def _not_below(builder: OnnxBuilder, scores: str, limit: float) -> str:
    reached = builder.add("GreaterOrEqual", scores, builder.constant(limit))
    return builder.add("Where", reached, scores, builder.constant(0.0))
