"""The same photograph twice: the same bytes, or the same shot saved again, smaller or otherwise compressed.

A camera that does not move photographs nearly the same frame a hundred times, and that is no duplicate. So two files
are near copies only if they agree as closely as two savings of one shot do, which the sensor's noise keeps two shots
from, and if what is known of them (burst, time) allows that they are one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from triton_models.data.check.contents import Content
from triton_models.data.pictures import Picture
from triton_models.data.splits import SIDES, Split

Kind = Literal["exact", "near"]

_BITS = 3
"""Bits of 64 that may differ; four bands of 16 bits then share at least one."""
_MOST_APART = 2.0
"""Mean difference of the thumbnails' grey, of 255: two savings of one shot differ by 0.5 to 1."""
_MOST_IN_A_SPOT = 12.0
"""In any one spot. An animal that took a step changes a few spots by 30 and the mean hardly; saving again by 3 or 4."""
_FLAT = 6.0
"""Standard deviation of a thumbnail below which it shows nothing that could be compared: black, fog, snow."""
_CROWDED = 400
"""Files in one band's bucket from which only neighbours by hash are compared."""


@dataclass(frozen=True)
class Duplicates:
    """Files that show one shot."""

    kind: Kind
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    """All labels that one of the files has, sorted. A file may have several where several animals are on it."""
    contradict: bool
    """The files do not have the same labels."""
    sides: tuple[str, ...]
    """The sides of the split on which they lie; more than one is a leak."""


def find_duplicates(
    pictures: Sequence[Picture], contents: Mapping[Path, Content], split: Split | None = None
) -> list[Duplicates]:
    """Groups of files, exact copies first, then by their first path."""
    of: dict[Path, list[Picture]] = defaultdict(list)
    for picture in pictures:
        if picture.path in contents:
            of[picture.path].append(picture)
    sides = _sides(split)
    by_bytes: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(of):
        by_bytes[contents[path].sha256].append(path)
    found = [_group("exact", paths, of, sides) for paths in by_bytes.values() if len(paths) > 1]
    # Of exact copies the first stands for all.
    firsts = [paths[0] for paths in by_bytes.values()]
    found += [_group("near", paths, of, sides) for paths in _near(firsts, of, contents)]
    return found


def _sides(split: Split | None) -> dict[Path, set[str]]:
    sides: dict[Path, set[str]] = defaultdict(set)
    if split is not None:
        for name, side in zip(SIDES, split.sides, strict=True):
            for picture in side:
                sides[picture.path].add(name)
    return sides


def _group(
    kind: Kind, paths: Iterable[Path], of: Mapping[Path, list[Picture]], sides: Mapping[Path, set[str]]
) -> Duplicates:
    ordered = tuple(sorted(paths))
    labels = [frozenset(picture.label for picture in of[path]) for path in ordered]
    lying = set().union(*(sides.get(path, set()) for path in ordered))
    return Duplicates(
        kind,
        ordered,
        tuple(sorted(frozenset().union(*labels))),
        len(set(labels)) > 1,
        tuple(side for side in SIDES if side in lying),
    )


def _near(
    paths: Sequence[Path], of: Mapping[Path, list[Picture]], contents: Mapping[Path, Content]
) -> list[list[Path]]:
    together: dict[Path, Path] = {}

    def root(path: Path) -> Path:
        while path in together:
            path = together[path]
        return path

    for first, second in _candidates(paths, contents):
        if root(first) != root(second) and _one_shot(first, second, of, contents):
            together[root(second)] = root(first)
    groups: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        groups[root(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(paths: Sequence[Path], contents: Mapping[Path, Content]) -> Iterable[tuple[Path, Path]]:
    """Pairs whose hashes differ in few bits, each at most four times."""
    lively = [path for path in paths if contents[path].thumbnail.std() >= _FLAT]
    for band in range(4):
        buckets: dict[int, list[Path]] = defaultdict(list)
        for path in lively:
            buckets[contents[path].hash >> (16 * band) & 0xFFFF].append(path)
        for bucket in buckets.values():
            if len(bucket) > _CROWDED:
                ordered = sorted(bucket, key=lambda path: (contents[path].hash, path))
                pairs: Iterable[tuple[Path, Path]] = (
                    pair for begin in range(len(ordered) - 1) for pair in _with_next(ordered[begin : begin + 9])
                )
            else:
                pairs = combinations(bucket, 2)
            for first, second in pairs:
                if (contents[first].hash ^ contents[second].hash).bit_count() <= _BITS:
                    yield first, second


def _with_next(paths: Sequence[Path]) -> Iterable[tuple[Path, Path]]:
    return ((paths[0], other) for other in paths[1:])


def _one_shot(first: Path, second: Path, of: Mapping[Path, list[Picture]], contents: Mapping[Path, Content]) -> bool:
    a, b = of[first][0], of[second][0]
    if a.burst == b.burst or (a.taken and b.taken and a.taken != b.taken):
        return False
    one, other = (contents[path].thumbnail.astype(np.int16) for path in (first, second))
    apart = np.abs(one - other)
    return float(apart.mean()) <= _MOST_APART and float(apart.max()) <= _MOST_IN_A_SPOT
