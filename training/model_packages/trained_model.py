"""What every way of training comes to, whatever trained it: a network, and its answers to bursts it did not learn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.camtrap.vocabulary import CATEGORIES, category_of
from uncia.imaging.frame_spec import FrameSpec
from uncia.serving.labels import Group, LabelClass
from uncia.training import TrainingError
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.evaluation.thresholds import FEWEST_OTHERS
from uncia.training.retained_classes import published_of
from uncia.triton_models.recipes.dense_pass import DensePass


@dataclass(frozen=True)
class Point:
    """One step of training, for the curves."""

    step: int
    train_loss: float
    held_out_loss: float
    train_accuracy: float
    held_out_accuracy: float


@dataclass(frozen=True)
class Answers:
    """What the network says of some photographs whose truth is known."""

    pictures: tuple[Sample, ...]
    truth: NDArray[np.int64]
    """(N,)"""
    logits: NDArray[np.float32]
    """(N, C), before the temperature."""
    windows: NDArray[np.float32] | None
    """WINDOWS (N, C); None where it is the same as WHOLE."""

    @property
    def bursts(self) -> NDArray[np.str_]:
        return np.array([picture.burst for picture in self.pictures], dtype=np.str_)


@dataclass
class Trained:
    """A network, trained."""

    network: DensePass
    spec: FrameSpec
    classes: tuple[LabelClass, ...]
    held_out: Answers
    test: Answers
    curve: list[Point]
    curve_step: str
    """What a step of the curve is, in words."""
    settings: dict[str, str]
    """What was chosen, for the card."""
    weights: str
    licence: str
    unseen: tuple[int, ...] = ()
    """Classes that no photograph to learn from shows: known from the published network only."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What a reader of the card must know."""


def label_classes(
    pictures: Sequence[Sample], kept: Sequence[LabelClass] = (), elsewhere: Sequence[Sample] = ()
) -> tuple[LabelClass, ...]:
    """The classes of the photographs to learn from, and those `kept` of a published network, by name.

    A kept class is called as the photographs call it, be it those on the other sides, `elsewhere`; what they leave open
    of its taxon and group is the published one's. Raises `TrainingError` where there is only one class.
    """
    first: dict[str, Sample] = {}
    for picture in pictures:
        first.setdefault(picture.label, picture)
    told = [(picture, published_of(picture.label, picture.taxon, kept)) for picture in first.values()]
    found = [_class(picture, known) for picture, known in told]
    for own in kept:
        if own not in [known for _, known in told]:
            called = (each for each in elsewhere if published_of(each.label, each.taxon, kept) == own)
            found.append(_class(next(called, None), own))
    if not first or len(found) < 2:
        there = f"only {next(iter(first))!r}" if first else "nothing"
        raise TrainingError(
            f"the photographs to learn from show {there}: at least two classes are needed. Photographs without any "
            "animal make a good second one; name it `empty`"
        )
    return tuple(
        LabelClass(index=index, label=entry.label, taxon=entry.taxon, group=entry.group)
        for index, entry in enumerate(sorted(found, key=lambda entry: entry.label))
    )


def lasting(classes: Sequence[LabelClass]) -> tuple[int, ...]:
    """The classes that are true of a frame only where they are true of all of it."""
    return tuple(entry.index for entry in classes if entry.group == "nothing")


def known(pictures: Sequence[Sample], classes: Sequence[LabelClass]) -> tuple[Sample, ...]:
    """Those whose label is one of the classes."""
    labels = {entry.label for entry in classes}
    return tuple(picture for picture in pictures if picture.label in labels)


def left_out(split: Split, classes: Sequence[LabelClass], unseen: Sequence[int] = ()) -> list[str]:
    """A note for what nothing could be learnt of, and for sides that are too thin to judge by."""
    notes = []
    labels = {entry.label for entry in classes}
    untaught = {classes[index].label for index in unseen}
    held_out = known(split.held_out, classes)
    seen = {picture.label for picture in held_out}
    if untaught:
        names = ", ".join(sorted(untaught))
        notes.append(f"No photograph to learn from shows {names}: known from the published network only.")
    if unjudged := ", ".join(sorted(untaught - seen)):
        others = len({picture.burst for picture in held_out})
        notes.append(
            f"No held-out burst shows {unjudged}: the threshold lies above all those of other things; what it finds, "
            "these figures cannot tell."
            if others >= FEWEST_OTHERS
            else f"No held-out burst shows {unjudged}, and {others} of other things are too few to put a threshold "
            "above them: there is none."
        )
    strange = sorted({picture.label for picture in (*split.held_out, *split.test)} - labels)
    if strange:
        notes.append(
            f"No photograph to learn from shows {', '.join(strange)}: all of them fell to the other sides of the split "
            "or could not be read. The model does not know them, and nothing here counts them."
        )
    if missing := sorted(labels - seen - untaught):
        notes.append(f"No held-out burst shows {', '.join(missing)}: no threshold and no calibration for them.")
    return notes


def truth_of(pictures: Sequence[Sample], classes: Sequence[LabelClass]) -> NDArray[np.int64]:
    """The class of each, (N,)."""
    index = {entry.label: entry.index for entry in classes}
    return np.array([index[picture.label] for picture in pictures], np.int64)


def loss_and_accuracy(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy and share of right answers; not-a-number without any item."""
    if not len(truth):
        return float("nan"), float("nan")
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return float(losses.mean()), float((logits.argmax(axis=1) == truth).mean())


def _class(picture: Sample | None, known: LabelClass | None) -> LabelClass:
    """As a photograph of it says, and as the published class says where the photograph does not; one of them is."""
    if picture is None:
        assert known is not None
        return known
    taxon = picture.taxon or (known.taxon if known else "")
    # Readers call an animal whatever they do not know by its name.
    group = known.group if known and picture.group in ("", "animal") else _group(picture)
    return LabelClass(index=0, label=picture.label, taxon=taxon, group=group)


def _group(picture: Sample) -> Group:
    """As the data says, else by what such folders are usually called."""
    told = picture.group.lower()
    for group in CATEGORIES:
        if told == group:
            return group
    return category_of(picture.label) or "animal"
