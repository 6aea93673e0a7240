"""Any labelled dataset as animal, person, vehicle and nothing, and a split that tests on kinds never seen before."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from uncia.errors import UnciaError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split, split
from uncia.training.offline_inference.presence import sample_group

TAXA = {"animal": "Animalia", "person": "Homo sapiens", "vehicle": "", "nothing": ""}
"""The taxon of each whole group."""

_MIN_KINDS_TO_SPLIT = 5
"""A group of fewer kinds cannot spare any: its bursts are split, not its kinds."""


class GroupsError(UnciaError):
    """The data lack animals or empty frames."""


def label_by_group(data: Dataset) -> Dataset:
    """The same samples, each labelled with its group. A sample without a known group counts as an animal.

    `camera` becomes the unit that a split keeps together: the kind, where its group has five or more, else the burst.
    The test then reveals a head that has only memorised the kinds of its training set. Raises `GroupsError` where
    animals or empty frames are missing.
    """
    groups = [sample_group(sample) or "animal" for sample in data.samples]
    if missing := [name for name in ("animal", "nothing") if name not in groups]:
        raise GroupsError(
            f"no picture shows {' or '.join(missing)}: the head needs pictures with animals and empty ones of the same "
            "cameras (label them `nothing`)"
        )
    kinds: dict[str, set[str]] = defaultdict(set)
    for sample, group in zip(data.samples, groups, strict=True):
        kinds[group].add(sample.label)
    units = _split_units(data.samples, groups, kinds)
    samples = [
        replace(sample, label=group, group=group, taxon=TAXA[group], camera=units[sample.burst])
        for sample, group in zip(data.samples, groups, strict=True)
    ]
    counts = ", ".join(f"{groups.count(group):,} {group} of {len(kinds[group])} kinds" for group in sorted(kinds))
    return data.with_samples(samples, counts)


def split_by_kind(data: Dataset, *, seed: int) -> Split:
    """Split what `label_by_group` returned: no kind and no burst is in two subsets."""
    return split(data, seed=seed, by="camera")


def _split_units(samples: Sequence[Sample], groups: Sequence[str], kinds: dict[str, set[str]]) -> dict[str, str]:
    """For each burst the unit that is not split: its most frequent kind, which empty frames follow, or the burst."""
    inside: dict[str, Counter[str]] = defaultdict(Counter)
    for sample, group in zip(samples, groups, strict=True):
        kind = sample.label if group != "nothing" and len(kinds[group]) >= _MIN_KINDS_TO_SPLIT else ""
        inside[sample.burst][kind] += group != "nothing"
    units = {}
    for burst, counts in inside.items():
        kind = max(counts, key=lambda name: (counts[name], name))
        units[burst] = f"kind {kind}" if kind and counts[kind] else f"burst {burst}"
    return units
