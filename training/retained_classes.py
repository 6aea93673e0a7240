"""Classes of the published network that a head retains, with or without photographs of them.

A hundred labels rarely show the rare animal that the station is there for, while the published network may have
learnt it from a thousand portraits. The class's weights in the published classifier become the weights towards which
the head's are regularised; without any photograph of the class they stay nearly unchanged.
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
    """The published classifier for the features of this cut. Raises `TrainingError` where it has another input."""
    if cut != backbone.deepest:
        raise TrainingError(
            f"classes of {backbone.name} can be retained at its deepest cut only: leave --cut {cut} out"
        )
    if backbone.published is None:
        raise TrainingError(
            f"none of the classes of {backbone.name} can be retained: its classifier is not over ImageNet's 1,000 "
            "classes and the mean of its features; use efficientnet-lite0"
        )
    return backbone.published


def find_published(published: PublishedClassifier, names: Sequence[str]) -> tuple[LabelClass, ...]:
    """The published classes with these names: a label, or a taxon that only one class has.

    Raises `TrainingError` for an unknown or ambiguous name, and for a class of things: in a label set with a class for
    nothing it would count as an empty frame.
    """
    found = tuple(dict.fromkeys(_find_one(published, name) for name in names))
    for entry in found:
        if entry.group == "nothing":
            raise TrainingError(
                f"{entry.label!r} is no animal, person or vehicle, and would count as an empty frame: put photographs "
                "of it among those of nothing"
            )
    return found


def _find_one(published: PublishedClassifier, name: str) -> LabelClass:
    wanted = normalize_name(name)
    classes = published.labels.classes
    found = [entry for entry in classes if normalize_name(entry.label) == wanted] or [
        entry for entry in classes if entry.taxon and normalize_name(entry.taxon) == wanted
    ]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(entry.label for entry in found[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise TrainingError(f"{len(found)} published classes are {name!r}: name one of {some}{more}")
    known = {normalize_name(text): text for entry in classes for text in (entry.label, entry.taxon) if text}
    close = [known[match] for match in difflib.get_close_matches(wanted, known, n=3)]
    hint = f"; is it {' or '.join(close)}?" if close else "."
    raise TrainingError(f"the published network has no class {name!r}{hint} Its classes are those of ImageNet 2012")


def normalize_name(name: str) -> str:
    """A label for comparison: `Snow_Leopard` becomes `snow leopard`."""
    return " ".join(name.replace("_", " ").lower().split())


def matching_published(label: str, taxon: str, retained: Sequence[LabelClass]) -> LabelClass | None:
    """The retained class with this label or else this taxon. A label has precedence: several classes share a taxon."""
    by_label = (entry for entry in retained if normalize_name(entry.label) == normalize_name(label))
    by_taxon = (entry for entry in retained if entry.taxon and normalize_name(entry.taxon) == normalize_name(taxon))
    return next(by_label, None) or next(by_taxon, None)


def class_prior(
    published: PublishedClassifier,
    retained: Sequence[LabelClass],
    classes: Sequence[LabelClass],
    unseen: Sequence[int],
) -> ClassPrior:
    """The prior of the regression over `classes`; `unseen` are the indices of those without any example."""
    source = published.head
    weight = np.zeros((len(classes), source.weight.shape[1]), np.float32)
    columns: dict[int, int] = {}
    for entry in classes:
        if match := matching_published(entry.label, entry.taxon, retained):
            weight[entry.index] = source.weight[match.index]
            columns[entry.index] = match.index
    unseen_columns = [columns[index] for index in unseen]

    def shares(rows: NDArray[np.float32]) -> Floats:
        probabilities: Floats = np.exp(log_softmax(source.logits(rows))[:, unseen_columns].astype(np.float64))
        # Shares of one softmax sum to less than one, except for rounding.
        probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1)
        return probabilities

    return ClassPrior(weight, tuple(unseen), shares)
