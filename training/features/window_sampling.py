"""How a head sees a frame, and which rows of a photograph it is trained on.

- `whole`: one row, the mean over the whole frame. The served window is the frame.
- `windows`: the dense pass. Where a box is known, the windows that contain it are examples of its class, and those far
  from it are examples of "nothing" where there is such a class. Without a box, the example is the window that the head
  of the previous round scores best for the label (multiple-instance learning: the label belongs to the bag, not to the
  window). A photograph of nothing is an example of nothing in each of its windows; the one that the previous round
  scored worst weighs as much as all others together.
- `crops`: as `windows`, and where a box is known, a crop of it is an example as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax as scipy_log_softmax

from uncia.events.values import Box
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.feature_store.feature_table import FeatureTable
from uncia.training.linear.logistic_regression import LinearClassifier, TrainingRows, class_weights

InputMode = Literal["whole", "windows", "crops"]
INPUT_MODES: tuple[InputMode, ...] = get_args(InputMode)

_CONTAINS = 0.6
"""A window contains a box when this share of the box lies in it, or no window has more."""
_FAR = 0.02
"""A window is far from a box when at most this share of the box lies in it."""
_FAR_WEIGHT = 0.5
"""Total weight of all far windows of a photograph; the animal's own window has weight 1."""


@dataclass(frozen=True)
class FeatureItem:
    """One photograph, or its crop or mirror image, as an entry of a `FeatureTable`."""

    truth: int
    """The class."""
    box: Box | None = None
    crop: bool = False
    """The item has one row, of the crop."""
    weight: float = 1.0
    """Of the sample, besides that of its class."""


@dataclass
class _RowCollector:
    """Training rows while they are collected."""

    indices: list[int] = field(default_factory=list)
    truth: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(self, index: int, truth: int, weight: float) -> None:
        self.indices.append(index)
        self.truth.append(truth)
        self.weight.append(weight)

    def rows(self) -> TrainingRows:
        return TrainingRows(np.array(self.indices, np.int64), np.array(self.truth, np.int64), np.array(self.weight))


def window_training_rows(
    table: FeatureTable,
    items: Sequence[FeatureItem],
    spec: FrameSpec,
    classes: int,
    frame_wide: Sequence[int],
    head: LinearClassifier | None,
) -> TrainingRows:
    """The training rows of the next round of `windows` or `crops`.

    `frame_wide` are the classes that are true of a frame only where they are true of all of it; `head` is the
    classifier of the previous round, None in the first.
    """
    weights = class_weights(np.array([item.truth for item in items]), classes)
    collector = _RowCollector()
    for number, item in enumerate(items):
        first, weight = int(table.first[number]), float(weights[item.truth]) * item.weight
        windows = range(first + 1, int(table.first[number + 1]))
        if item.crop or not windows:
            collector.add(first, item.truth, weight)
            continue
        scores = None if head is None else log_softmax(head.logits(table.rows_of(number)[1:]))[:, item.truth]
        if item.truth in frame_wide:
            _add_all_windows(collector, windows, item.truth, weight, scores)
        elif item.box is None:
            best = first if scores is None else windows[int(scores.argmax())]
            collector.add(best, item.truth, weight)
        else:
            covered = window_coverage(item.box, spec)
            collector.add(windows[_window_of_box(covered, scores)], item.truth, weight)
            far = np.flatnonzero(covered <= _FAR)
            if frame_wide:
                for window in far:
                    share = float(weights[frame_wide[0]]) * item.weight * _FAR_WEIGHT / len(far)
                    collector.add(windows[int(window)], frame_wide[0], share)
    return collector.rows()


def _add_all_windows(
    collector: _RowCollector, windows: range, truth: int, weight: float, scores: NDArray[np.float32] | None
) -> None:
    """Every window is an example; with scores, half of the weight goes to the window that scores lowest."""
    share = weight / len(windows) * (1 if scores is None else 0.5)
    for window in windows:
        collector.add(window, truth, share)
    if scores is not None:
        collector.add(windows[int(scores.argmin())], truth, weight / 2)


def _window_of_box(covered: NDArray[np.float64], scores: NDArray[np.float32] | None) -> int:
    """Of the windows that contain a box, the one that scores best; without scores, the one that covers most of it."""
    containing = np.flatnonzero(covered >= min(_CONTAINS, float(covered.max())))
    best = covered[containing] if scores is None else scores[containing]
    return int(containing[int(best.argmax())])


def frame_training_rows(table: FeatureTable, items: Sequence[FeatureItem], classes: int) -> TrainingRows:
    """The training rows of `whole`: row 0 of each item."""
    truth = np.array([item.truth for item in items], np.int64)
    own = np.array([item.weight for item in items])
    return TrainingRows(table.first[:-1].copy(), truth, class_weights(truth, classes)[truth] * own)


def score_items(
    table: FeatureTable, head: LinearClassifier, input_mode: InputMode, frame_wide: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What `DensePass.scores` returns for each item: logits (N, C) and WINDOWS (N, C); None where WINDOWS is WHOLE."""
    if not len(table):
        return np.zeros((0, len(head.bias)), np.float32), None
    if input_mode == "whole":
        chunks = [head.logits(table.rows[table.first[begin:end]]) for begin, end in table.chunks()]
        return np.concatenate(chunks), None
    best_scores = []
    wide = list(frame_wide)
    for begin, end in table.chunks():
        offset = table.first[begin]
        scores = log_softmax(head.logits(table.rows[offset : table.first[end]]))
        for number in range(begin, end):
            own = scores[table.first[number] - offset : table.first[number + 1] - offset]
            # A crop is its own and only window.
            windows = own[1:] if len(own) > 1 else own
            best = windows.max(axis=0)
            best[wide] = windows.min(axis=0)[wide]
            best_scores.append(best)
    logits = np.array(best_scores, np.float32)
    return logits, np.exp(logits)


def window_coverage(box: Box, spec: FrameSpec) -> NDArray[np.float64]:
    """The share of a box that lies in each window of the grid, (windows,)."""
    rows, columns = spec.grid
    x, y, width, height = box
    shares = []
    for number in range(rows * columns):
        left, top, wide, high = spec.window_box(number)
        across = max(0.0, min(x + width, left + wide) - max(x, left)) / max(width, 1e-9)
        down = max(0.0, min(y + height, top + high) - max(y, top)) / max(height, 1e-9)
        shares.append(across * down)
    return np.array(shares)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities over the last axis."""
    scores: NDArray[np.float32] = scipy_log_softmax(logits, axis=-1)
    return scores
