"""Any labelled data as animal, person, vehicle and nothing, and a split that tries kinds never seen before."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from uncia.errors import UnciaError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split, split
from uncia.training.offline_inference.presence import sample_group

TAXA = {"animal": "Animalia", "person": "Homo sapiens", "vehicle": "", "nothing": ""}
"""The taxon of each whole group."""

_KINDS_APART = 5
"""A group of fewer kinds cannot spare any: its bursts are split, not its kinds."""


class GroupsError(UnciaError):
    """The data do not tell animal and nothing apart."""


def label_by_group(data: Dataset) -> Dataset:
    """The same pictures, each labelled with its group. What the data have no group for is an animal.

    `camera` becomes what a split may not part: the kind, where its group has five or more, else the burst. So a head
    that has only learnt these kinds by heart is found out. Raises `GroupsError` where animal or nothing is missing.
    """
    groups = [sample_group(picture) or "animal" for picture in data.samples]
    if missing := [name for name in ("animal", "nothing") if name not in groups]:
        raise GroupsError(
            f"no picture shows {' or '.join(missing)}: the head learns from pictures with animals and from empty ones "
            "of the same cameras (label them `nothing`)"
        )
    kinds: dict[str, set[str]] = defaultdict(set)
    for picture, group in zip(data.samples, groups, strict=True):
        kinds[group].add(picture.label)
    kept_whole = _kept_whole(data.samples, groups, kinds)
    pictures = [
        replace(picture, label=group, group=group, taxon=TAXA[group], camera=kept_whole[picture.burst])
        for picture, group in zip(data.samples, groups, strict=True)
    ]
    counted = ", ".join(f"{groups.count(group):,} {group} of {len(kinds[group])} kinds" for group in sorted(kinds))
    return data.with_samples(pictures, counted)


def split_by_kind(data: Dataset, *, seed: int) -> Split:
    """Split what `label_by_group` made: no kind and no burst on two sides."""
    return split(data, seed=seed, by="camera")


def _kept_whole(pictures: Sequence[Sample], groups: Sequence[str], kinds: dict[str, set[str]]) -> dict[str, str]:
    """For each burst what its pictures are kept together with: empty frames go with the kind of their burst."""
    inside: dict[str, Counter[str]] = defaultdict(Counter)
    for picture, group in zip(pictures, groups, strict=True):
        whole = picture.label if group != "nothing" and len(kinds[group]) >= _KINDS_APART else ""
        inside[picture.burst][whole] += group != "nothing"
    told = {}
    for burst, counts in inside.items():
        kind = max(counts, key=lambda name: (counts[name], name))
        told[burst] = f"kind {kind}" if kind and counts[kind] else f"burst {burst}"
    return told
