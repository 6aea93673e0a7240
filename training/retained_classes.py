"""Classes that a head keeps of the published network: known before any photograph of them, and without one.

A hundred labels rarely show the rare animal that the station is there for, while the published network may have
learnt it from a thousand portraits. Its row of the classifier becomes the row that the head's is drawn to, where some
photographs show the class, and stays nearly as it is where none does.
"""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from uncia.serving.labels import LabelClass
from uncia.training import TrainingError
from uncia.training.features.backbone import Backbone, PublishedClassifier
from uncia.training.features.window_sampling import log_softmax
from uncia.training.linear.logistic_regression import ClassPrior, Floats


def published_classifier(backbone: Backbone, cut: str) -> PublishedClassifier:
    """The published classifier over the rows of this cut. Raises `TrainingError` where it does not read them."""
    if cut != backbone.deepest:
        raise TrainingError(f"what {backbone.name} knows is kept at its deepest cut only: leave --cut {cut} out")
    if backbone.published is None:
        raise TrainingError(
            f"the classifier of {backbone.name} is none of ImageNet's 1,000 classes over the mean of its features, so "
            "none of its classes can be kept: take efficientnet-lite0"
        )
    return backbone.published


def find_published(published: PublishedClassifier, names: Sequence[str]) -> tuple[LabelClass, ...]:
    """The published classes of these names: a label, or a taxon that is one class's. Raises `TrainingError`.

    Things are refused: of a label set with a class for nothing they would count as empty frames.
    """
    found = tuple(dict.fromkeys(_one(published, name) for name in names))
    for entry in found:
        if entry.group == "nothing":
            raise TrainingError(
                f"{entry.label!r} is no animal, person or vehicle, and would count as an empty frame: put photographs "
                "of it among those of nothing"
            )
    return found


def _one(published: PublishedClassifier, name: str) -> LabelClass:
    told = normalize_name(name)
    every = published.labels.classes
    found = [entry for entry in every if normalize_name(entry.label) == told] or [
        entry for entry in every if entry.taxon and normalize_name(entry.taxon) == told
    ]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(entry.label for entry in found[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise TrainingError(f"{len(found)} published classes are {name!r}: name one of {some}{more}")
    known = {normalize_name(word): word for entry in every for word in (entry.label, entry.taxon) if word}
    close = [known[each] for each in difflib.get_close_matches(told, known, n=3)]
    hint = f"; is it {' or '.join(close)}?" if close else "."
    raise TrainingError(f"the published network knows no {name!r}{hint} Its classes are those of ImageNet 2012")


def normalize_name(name: str) -> str:
    """A label as it is compared: `Snow_Leopard` is `snow leopard`."""
    return " ".join(name.replace("_", " ").lower().split())


def matching_published(label: str, taxon: str, kept: Sequence[LabelClass]) -> LabelClass | None:
    """Which of the kept classes a class of this label and taxon is. A label goes before a taxon, which several have."""
    by_label = (own for own in kept if normalize_name(own.label) == normalize_name(label))
    by_taxon = (own for own in kept if own.taxon and normalize_name(own.taxon) == normalize_name(taxon))
    return next(by_label, None) or next(by_taxon, None)


def class_prior(
    published: PublishedClassifier, kept: Sequence[LabelClass], classes: Sequence[LabelClass], unseen: Sequence[int]
) -> ClassPrior:
    """What the regression knows before its examples; `unseen`: the classes that none of them shows."""
    source = published.head
    weight = np.zeros((len(classes), source.weight.shape[1]), np.float32)
    columns: dict[int, int] = {}
    for entry in classes:
        if own := matching_published(entry.label, entry.taxon, kept):
            weight[entry.index] = source.weight[own.index]
            columns[entry.index] = own.index
    told = [columns[index] for index in unseen]

    def shares(rows: NDArray[np.float32]) -> Floats:
        found: Floats = np.exp(log_softmax(source.logits(rows))[:, told].astype(np.float64))
        # They are of one softmax and sum to less than one, but for rounding.
        found /= np.maximum(found.sum(axis=1, keepdims=True), 1)
        return found

    return ClassPrior(weight, tuple(unseen), shares)
