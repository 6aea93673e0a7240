"""Split a dataset into three subsets that share no burst.

Frames of one burst are nearly the same image. A split that separates them measures memory instead of learning, and
reports figures that no new camera reaches. So a burst belongs to one subset as a whole, or a camera with all of its
bursts where the split is by camera.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from uncia.errors import SettingsError
from uncia.training.datasets.dataset import Dataset, Sample

By = Literal["burst", "camera"]
SUBSETS = ("train", "held_out", "test")


@dataclass(frozen=True)
class Split:
    """Three subsets: fit on `train`; choose settings, thresholds and weights on `held_out`; report on `test`."""

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    test: tuple[Sample, ...]
    by: By = "burst"

    @property
    def subsets(self) -> tuple[tuple[Sample, ...], ...]:
        """The three subsets in the order of `SUBSETS`."""
        return self.train, self.held_out, self.test


def split(data: Dataset, *, seed: int, shares: tuple[float, float, float] = (0.6, 0.2, 0.2), by: By = "burst") -> Split:
    """Assign every sample to one subset, without separating a burst (or a camera), and with labels evenly distributed.

    The rarest labels are assigned first, each burst to the subset that lacks most of its share of the label, counted in
    samples. A label with a single burst is in one subset only: `train`, unless the share of `train` is 0. The result is
    the same for the same data, seed and shares; samples keep their order. Raises `SettingsError` for invalid shares,
    and with `by="camera"` where the camera of a sample is unknown.
    """
    _check(shares, by)
    if by == "camera" and not all(sample.camera for sample in data.samples):
        unknown = sum(not sample.camera for sample in data.samples)
        raise SettingsError(
            f"the camera of {unknown:,} images is not known: state it (in a table, say), or split by burst"
        )
    roots = _connected_components(data.samples, by)
    members: dict[int, list[int]] = defaultdict(list)
    for index, root in enumerate(roots):
        members[root].append(index)
    subset_of = _assign(data.samples, list(members.values()), seed, shares)
    parts: tuple[list[Sample], list[Sample], list[Sample]] = ([], [], [])
    for index, sample in enumerate(data.samples):
        parts[subset_of[index]].append(sample)
    return Split(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]), by)


def find_leaks(parts: Split) -> list[str]:
    """Files and bursts that are in several subsets, a sentence each; with `by="camera"` cameras as well."""
    keys: list[tuple[str, Callable[[Sample], str]]] = [
        ("file", lambda sample: str(sample.path)),
        ("burst", lambda sample: sample.burst),
    ]
    if parts.by == "camera":
        keys.append(("camera", lambda sample: sample.camera))
    leaks = []
    for kind, key_of in keys:
        found: dict[str, set[str]] = defaultdict(set)
        for name, subset in zip(SUBSETS, parts.subsets, strict=True):
            for sample in subset:
                found[key_of(sample)].add(name)
        for key, names in found.items():
            if len(names) > 1 and key:
                where = " and ".join(name.replace("_", "-") for name in SUBSETS if name in names)
                leaks.append(f"{kind} {key} is in {where}")
    return leaks


def _check(shares: Sequence[float], by: str) -> None:
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise SettingsError(
            f"invalid shares {shares}: give three (train, held-out, test), none below 0, that add up to 1"
        )
    if by not in ("burst", "camera"):
        raise SettingsError(f"cannot split by {by!r}: choose burst or camera")


def _connected_components(samples: Sequence[Sample], by: By) -> list[int]:
    """For each sample the index that represents its component: samples that share a file, a burst, or a camera.

    Union-find with path halving.
    """
    parent = list(range(len(samples)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, sample in enumerate(samples):
        keys = [("file", str(sample.path)), ("burst", sample.burst)]
        if by == "camera":
            keys.append(("camera", sample.camera))
        for key in keys:
            if key[1]:
                parent[root(index)] = root(first.setdefault(key, index))
    return [root(index) for index in range(len(samples))]


def _assign(
    samples: Sequence[Sample], components: list[list[int]], seed: int, shares: tuple[float, float, float]
) -> dict[int, int]:
    """Number of the subset by index of the sample.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data, ECML PKDD 2011),
    applied to components instead of single samples.
    """
    total = Counter(sample.label for sample in samples)
    missing = [{label: count * share for label, count in total.items()} for share in shares]
    room = [share * len(samples) for share in shares]
    counts = [Counter(samples[index].label for index in component) for component in components]
    # A shuffle, then stable sorts: the seed decides only among equals.
    order = list(range(len(components)))
    Random(seed).shuffle(order)
    order.sort(key=lambda number: (min((total[label], label) for label in counts[number]), -len(components[number])))
    allowed = [subset for subset, share in enumerate(shares) if share > 0]
    subset_of: dict[int, int] = {}
    for number in order:
        label = min(counts[number], key=lambda name: (total[name], name))
        subset = max(allowed, key=lambda one: (round(missing[one][label], 6), round(room[one], 6), -one))
        for name, count in counts[number].items():
            missing[subset][name] -= count
        room[subset] -= len(components[number])
        subset_of.update(dict.fromkeys(components[number], subset))
    return subset_of
