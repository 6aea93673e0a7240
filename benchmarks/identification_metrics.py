"""Rank-k, mean average precision, and the ROC of "none of them", with bootstrap intervals over individuals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000


@dataclass(frozen=True)
class Ranking:
    """One query. `rank`: of the true individual, 1 for the first, None where it was not found; `known`: whether it was
    in the index; `top`: the score of the best candidate, for the decision whether it is a known animal at all."""

    individual_id: str
    known: bool
    rank: int | None
    top: float


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


def rank_of(scores: NDArray[np.float64], truth: int | None) -> int | None:
    """The rank of `truth`; ties count against it."""
    return None if truth is None else int(np.sum(scores >= scores[truth]))


def measure(rankings: Sequence[Ranking], seed: int = 0) -> dict[str, Interval]:
    """All figures, with intervals of 95 % from resampling individuals, whose queries depend on each other."""
    by_individual: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        by_individual.setdefault(ranking.individual_id, []).append(ranking)
    groups = [by_individual[name] for name in sorted(by_individual)]
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(groups), (RESAMPLES, len(groups)))
    samples = [[ranking for group in draw for ranking in groups[group]] for draw in draws]
    return {name: _interval(figure, rankings, samples) for name, figure in FIGURES.items()}


def rank_share(rankings: Sequence[Ranking], most: int) -> float:
    """Share of the queries of known animals whose true individual has at most rank `most`."""
    return float(np.mean([one.rank is not None and one.rank <= most for one in rankings if one.known]))


def mean_average_precision(rankings: Sequence[Ranking]) -> float:
    """Over queries of known animals. Each has one right answer, so that its average precision is 1 over its rank."""
    return float(np.mean([1 / one.rank if one.rank else 0.0 for one in rankings if one.known]))


def new_auc(rankings: Sequence[Ranking]) -> float:
    """Area under the ROC curve of telling known animals from new ones by the best candidate's score."""
    known = np.sort([one.top for one in rankings if one.known])
    new = np.array([one.top for one in rankings if not one.known])
    below = np.searchsorted(known, new, side="left")
    ties = np.searchsorted(known, new, side="right") - below
    return float(np.mean((len(known) - below - ties) + ties / 2) / len(known))


FIGURES: dict[str, Callable[[Sequence[Ranking]], float]] = {
    "rank-1": lambda rankings: rank_share(rankings, 1),
    "rank-5": lambda rankings: rank_share(rankings, 5),
    "mAP": mean_average_precision,
    "new AUC": new_auc,
}


def _interval(
    figure: Callable[[Sequence[Ranking]], float], rankings: Sequence[Ranking], samples: Sequence[Sequence[Ranking]]
) -> Interval:
    low, high = np.percentile([figure(sample) for sample in samples], (2.5, 97.5))
    return Interval(figure(rankings), float(low), float(high))
