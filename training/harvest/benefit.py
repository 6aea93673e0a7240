"""Measure what harvested pictures add to photographs of one's own.

Heads are trained on the same photographs of one's own: without harvested pictures, with them at their weights, and with
them at a weight of 1 each. All are evaluated on the same test bursts, which none has seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.vocabulary import normalized_label
from uncia.training.dataset_check.contents import read_contents
from uncia.training.dataset_check.near_duplicates import ComparedFiles, find_near_duplicates
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.merging import merge_datasets
from uncia.training.datasets.splits import By, Split, split
from uncia.training.evaluation.bootstrap import Interval, bootstrap_interval
from uncia.training.harvest import HarvestError

__all__ = ["Benefit", "TrainAndPredict", "limit_bursts", "measure_benefit", "without_copies"]

TrainAndPredict = Callable[[Split], tuple[Sequence[str], Sequence[str], Sequence[str]]]
"""Trains on a split, and returns the true label, the predicted label and the burst of each test photograph that could
be read, in an order that is the same for the same test photographs."""


@dataclass(frozen=True)
class Benefit:
    """Accuracy on the test photographs, without and with the harvested pictures."""

    own: int
    harvested: int
    copies: int
    """Harvested pictures that were left out because a photograph of one's own is the same."""
    test: int
    without: Interval
    with_harvest: Interval
    difference: Interval
    equal_weights: Interval | None
    """With the harvested pictures, each at a weight of 1; None where no weight is below 1."""
    difference_equal_weights: Interval | None
    """`equal_weights` less `without`."""
    down_weighted: int
    """Harvested pictures whose weight is below 1."""
    balanced_without: float
    """Mean over the labels of the share that is right."""
    balanced_with: float

    def as_json(self) -> dict[str, Any]:
        """The figures as values for JSON."""
        return {
            "own": self.own,
            "harvested": self.harvested,
            "copies": self.copies,
            "test": self.test,
            "accuracy_without": self.without.as_dict(),
            "accuracy_with": self.with_harvest.as_dict(),
            "difference": self.difference.as_dict(),
            "accuracy_equal_weights": self.equal_weights.as_dict() if self.equal_weights else None,
            "difference_equal_weights": (
                self.difference_equal_weights.as_dict() if self.difference_equal_weights else None
            ),
            "down_weighted": self.down_weighted,
            "balanced_accuracy_without": self.balanced_without,
            "balanced_accuracy_with": self.balanced_with,
        }


def measure_benefit(
    own: Dataset,
    harvested: Dataset,
    train: TrainAndPredict,
    *,
    seed: int = 1,
    by: By = "burst",
    bursts_per_label: int | None = None,
) -> Benefit:
    """Train without and with the harvested pictures, and with equal weights, and compare.

    `bursts_per_label` limits the training photographs of one's own, as if there were few.

    Raises `HarvestError` where the two have no label in common.
    """
    common = _labels(own) & _labels(harvested)
    if len(common) < 1 or len(_labels(own)) < 2:
        raise HarvestError(
            f"the labels of the two do not match ({', '.join(sorted(own.labels)[:6])}; "
            f"{', '.join(sorted(harvested.labels)[:6])}): give the taxa the labels of your photographs"
        )
    harvested = _with_labels_of(own, harvested)
    extra, copies = without_copies(harvested.samples, own.samples)
    parts = split(own, seed=seed, by=by)
    training = limit_bursts(parts.train, bursts_per_label, seed)
    alone = replace(parts, train=training)
    merged = merge_datasets([harvested.with_samples(extra)], ["harvest"]).samples
    truth, first, bursts = train(alone)
    again, second, _ = train(replace(parts, train=(*training, *merged)))
    if list(truth) != list(again):
        raise HarvestError("the two evaluations differ in their photographs: a file changed meanwhile")
    down_weighted = sum(sample.weight < 1 for sample in merged)
    equal = tuple(replace(sample, weight=1.0) for sample in merged)
    right = np.array([a == b for a, b in zip(truth, first, strict=True)], np.float64)
    right_with = np.array([a == b for a, b in zip(truth, second, strict=True)], np.float64)
    equally = equally_more = None
    if down_weighted:
        third, found, _ = train(replace(parts, train=(*training, *equal)))
        if list(truth) != list(third):
            raise HarvestError("the evaluations differ in their photographs: a file changed meanwhile")
        right_equal = np.array([a == b for a, b in zip(truth, found, strict=True)], np.float64)
        equally = bootstrap_interval(right_equal, list(bursts), seed=seed)
        equally_more = bootstrap_interval(right_equal - right, list(bursts), seed=seed)
    return Benefit(
        len(training),
        len(extra),
        copies,
        len(truth),
        bootstrap_interval(right, list(bursts), seed=seed),
        bootstrap_interval(right_with, list(bursts), seed=seed),
        bootstrap_interval(right_with - right, list(bursts), seed=seed),
        equally,
        equally_more,
        down_weighted,
        _balanced(truth, right),
        _balanced(truth, right_with),
    )


def limit_bursts(samples: Sequence[Sample], most: int | None, seed: int) -> tuple[Sample, ...]:
    """The samples of at most so many bursts of each label, chosen by the seed; all without a limit."""
    if most is None:
        return tuple(samples)
    chosen: set[tuple[str, str]] = set()
    for label in sorted({sample.label for sample in samples}):
        bursts = sorted({sample.burst for sample in samples if sample.label == label})
        Random(f"{seed} {label}").shuffle(bursts)
        chosen |= {(label, burst) for burst in bursts[:most]}
    return tuple(sample for sample in samples if (sample.label, sample.burst) in chosen)


def without_copies(extra: Sequence[Sample], own: Sequence[Sample]) -> tuple[tuple[Sample, ...], int]:
    """The harvested samples that show no photograph of one's own, and the number of those that do.

    A copy of a test photograph among the training pictures would make the harvest look better than it is.
    """
    contents, _ = read_contents(list(dict.fromkeys(sample.path for sample in (*own, *extra))))
    readable_own = [sample for sample in own if sample.path in contents]
    readable = [sample for sample in extra if sample.path in contents]
    hashes = {contents[sample.path].sha256 for sample in readable_own}
    samples = [*(replace(one, burst=f"own/{one.burst}") for one in readable_own), *readable]
    copied: set[Path] = {sample.path for sample in readable if contents[sample.path].sha256 in hashes}
    if samples:
        files = ComparedFiles.of([(sample, contents[sample.path]) for sample in samples])
        for group in find_near_duplicates(files):
            if any(index < len(readable_own) for index in group):
                copied |= {samples[index].path for index in group if index >= len(readable_own)}
    kept = tuple(sample for sample in readable if sample.path not in copied)
    return kept, len(readable) - len(kept)


def _labels(data: Dataset) -> set[str]:
    return {normalized_label(label) for label in data.labels}


def _with_labels_of(own: Dataset, harvested: Dataset) -> Dataset:
    """The harvested samples of the labels that one's own photographs have, spelled as there."""
    spelled = {normalized_label(label): label for label in own.labels}
    return harvested.with_samples(
        replace(sample, label=spelled[normalized_label(sample.label)])
        for sample in harvested.samples
        if normalized_label(sample.label) in spelled
    )


def _balanced(truth: Sequence[str], right: NDArray[np.float64]) -> float:
    labels = np.array(truth)
    return float(np.mean([right[labels == label].mean() for label in sorted(set(truth))]))
