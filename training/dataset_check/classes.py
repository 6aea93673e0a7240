"""How the labels are spread: over pictures, bursts and cameras."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.readers.vocabulary import normalize_label

FEW_BURSTS = 5
"""With fewer, a label is missing on some side of a split, or is measured by a burst or two."""
UNEQUAL = 50
"""The largest class against the smallest, in bursts."""


@dataclass(frozen=True)
class ClassCount:
    """One label."""

    label: str
    group: str
    pictures: int
    bursts: int
    cameras: int
    """0 where no camera is known."""


def count_classes(pictures: Sequence[Sample]) -> list[ClassCount]:
    """Most bursts first."""
    of: dict[str, list[Sample]] = defaultdict(list)
    for picture in pictures:
        of[picture.label].append(picture)
    counts = [
        ClassCount(
            label,
            members[0].group,
            len(members),
            len({one.burst for one in members}),
            len({one.camera for one in members if one.camera}),
        )
        for label, members in of.items()
    ]
    return sorted(counts, key=lambda count: (-count.bursts, count.label))


def class_warnings(counts: Sequence[ClassCount], cameras: int) -> list[str]:
    """What a model cannot be learnt or measured with, a sentence each. `cameras`: how many there are in all."""
    said = []
    if len(counts) == 1:
        said.append(
            f"{counts[0].label} is the only class: nothing can be learnt from it; add pictures of something else"
        )
    for count in counts:
        if count.bursts < FEW_BURSTS:
            have = f"{count.bursts} burst{'s' if count.bursts != 1 else ''} ({count.pictures} pictures)"
            said.append(f"{count.label} has {have}: too few to learn and to test; {FEW_BURSTS} are the least")
        elif count.cameras == 1 and cameras > 1:
            said.append(f"all of {count.label} is from one camera: a model may learn the place instead of the animal")
    if len(counts) > 1 and counts[0].bursts > UNEQUAL * counts[-1].bursts:
        most, least = counts[0], counts[-1]
        said.append(f"very unequal: {most.label} has {most.bursts:,} bursts, {least.label} {least.bursts:,}")
    if len(counts) > 1 and not any(count.group == "nothing" for count in counts):
        said.append("no empty frames: a model of these classes sees an animal in every waving branch")
    names: dict[str, list[str]] = defaultdict(list)
    for count in counts:
        names[normalize_label(count.label)].append(count.label)
    said += [
        f"{' and '.join(sorted(same))} look like one class under several names"
        for same in names.values()
        if len(same) > 1
    ]
    return said
