"""Multinomial logistic regression over rows that need not fit into memory. Deterministic.

The loss is the weighted mean of the rows' cross-entropy, plus half the penalty times the squared weights of the
standardised features, or of their distance to what is known before (`Prior`); biases are free. L-BFGS of SciPy; loss
and gradient are added up piece by piece.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from uncia.training.feature_store.row_file import PIECE, Indices

Floats = NDArray[np.float64]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Linear:
    """`rows @ weight.T + bias`: (C, D) and (C,), for features as they come: standardisation is folded in."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        told: NDArray[np.float32] = rows @ self.weight.T + self.bias
        return told


@dataclass(frozen=True)
class Examples:
    """Rows to learn from: where they stand in a table, what each shows, how much it counts."""

    places: Indices
    truth: Indices
    weight: Floats


@dataclass(frozen=True)
class Prior:
    """What is known of some classes before any example: a published network's rows.

    The weights of these classes are drawn to the published ones instead of to zero (L2-SP: Li, Grandvalet and Davoine,
    2018). A class that no example shows would be unlearnt by all the others; so each example keeps the share of it that
    the published network sees there (learning without forgetting: Li and Hoiem, 2016).
    """

    weight: NDArray[np.float32]
    """(C, D), for features as they come; zero where nothing is known."""
    unseen: tuple[int, ...]
    """The classes that no example shows."""
    shares: Callable[[NDArray[np.float32]], Floats]
    """Of rows (N, D): what the published network sees of the unseen classes, (N, len(unseen)), in all at most 1."""


def one_thread(work: Callable[P, R]) -> Callable[P, R]:
    """Have NumPy and SciPy multiply in one thread while this works.

    Thousands of small products: threads wait for each other wherever a core does something else (twelve times as long
    on a busy machine), and sums would hang on how many cores there are.
    """

    @wraps(work)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with threadpool_limits(1, user_api="blas"):
            return work(*args, **kwargs)

    return alone


@one_thread
def fit(
    rows: NDArray[np.float32],
    examples: Examples,
    classes: int,
    *,
    penalty: float,
    prior: Prior | None = None,
    steps: int = 200,
    watch: Callable[[Linear, float], None] = lambda head, loss: None,
) -> Linear:
    """The head that makes the examples likeliest. `watch` sees each step's head and its loss."""
    order = np.argsort(examples.places, kind="stable")
    places, truth = examples.places[order], examples.truth[order]
    weight = examples.weight[order] / examples.weight.sum()
    mean, std = _moments(rows, places)
    size = rows.shape[1]
    known = np.zeros((classes, size + 1))
    targets = np.zeros((len(places), 0))
    unseen: list[int] = []
    if prior is not None:
        known[:, :size] = prior.weight * std
        unseen = list(prior.unseen)
        targets = _by_piece(rows, places, prior.shares, len(unseen))

    def unfolded(flat: Floats) -> tuple[Floats, Floats]:
        """Weight and bias for features as they come."""
        table = flat.reshape(classes, size + 1)
        folded = table[:, :size] / std
        return folded, table[:, size] - folded @ mean

    last = [0.0]

    def loss(flat: Floats) -> tuple[float, Floats]:
        folded, bias = unfolded(flat)
        narrow, short = folded.astype(np.float32), bias.astype(np.float32)
        total, slope, pull = 0.0, np.zeros((classes, size)), np.zeros(classes)
        for begin in range(0, len(places), PIECE):
            part = slice(begin, begin + PIECE)
            some = np.asarray(rows[places[part]])
            logits = (some @ narrow.T + short).astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            said = np.exp(logits)
            sums = said.sum(axis=1, keepdims=True)
            at = np.arange(len(some))
            rest = 1 - targets[part].sum(axis=1)
            likely = rest * logits[at, truth[part]] + (targets[part] * logits[:, unseen]).sum(axis=1)
            total += float((weight[part] * (np.log(sums[:, 0]) - likely)).sum())
            said /= sums
            said[at, truth[part]] -= rest
            said[:, unseen] -= targets[part]
            said *= weight[part, None]
            slope += said.astype(np.float32).T @ some
            pull += said.sum(axis=0)
        moved = flat.reshape(classes, size + 1) - known
        gradient = np.empty_like(moved)
        gradient[:, :size] = (slope - pull[:, None] * mean) / std + penalty * moved[:, :size]
        gradient[:, size] = pull
        last[0] = total
        return total + penalty / 2 * float((moved[:, :size] ** 2).sum()), gradient.ravel()

    def head(flat: Floats) -> Linear:
        folded, bias = unfolded(flat)
        return Linear(folded.astype(np.float32), bias.astype(np.float32))

    found = minimize(
        loss,
        known.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda flat: watch(head(flat), last[0]),
        options={"maxiter": steps, "gtol": 1e-5, "maxcor": 10},
    )
    return head(found.x)


def class_weights(truth: Indices, classes: int) -> Floats:
    """How much an example of each class counts: the square root of how rare it is.

    Halfway between how often things are, which keeps probabilities honest, and the same for each class, which lets one
    photograph outshout ten thousand.
    """
    counts = np.bincount(truth, minlength=classes).astype(np.float64)
    weights: Floats = np.sqrt(counts.sum() / (np.maximum(counts, 1) * classes))
    return weights


def _by_piece(
    rows: NDArray[np.float32], places: Indices, told: Callable[[NDArray[np.float32]], Floats], columns: int
) -> Floats:
    found = np.zeros((len(places), columns))
    for begin in range(0, len(places) if columns else 0, PIECE):
        found[begin : begin + PIECE] = told(np.asarray(rows[places[begin : begin + PIECE]]))
    return found


def _moments(rows: NDArray[np.float32], places: Indices) -> tuple[Floats, Floats]:
    sums, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for begin in range(0, len(places), PIECE):
        some = np.asarray(rows[places[begin : begin + PIECE]], np.float64)
        sums += some.sum(axis=0)
        squares += (some**2).sum(axis=0)
    mean = sums / len(places)
    std = np.sqrt(np.maximum(squares / len(places) - mean**2, 0))
    # A feature that never moves must not be blown up when it does.
    std[std < 1e-4] = 1.0
    return mean, std
