"""Which class of a model is explained."""

import difflib

import numpy as np
from numpy.typing import NDArray

from uncia.explaining.explanation import ExplanationError
from uncia.serving.labels import LabelClass, LabelSet

_NOTHING = "nothing"


class ClassUnknown(ExplanationError):
    """The model has no such class."""


def named_class(labels: LabelSet, name: str) -> LabelClass:
    """The class of this number, label or taxon, whatever its case. Raises `ClassUnknown`, with similar names."""
    wanted = name.strip().casefold()
    for entry in labels.classes:
        if wanted in (str(entry.index), entry.label.casefold(), entry.taxon.casefold()) and wanted:
            return entry
    known = [name for entry in labels.classes for name in (entry.label, entry.taxon) if name]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"; similar: {', '.join(near)}" if near else ""
    raise ClassUnknown(f"the model's label set {labels.id} has no class {name!r}{hint}")


def class_at(labels: LabelSet, index: int) -> LabelClass:
    """The class of this number. Raises `ClassUnknown`."""
    if index >= len(labels.classes):
        raise ClassUnknown(
            f"the model's label set {labels.id} has no class {index}, only {len(labels.classes)} classes"
        )
    return labels.classes[index]


def best_class(labels: LabelSet, scores: NDArray[np.floating], focus_taxa: tuple[str, ...] = ()) -> LabelClass:
    """The class to explain where none is named, by each class's best window (classes,).

    A focus taxon that reaches its calibrated threshold; otherwise the best class that is an animal, a person or a
    vehicle; otherwise the best of all.
    """
    focus = [
        entry
        for taxon in focus_taxa
        for entry in labels.classes_of_taxon(taxon)
        if entry.threshold is not None and scores[entry.index] >= entry.threshold
    ]
    shown = focus or [entry for entry in labels.classes if entry.group != _NOTHING] or list(labels.classes)
    return max(shown, key=lambda entry: (float(scores[entry.index]), -entry.index))
