"""Distribution of the labels over images, bursts and cameras."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from uncia.camtrap.vocabulary import normalized_label
from uncia.training.datasets.dataset import Sample

FEW_BURSTS = 5
"""A label with fewer bursts is missing from a subset of a split, or is evaluated on one or two bursts."""
MOST_IMBALANCE = 50
"""Bursts of the largest class divided by bursts of the smallest."""


@dataclass(frozen=True)
class ClassCount:
    """Size of a class. The fields are keys of the JSON output."""

    label: str
    group: str
    pictures: int
    bursts: int
    cameras: int
    """0 where no camera is known."""


def count_classes(samples: Sequence[Sample]) -> list[ClassCount]:
    """Sizes of all classes, the one with most bursts first."""
    by_label: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_label[sample.label].append(sample)
    counts = [
        ClassCount(
            label,
            members[0].group,
            len(members),
            len({one.burst for one in members}),
            len({one.camera for one in members if one.camera}),
        )
        for label, members in by_label.items()
    ]
    return sorted(counts, key=lambda count: (-count.bursts, count.label))


def class_warnings(counts: Sequence[ClassCount], cameras: int) -> list[str]:
    """Problems for training or evaluation, a sentence each. `cameras` is the number of cameras in the dataset."""
    warnings = []
    if len(counts) == 1:
        warnings.append(f"{counts[0].label} is the only class: a classifier needs two; add images of another class")
    for count in counts:
        if count.bursts < FEW_BURSTS:
            have = f"{count.bursts} burst{'s' if count.bursts != 1 else ''} ({count.pictures} images)"
            warnings.append(f"{count.label} has {have}: too few to train and to test; at least {FEW_BURSTS} are needed")
        elif count.cameras == 1 and cameras > 1:
            warnings.append(
                f"all of {count.label} is from one camera: a model may learn the background instead of the animal"
            )
    if len(counts) > 1 and counts[0].bursts > MOST_IMBALANCE * counts[-1].bursts:
        most, least = counts[0], counts[-1]
        warnings.append(f"imbalanced: {most.label} has {most.bursts:,} bursts, {least.label} {least.bursts:,}")
    if len(counts) > 1 and not any(count.group == "nothing" for count in counts):
        warnings.append("no empty frames: a model of these classes reports an animal in every moving branch")
    names: dict[str, list[str]] = defaultdict(list)
    for count in counts:
        names[normalized_label(count.label)].append(count.label)
    warnings += [
        f"{' and '.join(sorted(labels))} appear to be one class under several names"
        for labels in names.values()
        if len(labels) > 1
    ]
    return warnings
