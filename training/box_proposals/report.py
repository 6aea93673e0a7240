"""How well proposed boxes fit true ones, by source and merged."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from uncia.events.values import Box
from uncia.training.box_proposals.making import ProposedFrame
from uncia.training.box_proposals.proposal import clean
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.evaluation.detection import iou_matrix

_MATCH = 0.5


def compare_with_truth(
    frames: Sequence[ProposedFrame], truth: Mapping[Path, Sequence[Box]], names: Sequence[str], *, seed: int
) -> dict[str, dict[str, Interval]]:
    """By source and for `merged`: recall at an overlap of 0.5, mean overlap, and boxes per frame.

    Over the true boxes of the frames in `truth`; intervals over bursts. Empty without any.
    """
    known = [frame for frame in frames if truth.get(frame.sample.path) and not frame.blank]
    figures: dict[str, dict[str, Interval]] = {}
    for name in (*names, "merged"):
        overlaps: list[float] = []
        bursts: list[str] = []
        counts: list[float] = []
        for frame in known:
            boxes = _boxes(frame, name)
            counts.append(float(len(boxes)))
            true = np.array(truth[frame.sample.path], np.float64).reshape(-1, 4)
            best = iou_matrix(true, boxes).max(axis=1) if len(boxes) else np.zeros(len(true))
            overlaps += best.tolist()
            bursts += [frame.sample.burst] * len(true)
        if overlaps:
            values = np.array(overlaps)
            figures[name] = {
                "recall at IoU 0.5": bootstrap_interval(values >= _MATCH, bursts, seed=seed),
                "mean IoU": bootstrap_interval(values, bursts, seed=seed),
                "boxes per frame": bootstrap_interval(
                    np.array(counts), [frame.sample.burst for frame in known], seed=seed
                ),
            }
    return figures


def _boxes(frame: ProposedFrame, name: str) -> np.ndarray:
    if name == "merged":
        boxes = [one.box for one in frame.boxes]
    else:
        boxes = [one.box for one in clean(frame.proposals) if one.source == name]
    return np.array(boxes, np.float64).reshape(-1, 4)
