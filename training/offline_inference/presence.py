"""What a data set's truth means in the classes of a model."""

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import Group, LabelClass, LabelSet
from uncia.training.datasets.dataset import Sample

GROUPS: tuple[Group, ...] = get_args(Group)

_EMPTY = {"nothing", "blank", "empty", "none"}
"""What people call a photograph with nothing in it."""


def is_group(entry: LabelClass) -> bool:
    """The class is a whole group (any animal, any person, any vehicle, nothing), not one kind of it."""
    return entry.label == entry.group


def sample_group(picture: Sample) -> str:
    """animal, person, vehicle or nothing; empty where nobody said."""
    if picture.group:
        return picture.group
    label = picture.label.strip().casefold()
    if label in _EMPTY:
        return "nothing"
    return label if label in GROUPS else ""


def shows(picture: Sample, entry: LabelClass) -> bool | None:
    """Whether the class is in the picture; None where the data do not say.

    A kind of animal is known by its taxon where both have one, else by its label.
    """
    group = sample_group(picture)
    if is_group(entry):
        return group == entry.group if group else None
    if entry.taxon and picture.taxon:
        return entry.taxon.casefold() == picture.taxon.casefold()
    return entry.label.casefold() == picture.label.strip().casefold()


def class_presence(pictures: Sequence[Sample], labels: LabelSet) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each class is there, and whether that is known: bool (N, C) each."""
    there = np.zeros((len(pictures), len(labels.classes)), dtype=bool)
    known = np.ones_like(there)
    # Kinds of pictures are few, pictures many.
    kinds: dict[tuple[str, str, str], list[int]] = {}
    for row, picture in enumerate(pictures):
        kinds.setdefault((picture.label, picture.taxon, picture.group), []).append(row)
    for rows in kinds.values():
        told = [shows(pictures[rows[0]], entry) for entry in labels.classes]
        there[rows] = [each is True for each in told]
        known[rows] = [each is not None for each in told]
    return there, known


def true_classes(pictures: Sequence[Sample], labels: LabelSet) -> NDArray[np.int64]:
    """The class of each picture, the first that it shows and that is no group, else its group's; -1 for none. (N,)"""
    there, _ = class_presence(pictures, labels)
    groups = np.array([is_group(entry) for entry in labels.classes])
    kinds, whole = there & ~groups, there & groups
    found = np.where(kinds.any(axis=1), kinds.argmax(axis=1), np.where(whole.any(axis=1), whole.argmax(axis=1), -1))
    return found.astype(np.int64)
