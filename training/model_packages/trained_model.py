"""The common result of every way of training: a network, and its predictions for photographs it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from uncia.camtrap.vocabulary import CATEGORIES, group_of
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import Group, LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.thresholds import MIN_OTHER_BURSTS
from uncia.training.retained_classes import matching_published
from uncia.triton_models.recipes.dense_pass import DensePass


@dataclass(frozen=True)
class CurvePoint:
    """One step of training, for the curves."""

    step: int
    train_loss: float
    held_out_loss: float
    train_accuracy: float
    held_out_accuracy: float


@dataclass(frozen=True)
class LabelledPredictions:
    """The network's predictions for photographs whose truth is known."""

    samples: tuple[Sample, ...]
    truth: NDArray[np.int64]
    """(N,), the true class."""
    logits: NDArray[np.float32]
    """(N, C), before the temperature."""
    windows: NDArray[np.float32] | None
    """WINDOWS (N, C); None where it equals WHOLE."""

    @property
    def bursts(self) -> NDArray[np.str_]:
        """The burst of each row."""
        return np.array([sample.burst for sample in self.samples], dtype=np.str_)


@dataclass
class TrainedModel:
    """A trained network with everything that its package and card need."""

    network: DensePass
    spec: FrameSpec
    classes: tuple[LabelClass, ...]
    held_out: LabelledPredictions
    test: LabelledPredictions
    curve: list[CurvePoint]
    curve_step: str
    """What a step of the curve is: the label of the x axis."""
    settings: dict[str, str]
    """The settings that were used, for the card."""
    weights: str
    licence: str
    unseen: tuple[int, ...] = ()
    """Classes that no training photograph shows: known from the published network only."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What a reader of the card must know."""


def label_classes(
    samples: Sequence[Sample], retained: Sequence[LabelClass] = (), elsewhere: Sequence[Sample] = ()
) -> tuple[LabelClass, ...]:
    """The classes of the training samples and the `retained` ones of a published network, sorted by label.

    A retained class takes its label from the samples, including those of the other subsets, `elsewhere`; taxon and
    group that the samples leave open are the published ones. Raises `TrainingError` for fewer than two classes.
    """
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.label, sample)
    matches = [(sample, matching_published(sample.label, sample.taxon, retained)) for sample in first.values()]
    found = [_label_class(sample, published) for sample, published in matches]
    for entry in retained:
        if entry not in [published for _, published in matches]:
            named = (one for one in elsewhere if matching_published(one.label, one.taxon, retained) == entry)
            found.append(_label_class(next(named, None), entry))
    if not first or len(found) < 2:
        shown = f"only {next(iter(first))!r}" if first else "nothing"
        raise TrainingError(
            f"the training photographs show {shown}: at least two classes are needed. Photographs without any animal "
            "make a good second one; label them `empty`"
        )
    return tuple(
        LabelClass(index=index, label=entry.label, taxon=entry.taxon, group=entry.group)
        for index, entry in enumerate(sorted(found, key=lambda entry: entry.label))
    )


def frame_wide_classes(classes: Sequence[LabelClass]) -> tuple[int, ...]:
    """The classes that are true of a frame only where they are true of all of it: those of nothing."""
    return tuple(entry.index for entry in classes if entry.group == "nothing")


def with_known_labels(samples: Sequence[Sample], classes: Sequence[LabelClass]) -> tuple[Sample, ...]:
    """The samples whose label is one of the classes."""
    labels = {entry.label for entry in classes}
    return tuple(sample for sample in samples if sample.label in labels)


def coverage_notes(split: Split, classes: Sequence[LabelClass], unseen: Sequence[int] = ()) -> list[str]:
    """Notes for the card on a split that shares cameras, and on classes that some subset does not show.

    `unseen` as in `TrainedModel`.
    """
    notes = camera_notes(split)
    labels = {entry.label for entry in classes}
    untrained = {classes[index].label for index in unseen}
    held_out = with_known_labels(split.held_out, classes)
    held_out_labels = {sample.label for sample in held_out}
    if untrained:
        names = ", ".join(sorted(untrained))
        notes.append(f"No training photograph shows {names}: known from the published network only.")
    if names := ", ".join(sorted(untrained - held_out_labels)):
        others = len({sample.burst for sample in held_out})
        notes.append(
            f"No held-out burst shows {names}: the threshold lies above the scores of all bursts of other classes; how "
            "much it finds is unknown."
            if others >= MIN_OTHER_BURSTS
            else f"No held-out burst shows {names}, and {others} bursts of other classes are too few to set a "
            "threshold above them: there is none."
        )
    other_labels = sorted({sample.label for sample in (*split.held_out, *split.test)} - labels)
    if other_labels:
        notes.append(
            f"No training photograph shows {', '.join(other_labels)}: the split put all of them into the other "
            "subsets, or they could not be read. The model does not know these classes, and no figure counts them."
        )
    if missing := sorted(labels - held_out_labels - untrained):
        notes.append(f"No held-out burst shows {', '.join(missing)}: no threshold and no calibration for them.")
    return notes


def camera_notes(split: Split) -> list[str]:
    """A warning where the test photographs are of cameras that training photographs are of, or of unknown ones."""
    trained, tested = ({sample.camera for sample in part} for part in (split.train, split.test))
    if not tested:
        return []
    if "" in tested or "" in trained:
        return [
            "Not split by camera: the camera of some photographs is unknown. The figures do not show how the model "
            "does on a camera that it was not trained on, which is often much worse; state the cameras, and split by "
            "camera."
        ]
    shared = len(trained & tested)
    if not shared:
        return []
    return [
        f"Not split by camera: {shared} of the {len(tested)} cameras of the test photographs are in the training "
        "photographs as well. The figures do not show how the model does on another camera, which is often much worse: "
        "split by camera (--split-by camera)."
    ]


def label_indices(samples: Sequence[Sample], classes: Sequence[LabelClass]) -> NDArray[np.int64]:
    """The class of each sample, (N,)."""
    index = {entry.label: entry.index for entry in classes}
    return np.array([index[sample.label] for sample in samples], np.int64)


def loss_and_accuracy(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy; NaN without any item."""
    if not len(truth):
        return float("nan"), float("nan")
    losses = -log_softmax(logits, axis=1)[np.arange(len(truth)), truth]
    return float(losses.mean()), float((logits.argmax(axis=1) == truth).mean())


def _label_class(sample: Sample | None, published: LabelClass | None) -> LabelClass:
    """From a sample, completed by the published class; at least one of them is given."""
    if sample is None:
        assert published is not None
        return published
    taxon = sample.taxon or (published.taxon if published else "")
    # The dataset readers assign the group animal to every label that they do not know.
    group = published.group if published and sample.group in ("", "animal") else _group(sample)
    return LabelClass(index=0, label=sample.label, taxon=taxon, group=group)


def _group(sample: Sample) -> Group:
    """The group in the data, else the one that the label usually means."""
    declared = sample.group.lower()
    for group in CATEGORIES:
        if declared == group:
            return group
    return group_of(sample.label)
