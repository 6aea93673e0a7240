"""Multinomial logistic regression over rows that need not fit into memory. Deterministic.

The loss is the weighted mean of the rows' cross-entropy, plus half the penalty times the squared weights of the
standardised features, or of their distance to known weights (`ClassPrior`); biases are not penalised. Torch computes
the gradient, chunk by chunk of a memory-mapped table, and SciPy's L-BFGS minimises.

scikit-learn's `LogisticRegression` does not fit here: it needs all rows in memory, and it can neither shrink towards
given weights nor take a target distribution per row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import Tensor

from uncia.training.feature_store.feature_table import CHUNK_ROWS, Indices

__all__ = [
    "ClassPrior",
    "LinearClassifier",
    "TrainingRows",
    "class_weights",
    "fit_logistic_regression",
    "single_blas_thread",
]

Floats = NDArray[np.float64]

_MIN_STD = 1e-4
"""A feature that varies less is not scaled: a constant must not be amplified when another photograph changes it."""


_GRADIENT_TOLERANCE = 3e-6
"""Largest component of the gradient at the end. With 1e-5 and products in float32, rounding decided which windows of a
photograph the next round of `window_training_rows` learns from, and with them the penalty."""


@dataclass(frozen=True)
class LinearClassifier:
    """`rows @ weight.T + bias`, with weight (C, D) and bias (C,), for unscaled features."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, C) of rows (N, D)."""
        scores: NDArray[np.float32] = rows @ self.weight.T + self.bias
        return scores


@dataclass(frozen=True)
class TrainingRows:
    """Rows to learn from: their indices in a table, their classes, and their sample weights; all (N,)."""

    indices: Indices
    truth: Indices
    weight: Floats


@dataclass(frozen=True)
class ClassPrior:
    """What is known of some classes before any example: a published network's weights.

    The weights of these classes shrink towards the published ones instead of zero (L2-SP: Li, Grandvalet and Davoine,
    2018). A class without examples would be unlearnt from the examples of all others; so each example keeps the share
    of probability that the published network assigns to that class (learning without forgetting: Li and Hoiem, 2016).
    """

    weight: NDArray[np.float32]
    """(C, D), for unscaled features; zero where nothing is known."""
    unseen: tuple[int, ...]
    """The classes without examples."""
    shares: Callable[[NDArray[np.float32]], Floats]
    """For rows (N, D): the probability that the published network assigns to each unseen class, (N, len(unseen)); the
    sum of a row is at most 1."""


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Limit NumPy, SciPy and torch to one thread, as a context or a decorator.

    The products are small and number thousands: with several threads they wait for each other whenever a core is busy
    with something else (twelve times as long on a busy machine), and sums would depend on the number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


@single_blas_thread()
def fit_logistic_regression(
    rows: NDArray[np.float32],
    examples: TrainingRows,
    classes: int,
    *,
    penalty: float,
    prior: ClassPrior | None = None,
    steps: int = 200,
    watch: Callable[[LinearClassifier, float], None] = lambda head, loss: None,
) -> LinearClassifier:
    """Fit a classifier of `classes` classes on `examples`, which refer to `rows` float32 (T, D).

    `watch` is called after each of at most `steps` iterations with the classifier and its loss without the penalty.
    """
    objective = _Objective(rows, examples, classes, penalty, prior)
    found = minimize(
        objective,
        objective.known.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda flat: watch(objective.classifier(flat), objective.last_loss),
        options={"maxiter": steps, "gtol": _GRADIENT_TOLERANCE, "maxcor": 10},
    )
    return objective.classifier(found.x)


