"""How a head reads a frame, and which rows of a photograph teach it.

- `whole`: one row, the mean over the whole frame. The served window is the frame.
- `windows`: the dense pass. Where a box is known, the windows that hold it teach its class, and those far from it teach
  "nothing" where there is such a class. Without a box, the window that the last round's head finds best for the label
  (multiple-instance learning: the label is of the bag, not of the window). A photograph of nothing is nothing in each
  of its windows; the one that fooled the last round counts as much as all the others together.
- `crops`: as `windows`, and where a box is known a crop of it teaches as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from uncia.events.images import Box
from uncia.imaging.frames import FrameSpec
from uncia.training.feature_store.feature_table import FeatureTable
from uncia.training.linear.logistic_regression import LinearClassifier, TrainingRows, class_weights

InputMode = Literal["whole", "windows", "crops"]
INPUT_MODES: tuple[InputMode, ...] = get_args(InputMode)

_HOLDS = 0.6
"""A window holds a box when this share of the box lies in it, or none holds more."""
_FAR = 0.02
"""A window is far from a box when no more of the box than this lies in it."""
_FAR_WEIGHT = 0.5
"""What all far windows of a photograph count together; the animal's own counts 1."""


@dataclass(frozen=True)
class FeatureItem:
    """One photograph, or its crop or its mirror image, as it stands in the table."""

    truth: int
    box: Box | None = None
    crop: bool = False
    """It has one row, of the crop."""


def window_training_rows(
    table: FeatureTable,
    items: Sequence[FeatureItem],
    spec: FrameSpec,
    classes: int,
    lasting: Sequence[int],
    head: LinearClassifier | None,
) -> TrainingRows:
    """What teaches the next round of `windows` or `crops`; `head` is the last round's, None in the first."""
    weights = class_weights(np.array([item.truth for item in items]), classes)
    places: list[int] = []
    truths: list[int] = []
    counts: list[float] = []

    def teach(row: int, truth: int, weight: float) -> None:
        places.append(row)
        truths.append(truth)
        counts.append(weight)

    for at, item in enumerate(items):
        first, weight = int(table.first[at]), float(weights[item.truth])
        windows = range(first + 1, int(table.first[at + 1]))
        if item.crop or not windows:
            teach(first, item.truth, weight)
            continue
        told = None if head is None else log_softmax(head.logits(table.of(at)[1:]))[:, item.truth]
        if item.truth in lasting:
            share = weight / len(windows) * (1 if told is None else 0.5)
            for row in windows:
                teach(row, item.truth, share)
            if told is not None:
                teach(windows[int(told.argmin())], item.truth, weight / 2)
            continue
        if item.box is None:
            teach(first if told is None else windows[int(told.argmax())], item.truth, weight)
            continue
        held = window_coverage(item.box, spec)
        fits = np.flatnonzero(held >= min(_HOLDS, float(held.max())))
        best = held[fits] if told is None else told[fits]
        teach(windows[int(fits[int(best.argmax())])], item.truth, weight)
        far = np.flatnonzero(held <= _FAR)
        if lasting and len(far):
            for place in far:
                teach(windows[int(place)], lasting[0], float(weights[lasting[0]]) * _FAR_WEIGHT / len(far))
    return TrainingRows(np.array(places, np.int64), np.array(truths, np.int64), np.array(counts))


def frame_training_rows(table: FeatureTable, items: Sequence[FeatureItem], classes: int) -> TrainingRows:
    """What teaches `whole`: row 0 of each."""
    truth = np.array([item.truth for item in items], np.int64)
    return TrainingRows(table.first[:-1].copy(), truth, class_weights(truth, classes)[truth])


def score_items(
    table: FeatureTable, head: LinearClassifier, look: InputMode, lasting: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What `DensePass.scores` says of each item: logits (N, C) and WINDOWS (N, C); None: the same as the whole."""
    if not len(table):
        return np.zeros((0, len(head.bias)), np.float32), None
    if look == "whole":
        return np.concatenate([head.logits(table.rows[table.first[a:b]]) for a, b in table.stretches()]), None
    found = []
    for begin, end in table.stretches():
        low = table.first[begin]
        told = log_softmax(head.logits(table.rows[low : table.first[end]]))
        for at in range(begin, end):
            own = told[table.first[at] - low : table.first[at + 1] - low]
            # A crop is its own and only window.
            windows = own[1:] if len(own) > 1 else own
            best = windows.max(axis=0)
            best[list(lasting)] = windows.min(axis=0)[list(lasting)]
            found.append(best)
    logits = np.array(found, np.float32)
    return logits, np.exp(logits)


def window_coverage(box: Box, spec: FrameSpec) -> NDArray[np.float64]:
    """Which share of a box lies in each window of the grid, (windows,)."""
    rows, columns = spec.grid
    x, y, width, height = box
    shares = []
    for place in range(rows * columns):
        left, top, wide, high = spec.window_box(place)
        across = max(0.0, min(x + width, left + wide) - max(x, left)) / max(width, 1e-9)
        down = max(0.0, min(y + height, top + high) - max(y, top)) / max(height, 1e-9)
        shares.append(across * down)
    return np.array(shares)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    told: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return told
