"""From evidence to scores: a conditional logistic regression with "none of them" as an answer (McFadden 1974).

Each individual has odds, the exponential of a weighted sum of its evidence; "none of the known ones" has odds of one.
The score of an individual is its share of all odds, so that at most one of them is the animal.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.processors.identify.matching.evidence import CollectedEvidence, Evidence

FEATURES = (
    "similarity",
    "lnbnn",
    "lnbnn_lead",
    "inliers",
    "mean_inliers",
    "inliers_lead",
    "votes",
    "all_votes",
    "all_votes_lead",
    "same_side",
    "distance",
    "time",
)
"""Names of the columns of `feature_rows`."""

SHIPPED_WEIGHTS = Path(__file__).with_name("fusion_weights.json")
_VERSION = 1
_FEWEST_TO_STANDARDISE = 5
_LARGEST_STANDARDISED = 6.0


class FusionError(UnciaError):
    """The file of weights does not fit this program."""


@dataclass(frozen=True)
class FusionWeights:
    """`weights`: one for each of `FEATURES`; `bias`: of every individual against "none of them".

    `fitted_on` says in a sentence on what; `genuine`: whether these were decisions of people about genuine animals:
    only then are the scores probabilities in the field.
    """

    weights: tuple[float, ...]
    bias: float
    fitted_on: str
    genuine: bool

    def to_json(self) -> str:
        weights = dict(zip(FEATURES, self.weights, strict=True))
        content = {
            "version": _VERSION,
            "fitted_on": self.fitted_on,
            "genuine": self.genuine,
            "bias": self.bias,
            "weights": weights,
        }
        return json.dumps(content, indent=2) + "\n"


def read_weights(path: Path) -> FusionWeights:
    """Read a file that `to_json` wrote. Raises `FusionError` if it is none, or has other features."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != _VERSION or set(content["weights"]) != set(FEATURES):
            raise FusionError(f"{path.name} has weights for other features: fit them again with this version.")
        weights = tuple(float(content["weights"][name]) for name in FEATURES)
        result = FusionWeights(weights, float(content["bias"]), str(content["fitted_on"]), bool(content["genuine"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise FusionError(f"{path.name} cannot be read as weights of a fusion: {error}.") from error
    if not np.isfinite([*result.weights, result.bias]).all():
        raise FusionError(f"{path.name} has weights that are NaN or infinite: fit them again.")
    return result


@lru_cache(maxsize=1)
def shipped_weights() -> FusionWeights:
    """The weights that come with the program."""
    return read_weights(SHIPPED_WEIGHTS)


def feature_rows(collected: CollectedEvidence) -> NDArray[np.float64]:
    """(n, len(FEATURES)): what the fusion sees of each individual. An unknown is 0, as the least of evidence."""
    individuals = collected.individuals
    lnbnn = np.log1p([evidence.lnbnn for evidence in individuals])
    inliers = np.log1p([evidence.inliers for evidence in individuals])
    all_votes = np.log1p([evidence.all_votes for evidence in individuals])
    columns = (
        _standardised(individuals, collected.similarities),
        lnbnn,
        _lead(lnbnn),
        inliers,
        np.log1p([evidence.mean_inliers for evidence in individuals]),
        _lead(inliers),
        np.log1p([evidence.votes for evidence in individuals]),
        all_votes,
        _lead(all_votes),
        np.array([1.0 if evidence.same_side else 0.0 for evidence in individuals]),
        np.log1p([evidence.kilometres or 0.0 for evidence in individuals]),
        np.log1p([(evidence.hours or 0.0) / 24 for evidence in individuals]),
    )
    return np.column_stack(columns) if individuals else np.zeros((0, len(FEATURES)))


def fuse(collected: CollectedEvidence, weights: FusionWeights) -> tuple[NDArray[np.float64], float]:
    """The score of each individual, and that of "none of them"; together they are 1."""
    return fuse_rows(feature_rows(collected), weights)


def fuse_rows(rows: NDArray[np.float64], weights: FusionWeights) -> tuple[NDArray[np.float64], float]:
    """As `fuse`, of rows of `feature_rows`."""
    logits = np.append(rows @ np.array(weights.weights) + weights.bias, 0.0)
    odds = np.exp(logits - logits.max())
    scores = odds / odds.sum()
    return scores[:-1], float(scores[-1])


def _standardised(individuals: Sequence[Evidence], similarities: Sequence[float]) -> NDArray[np.float64]:
    """Similarities in standard deviations of the shortlist: the same scale for any embedder."""
    if len(similarities) < _FEWEST_TO_STANDARDISE:
        return np.zeros(len(individuals))
    mean, spread = float(np.mean(similarities)), max(float(np.std(similarities)), 1e-4)
    values = [0.0 if one.similarity is None else (one.similarity - mean) / spread for one in individuals]
    return np.clip(values, -_LARGEST_STANDARDISED, _LARGEST_STANDARDISED)


def _lead(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value minus the best of the others; 0 for a single one."""
    if len(values) < 2:
        return np.zeros(len(values))
    best = int(np.argmax(values))
    second = float(np.max(np.delete(values, best)))
    others = np.full(len(values), values[best])
    others[best] = second
    return np.asarray(values - others)