class _Objective:
    """The penalised loss and its gradient, as a function of the flat parameters float64 (C * (D + 1),).

    The parameters are the weights of the standardised features and the bias, class by class. The standardisation is
    folded into the classifier, so rows are multiplied as they lie in the table, chunk by chunk in float64.
    """

    def __init__(
        self, rows: NDArray[np.float32], examples: TrainingRows, classes: int, penalty: float, prior: ClassPrior | None
    ) -> None:
        order = np.argsort(examples.indices, kind="stable")
        self._rows = rows
        self._indices = examples.indices[order]
        self._truth = torch.from_numpy(examples.truth[order])
        self._sample_weight = torch.from_numpy(examples.weight[order] / examples.weight.sum())
        self._penalty = penalty
        self._mean, self._std = _moments(rows, self._indices)
        size = rows.shape[1]
        self.known = torch.zeros((classes, size + 1), dtype=torch.float64)
        self.last_loss = 0.0
        self._unseen = list(prior.unseen) if prior else []
        self._shares = torch.zeros((len(self._indices), len(self._unseen)), dtype=torch.float64)
        if prior is not None:
            self.known[:, :size] = torch.from_numpy(prior.weight * self._std.numpy())
            if self._unseen:
                for part in self._chunks():
                    self._shares[part] = torch.from_numpy(prior.shares(np.asarray(rows[self._indices[part]])))

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        parameters = torch.from_numpy(flat.reshape(self.known.shape)).requires_grad_()
        penalty = self._penalty / 2 * ((parameters[:, :-1] - self.known[:, :-1]) ** 2).sum()
        penalty.backward()  # type: ignore[no-untyped-call]
        total = 0.0
        for part in self._chunks():
            # Folded again for each chunk: `backward` frees its graph, so memory stays that of one chunk.
            weight, bias = self._unscaled(parameters)
            chunk = torch.from_numpy(np.asarray(self._rows[self._indices[part]]))
            loss = self._cross_entropy(chunk.double() @ weight.T + bias, part)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        self.last_loss = total
        assert parameters.grad is not None
        return total + penalty.item(), parameters.grad.numpy().ravel()

    def classifier(self, flat: Floats) -> LinearClassifier:
        """The classifier for unscaled features that these parameters stand for."""
        weight, bias = self._unscaled(torch.from_numpy(flat.reshape(self.known.shape)))
        return LinearClassifier(weight.float().numpy(), bias.float().numpy())

    def _cross_entropy(self, logits: Tensor, part: slice) -> Tensor:
        """The weighted sum over some rows: the target is the row's class, less the shares of the unseen classes."""
        shares, truth = self._shares[part], self._truth[part]
        target_logit = (1 - shares.sum(dim=1)) * logits.gather(1, truth[:, None])[:, 0]
        target_logit = target_logit + (shares * logits[:, self._unseen]).sum(dim=1)
        return (self._sample_weight[part] * (logits.logsumexp(dim=1) - target_logit)).sum()

    def _unscaled(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        weight = parameters[:, :-1] / self._std
        return weight, parameters[:, -1] - weight @ self._mean

    def _chunks(self) -> Iterator[slice]:
        for begin in range(0, len(self._indices), CHUNK_ROWS):
            yield slice(begin, begin + CHUNK_ROWS)


def class_weights(truth: Indices, classes: int) -> Floats:
    """The sample weight of each class, (C,): the square root of how rare it is.

    This lies halfway between no weighting, which keeps probabilities honest, and balanced classes, where a single
    photograph outweighs ten thousand.
    """
    counts = np.bincount(truth, minlength=classes).astype(np.float64)
    weights: Floats = np.sqrt(counts.sum() / (np.maximum(counts, 1) * classes))
    return weights


def _moments(rows: NDArray[np.float32], indices: Indices) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature, float64 (D,)."""
    scaler = StandardScaler()
    for begin in range(0, len(indices), CHUNK_ROWS):
        scaler.partial_fit(np.asarray(rows[indices[begin : begin + CHUNK_ROWS]], np.float64))
    std = np.sqrt(scaler.var_)
    std[std < _MIN_STD] = 1.0
    return torch.from_numpy(scaler.mean_), torch.from_numpy(std)
