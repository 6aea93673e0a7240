"""Labels that look wrong: a classifier learnt on the other bursts is sure of something else.

Confident learning (Northcutt, Jiang, Chuang: Confident learning, JAIR 70, 2021): a label counts as doubtful where some
other class is at least as probable as that class is on average in the pictures that carry its name, and the own one is
not. The classifier never learns from the burst that it judges, nor from its near copies: a burst as a whole is what
people mislabel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from uncia.training.datasets.dataset import Sample

FOLDS = 5
_PENALTY = 1e-2
_STEPS = 60


@dataclass(frozen=True)
class LabelIssue:
    """A picture whose label looks wrong."""

    path: Path
    label: str
    rather: str
    """What it looks like."""
    probability: float
    """Of that, by a classifier that did not learn from this burst."""
    own: float
    """Of the label that it has."""


def find_label_issues(
    pictures: Sequence[Sample],
    features: NDArray[np.float32],
    rows: NDArray[np.int64] | None = None,
    seed: int = 1,
) -> list[LabelIssue]:
    """The most doubtful first. `features` (M, D); `rows` (N,) says which of its rows is each picture's, without it they
    are in the same order.

    Nothing is said of classes that have fewer than two bursts, nor where there is one class only.
    """
    labels = sorted({one.label for one in pictures})
    if len(labels) < 2:
        return []
    truth = np.array([labels.index(one.label) for one in pictures], np.int64)
    places = np.arange(len(pictures)) if rows is None else rows
    probabilities = held_out_probabilities(features, places, truth, [one.burst for one in pictures], len(labels), seed)
    known = probabilities.sum(axis=1) > 0
    limits = np.array(
        [
            probabilities[known & (truth == place), place].mean() if (known & (truth == place)).any() else np.inf
            for place in range(len(labels))
        ]
    )
    doubts = []
    # On one picture there may be several animals, one row for each: another row's label is no doubt.
    shown: dict[Path, set[int]] = {}
    for place, one in enumerate(pictures):
        shown.setdefault(one.path, set()).add(int(truth[place]))
    for place in np.flatnonzero(known).tolist():
        row, own = probabilities[place], int(truth[place])
        sure = np.where(row >= np.maximum(limits, 1 / len(labels)), row, 0)
        rather = int(sure.argmax())
        if sure[rather] > 0 and rather not in shown[pictures[place].path] and row[rather] > row[own]:
            one = pictures[place]
            doubts.append(LabelIssue(one.path, one.label, labels[rather], float(row[rather]), float(row[own])))
    return sorted(doubts, key=lambda doubt: (doubt.own - doubt.probability, str(doubt.path)))


def held_out_probabilities(
    features: NDArray[np.float32],
    places: NDArray[np.int64],
    truth: NDArray[np.int64],
    bursts: Sequence[str],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """(N, classes): what a classifier says that learnt on the other bursts. Rows whose class it never saw are zero."""
    from uncia.training.linear.logistic_regression import TrainingRows, class_weights, fit_logistic_regression

    folds = _folds(bursts, truth, seed)
    said = np.zeros((len(truth), classes))
    for fold in range(FOLDS):
        learn, judge = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        seen = np.unique(truth[learn])
        if len(seen) < 2 or not len(judge):
            continue
        weights = class_weights(truth[learn], classes)[truth[learn]]
        head = fit_logistic_regression(
            features, TrainingRows(places[learn], truth[learn], weights), classes, penalty=_PENALTY, steps=_STEPS
        )
        logits = features[places[judge]] @ head.weight.T + head.bias
        logits[:, np.setdiff1d(np.arange(classes), seen)] = -np.inf
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        said[judge] = logits / logits.sum(axis=1, keepdims=True)
        said[judge[~np.isin(truth[judge], seen)]] = 0
    return said


def _folds(bursts: Sequence[str], truth: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Whole bursts, each class dealt round: a class of two bursts is on two folds."""
    of: dict[str, int] = {}
    for burst, label in zip(bursts, truth, strict=True):
        of.setdefault(burst, int(label))
    order = sorted(of)
    Random(seed).shuffle(order)
    order.sort(key=lambda burst: of[burst])
    fold_of = {burst: place % FOLDS for place, burst in enumerate(order)}
    return np.array([fold_of[burst] for burst in bursts], np.int64)
