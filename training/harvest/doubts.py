"""Weights for noisy labels, and the pictures that a person should look at.

Pictures that a search finds are partly wrong: another species, a track, a drawing. Leaving doubtful ones out costs the
rare views that a first model does not know yet; Pl@ntNet keeps its noisy data and weights it by how far it is agreed
with (Lefort et al.: Cooperative learning of Pl@ntNet's artificial intelligence algorithm, 2024). Here, too, every
picture stays, and counts less for each thing that contradicts it:

- the *model*: a classifier on embeddings that was fitted on other pictures prefers another label (confident learning,
  `uncia.training.dataset_check.labels`);
- the *neighbours*: most of the nearest pictures have another label;
- *outlier*: a positive that is far from all others of its label, by a robust z-score (Iglewicz and Hoaglin, 1993).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from uncia.training.dataset_check.labels import find_label_issues
from uncia.training.datasets.dataset import Sample

__all__ = ["MODEL", "NEIGHBOURS", "OUTLIER", "Doubt", "assess_labels"]

MODEL, NEIGHBOURS, OUTLIER = "model", "neighbours", "outlier"
_FACTOR = 0.5
"""Each reason halves the weight."""
_NEIGHBOURS = 10
_MOST_OF_A_BURST = 20
"""Nearest pictures that are searched in addition, since those of the own burst do not count."""
_LEAST_BURSTS = 5
"""Bursts of a label below which nothing contradicts it: a first model has hardly seen it."""
_LEAST_OF_A_LABEL = 8
"""Pictures of a label below which none is an outlier."""
_FARTHEST = 3.5
"""Robust z-score, as Iglewicz and Hoaglin recommend."""
_CONSISTENT = 1.4826
"""Makes the median absolute deviation that of a normal distribution."""


@dataclass(frozen=True)
class Doubt:
    """How much a picture counts, and why."""

    weight: float
    reasons: tuple[str, ...] = ()
    rather: str = ""
    """The label that the model or the neighbours prefer."""


def assess_labels(
    samples: Sequence[Sample], features: NDArray[np.float32], positive: Sequence[bool], seed: int = 1
) -> list[Doubt]:
    """A `Doubt` for each of N samples. `features` is (N, D); `positive`: the sample shows a target taxon.

    Negatives are diverse on purpose and never outliers. With one label alone only outliers can be found.
    """
    issues = {issue.path: issue.rather for issue in find_label_issues(samples, features, seed=seed)}
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    votes = _neighbour_votes(samples, unit)
    outliers = _outliers(samples, unit, positive)
    bursts = Counter(label for label, _ in {(sample.label, sample.burst) for sample in samples})
    doubts = []
    for number, sample in enumerate(samples):
        if bursts[sample.label] < _LEAST_BURSTS:
            doubts.append(Doubt(1.0))
            continue
        reasons = [
            *([MODEL] if sample.path in issues else []),
            *([NEIGHBOURS] if votes[number] else []),
            *([OUTLIER] if outliers[number] else []),
        ]
        doubts.append(Doubt(_FACTOR ** len(reasons), tuple(reasons), issues.get(sample.path) or votes[number]))
    return doubts


def _neighbour_votes(samples: Sequence[Sample], unit: NDArray[np.float32]) -> list[str]:
    """For each sample the other label that more than half of its nearest neighbours have; empty: none."""
    if len(samples) < 3:
        return [""] * len(samples)
    count = min(len(samples), _NEIGHBOURS + _MOST_OF_A_BURST + 1)
    order = NearestNeighbors(n_neighbors=count).fit(unit).kneighbors(unit, return_distance=False)
    votes = []
    for number, sample in enumerate(samples):
        others = [samples[index] for index in order[number] if index != number and samples[index].burst != sample.burst]
        labels = [other.label for other in others[:_NEIGHBOURS]]
        most = max(sorted(set(labels)), key=labels.count, default=sample.label)
        votes.append(most if most != sample.label and labels.count(most) * 2 > len(labels) else "")
    return votes


def _outliers(samples: Sequence[Sample], unit: NDArray[np.float32], positive: Sequence[bool]) -> NDArray[np.bool_]:
    far = np.zeros(len(samples), bool)
    for label in {sample.label for sample, wanted in zip(samples, positive, strict=True) if wanted}:
        members = np.array([number for number, sample in enumerate(samples) if sample.label == label])
        if len(members) < _LEAST_OF_A_LABEL:
            continue
        count = min(len(members), _NEIGHBOURS // 2 + 1)
        distances, _ = NearestNeighbors(n_neighbors=count).fit(unit[members]).kneighbors(unit[members])
        mean = distances[:, 1:].mean(axis=1)
        deviation = _CONSISTENT * float(np.median(np.abs(mean - np.median(mean))))
        if deviation > 0:
            far[members] = (mean - np.median(mean)) / deviation > _FARTHEST
    return far
