"""A data set in three sides, of which none knows the others.

Frames of one burst are nearly the same picture. A split that parts them measures memory, not learning, and reports
figures that no new camera will ever see. So whole bursts go to one side, or whole cameras where that is asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from uncia.errors import SettingsError
from uncia.training.datasets.dataset import Dataset, Sample

By = Literal["burst", "camera"]
SUBSETS = ("train", "held_out", "test")


@dataclass(frozen=True)
class Split:
    """Three sides. Learn on `train`; choose settings, thresholds and weights on `held_out`; report `test`."""

    train: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    test: tuple[Sample, ...]
    by: By = "burst"

    @property
    def subsets(self) -> tuple[tuple[Sample, ...], ...]:
        """In the order of `SUBSETS`."""
        return self.train, self.held_out, self.test


def split(data: Dataset, *, seed: int, shares: tuple[float, float, float] = (0.6, 0.2, 0.2), by: By = "burst") -> Split:
    """Every picture on one side; bursts (or cameras, and then their bursts too) whole; labels as even as that goes.

    The rarest labels are dealt first, each burst to the side that lacks most of them, in pictures. A label of one
    burst is on one side only: `train`, where it has a share. Same data, seed and shares: same split. Pictures keep
    their order. Raises `SettingsError` when a share is wrong, or for `by="camera"` when a camera is not known.
    """
    _check(shares, by)
    if by == "camera" and not all(picture.camera for picture in data.samples):
        unknown = sum(not picture.camera for picture in data.samples)
        raise SettingsError(
            f"the camera of {unknown:,} pictures is not known: tell it (a table can), or split by burst"
        )
    whole = _wholes(data.samples, by)
    members: dict[int, list[int]] = defaultdict(list)
    for place, root in enumerate(whole):
        members[root].append(place)
    side_of = _deal(data.samples, list(members.values()), seed, shares)
    parts: tuple[list[Sample], list[Sample], list[Sample]] = ([], [], [])
    for place, picture in enumerate(data.samples):
        parts[side_of[place]].append(picture)
    return Split(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]), by)


def find_leaks(parts: Split) -> list[str]:
    """What is on two sides and must not be, a sentence each: files, bursts, and for `by="camera"` cameras."""
    found = []
    for what, of in (("file", _path), ("burst", _burst), ("camera", _camera)):
        if what == "camera" and parts.by != "camera":
            continue
        seen: dict[str, set[str]] = defaultdict(set)
        for name, side in zip(SUBSETS, parts.subsets, strict=True):
            for picture in side:
                seen[of(picture)].add(name)
        for key, names in seen.items():
            if len(names) > 1 and key:
                where = " and ".join(name.replace("_", "-") for name in SUBSETS if name in names)
                found.append(f"{what} {key} is in {where}")
    return found


def _path(picture: Sample) -> str:
    return str(picture.path)


def _burst(picture: Sample) -> str:
    return picture.burst


def _camera(picture: Sample) -> str:
    return picture.camera


def _check(shares: Sequence[float], by: str) -> None:
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise SettingsError(f"shares {shares}: three of them, none below 0, that add up to 1 (train, held-out, test)")
    if by not in ("burst", "camera"):
        raise SettingsError(f"no split by {by!r}: burst or camera")


def _wholes(pictures: Sequence[Sample], by: By) -> list[int]:
    """For each picture the number of what must stay together: what shares a file, a burst or (asked for) a camera."""
    parent = list(range(len(pictures)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    first: dict[tuple[str, str], int] = {}
    for place, picture in enumerate(pictures):
        keys = [("file", str(picture.path)), ("burst", picture.burst)]
        if by == "camera":
            keys.append(("camera", picture.camera))
        for key in keys:
            if key[1]:
                parent[root(place)] = root(first.setdefault(key, place))
    return [root(place) for place in range(len(pictures))]


def _deal(
    pictures: Sequence[Sample], wholes: list[list[int]], seed: int, shares: tuple[float, float, float]
) -> dict[int, int]:
    """Which side each picture goes to. Iterative stratification (Sechidis and others, 2011), by whole bursts."""
    total = Counter(picture.label for picture in pictures)
    wants = [{label: count * share for label, count in total.items()} for share in shares]
    room = [share * len(pictures) for share in shares]
    counts = [Counter(pictures[place].label for place in whole) for whole in wholes]
    # A shuffle, then stable sorts: the seed decides among equals only.
    order = list(range(len(wholes)))
    Random(seed).shuffle(order)
    order.sort(key=lambda number: (min((total[label], label) for label in counts[number]), -len(wholes[number])))
    side_of: dict[int, int] = {}
    for number in order:
        label = min(counts[number], key=lambda name: (total[name], name))
        side = max(_open(shares), key=lambda one: (round(wants[one][label], 6), round(room[one], 6), -one))
        for name, count in counts[number].items():
            wants[side][name] -= count
        room[side] -= len(wholes[number])
        side_of.update(dict.fromkeys(wholes[number], side))
    return side_of


def _open(shares: Iterable[float]) -> list[int]:
    return [side for side, share in enumerate(shares) if share > 0]
