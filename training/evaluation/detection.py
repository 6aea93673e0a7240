"""Metrics of detections: average precision, recall at a rate of false positives, overlap. Pure NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""(N, 4): x, y, width, height as shares of the photograph."""


@dataclass(frozen=True)
class FrameDetections:
    """The detections and the true boxes of one frame, of one category or of all."""

    boxes: Boxes
    scores: NDArray[np.float64]
    """(N,), in descending order."""
    true_boxes: Boxes
    """(G, 4); none in a blank frame."""

    @property
    def best_score(self) -> float:
        """The highest score; 0 without a detection."""
        return float(self.scores.max(initial=0.0))


@dataclass(frozen=True)
class MatchedDetections:
    """All detections of a set of frames, best first, each a hit or a false positive."""

    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    objects: int
    """True boxes."""
    frames: int


def iou_matrix(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union of each of (N, 4) with each of (M, 4): (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    common = (high - low).clip(0).prod(axis=2)
    areas = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None]
    overlaps: NDArray[np.float64] = common / np.maximum(areas - common, 1e-12)
    return overlaps


def match_detections(frames: Sequence[FrameDetections], overlap: float = 0.5) -> MatchedDetections:
    """Match greedily, best score first, as PASCAL VOC and COCO do: each true box is found once at most."""
    scores: list[float] = []
    hits: list[bool] = []
    for frame in frames:
        overlaps = iou_matrix(frame.boxes, frame.true_boxes)
        free = np.ones(len(frame.true_boxes), bool)
        for number in np.argsort(-frame.scores, kind="stable"):
            own = np.where(free, overlaps[number], -1.0)
            best = int(own.argmax()) if len(own) else -1
            hit = best >= 0 and own[best] >= overlap
            if hit:
                free[best] = False
            scores.append(float(frame.scores[number]))
            hits.append(bool(hit))
    order = np.argsort(-np.array(scores), kind="stable")
    objects = sum(len(frame.true_boxes) for frame in frames)
    return MatchedDetections(np.array(scores)[order], np.array(hits, bool)[order], objects, len(frames))


def average_precision(matched: MatchedDetections) -> float:
    """Area under the curve of precision over recall, interpolated at all points; NaN without true boxes."""
    if not matched.objects:
        return float("nan")
    if not len(matched.hits):
        return 0.0
    found = np.cumsum(matched.hits)
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * matched.hits).sum() / matched.objects)


def recall_at_false_positives(matched: MatchedDetections, per_frame: float) -> float:
    """Recall at the threshold with at most this many false positives per frame; NaN without true boxes."""
    if not matched.objects:
        return float("nan")
    false = np.cumsum(~matched.hits)
    # Detections of equal score pass a threshold together.
    ends = np.flatnonzero(np.append(np.diff(matched.scores) < 0, True)) if len(false) else np.zeros(0, np.int64)
    allowed = ends[false[ends] <= per_frame * matched.frames]
    return float(matched.hits[: allowed[-1] + 1].sum() / matched.objects) if len(allowed) else 0.0


def best_box_overlaps(frames: Sequence[FrameDetections]) -> NDArray[np.float64]:
    """The overlap of each frame's best detection with a true box; 0 without a detection. Blank frames are left out."""
    overlaps = []
    for frame in frames:
        if len(frame.true_boxes):
            best = frame.scores.argmax() if len(frame.scores) else None
            overlaps.append(0.0 if best is None else float(iou_matrix(frame.boxes[[best]], frame.true_boxes).max()))
    return np.array(overlaps)


def blank_auc(scores: NDArray[np.float64], shows: NDArray[np.bool_]) -> float:
    """Area under the curve of the frames that show something against blank ones; NaN without one or the other."""
    if shows.all() or not shows.any():
        return float("nan")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(shows, scores))
