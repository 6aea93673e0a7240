"""The truth of a dataset in terms of a model's classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.vocabulary import category_of
from uncia.serving.labels import LabelClass, LabelSet
from uncia.training.datasets.dataset import Sample


def is_group_class(entry: LabelClass) -> bool:
    """Whether the class is a group (animal, person, vehicle or nothing) rather than a species or kind within it."""
    return entry.label == entry.group


def sample_group(sample: Sample) -> str:
    """animal, person, vehicle or nothing; empty where neither group nor label states it."""
    return sample.group or category_of(sample.label) or ""


def shows_class(sample: Sample, entry: LabelClass) -> bool | None:
    """Whether the sample shows the class; None where that is unknown.

    Animals are compared by taxon where both have one, else by label.
    """
    group = sample_group(sample)
    if is_group_class(entry):
        return group == entry.group if group else None
    if entry.taxon and sample.taxon:
        return entry.taxon.casefold() == sample.taxon.casefold()
    return entry.label.casefold() == sample.label.strip().casefold()


def class_presence(samples: Sequence[Sample], labels: LabelSet) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each sample shows each class, and whether that is known: two bool arrays (N, C)."""
    present = np.zeros((len(samples), len(labels.classes)), dtype=bool)
    known = np.ones_like(present)
    # Computed once for all samples with the same label: a dataset has few labels and many samples.
    rows_by_truth: dict[tuple[str, str, str], list[int]] = {}
    for row, sample in enumerate(samples):
        rows_by_truth.setdefault((sample.label, sample.taxon, sample.group), []).append(row)
    for rows in rows_by_truth.values():
        shown = [shows_class(samples[rows[0]], entry) for entry in labels.classes]
        present[rows] = [state is True for state in shown]
        known[rows] = [state is not None for state in shown]
    return present, known


def true_classes(samples: Sequence[Sample], labels: LabelSet) -> NDArray[np.int64]:
    """Index of the true class of each sample, (N,): its first species, else its group; -1 without either."""
    present, _ = class_presence(samples, labels)
    is_group = np.array([is_group_class(entry) for entry in labels.classes])
    species, groups = present & ~is_group, present & is_group
    by_group = np.where(groups.any(axis=1), groups.argmax(axis=1), -1)
    return np.where(species.any(axis=1), species.argmax(axis=1), by_group).astype(np.int64)
