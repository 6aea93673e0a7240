"""Find label issues: labels that a classifier, fitted on the other bursts, confidently contradicts.

Confident learning (Northcutt, Jiang, Chuang: Confident learning, JAIR 70, 2021): a label is an issue where another
class is at least as probable as that class is on average for the samples labelled with it, and the given label is
less probable. The classifier is never fitted on the burst that it assesses, since people mislabel bursts as a whole.
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
    """A sample whose label looks wrong. The fields are keys of the JSON output."""

    path: Path
    label: str
    rather: str
    """The more probable label."""
    probability: float
    """Probability of `rather`, by a classifier that was not fitted on this burst."""
    own: float
    """Probability of `label`."""


def find_label_issues(
    samples: Sequence[Sample],
    features: NDArray[np.float32],
    rows: NDArray[np.int64] | None = None,
    seed: int = 1,
) -> list[LabelIssue]:
    """Label issues of N samples, the most probable first.

    `features` is (M, D); `rows` (N,) is the row of each sample, by default its index. Classes with fewer than two
    bursts are not assessed, and nothing is where there is only one class.
    """
    labels = sorted({sample.label for sample in samples})
    if len(labels) < 2:
        return []
    truth = np.array([labels.index(sample.label) for sample in samples], np.int64)
    rows = np.arange(len(samples)) if rows is None else rows
    probabilities = held_out_probabilities(features, rows, truth, [one.burst for one in samples], len(labels), seed)
    assessed = probabilities.sum(axis=1) > 0
    thresholds = _mean_self_confidence(probabilities, truth, assessed)
    # An image with several animals has a sample for each: the label of another sample is not an issue.
    labels_of: dict[Path, set[int]] = {}
    for index, sample in enumerate(samples):
        labels_of.setdefault(sample.path, set()).add(int(truth[index]))
    issues = []
    for index in np.flatnonzero(assessed).tolist():
        sample, row, own = samples[index], probabilities[index], int(truth[index])
        confident = np.where(row >= np.maximum(thresholds, 1 / len(labels)), row, 0)
        rather = int(confident.argmax())
        if confident[rather] > 0 and rather not in labels_of[sample.path] and row[rather] > row[own]:
            issues.append(LabelIssue(sample.path, sample.label, labels[rather], float(row[rather]), float(row[own])))
    return sorted(issues, key=lambda issue: (issue.own - issue.probability, str(issue.path)))


def _mean_self_confidence(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], assessed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Mean probability of each class over the samples labelled with it, (classes,); infinite without samples."""
    means = np.full(probabilities.shape[1], np.inf)
    for label in range(len(means)):
        members = assessed & (truth == label)
        if members.any():
            means[label] = probabilities[members, label].mean()
    return means


def held_out_probabilities(
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    truth: NDArray[np.int64],
    bursts: Sequence[str],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """Class probabilities by a classifier that was fitted on the other bursts: (N, classes).

    Zero for samples whose class occurs in no other burst. `rows` (N,) are the rows of `features`, `truth` (N,) the
    classes.
    """
    from uncia.training.linear.logistic_regression import TrainingRows, class_weights, fit_logistic_regression

    folds = _folds(bursts, truth, seed)
    probabilities = np.zeros((len(truth), classes))
    for fold in range(FOLDS):
        fitted, assessed = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        known = np.unique(truth[fitted])
        if len(known) < 2 or not len(assessed):
            continue
        weights = class_weights(truth[fitted], classes)[truth[fitted]]
        training_rows = TrainingRows(rows[fitted], truth[fitted], weights)
        head = fit_logistic_regression(features, training_rows, classes, penalty=_PENALTY, steps=_STEPS)
        logits = features[rows[assessed]] @ head.weight.T + head.bias
        logits[:, np.setdiff1d(np.arange(classes), known)] = -np.inf
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities[assessed] = logits / logits.sum(axis=1, keepdims=True)
        probabilities[assessed[~np.isin(truth[assessed], known)]] = 0
    return probabilities


def _folds(bursts: Sequence[str], truth: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each sample, (N,). Bursts of a class are distributed in turn: two bursts are in two folds."""
    label_of: dict[str, int] = {}
    for burst, label in zip(bursts, truth, strict=True):
        label_of.setdefault(burst, int(label))
    order = sorted(label_of)
    Random(seed).shuffle(order)
    order.sort(key=lambda burst: label_of[burst])
    fold_of = {burst: number % FOLDS for number, burst in enumerate(order)}
    return np.array([fold_of[burst] for burst in bursts], np.int64)
