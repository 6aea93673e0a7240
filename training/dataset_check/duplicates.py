"""The same photograph twice: the same bytes, or the same shot saved again, smaller or otherwise compressed.

A camera that does not move photographs nearly the same frame a hundred times, and that is no duplicate. So two files
are near copies only if they agree as closely as two savings of one shot do, which the sensor's noise keeps two shots
from, and if what is known of them (burst, time) allows that they are one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uncia.training.dataset_check.contents import FileContent
from uncia.training.dataset_check.near_duplicates import ComparedFiles, find_near_duplicates
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import SUBSETS, Split

Kind = Literal["exact", "near"]


@dataclass(frozen=True)
class DuplicateGroup:
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
    pictures: Sequence[Sample], contents: Mapping[Path, FileContent], split: Split | None = None
) -> list[DuplicateGroup]:
    """Groups of files, exact copies first, then by their first path."""
    of: dict[Path, list[Sample]] = defaultdict(list)
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
    if firsts:
        shots = ComparedFiles.of([(of[path][0], contents[path]) for path in firsts])
        found += [
            _group("near", [firsts[place] for place in group], of, sides) for group in find_near_duplicates(shots)
        ]
    return found


def _sides(split: Split | None) -> dict[Path, set[str]]:
    sides: dict[Path, set[str]] = defaultdict(set)
    if split is not None:
        for name, side in zip(SUBSETS, split.subsets, strict=True):
            for picture in side:
                sides[picture.path].add(name)
    return sides


def _group(
    kind: Kind, paths: Iterable[Path], of: Mapping[Path, list[Sample]], sides: Mapping[Path, set[str]]
) -> DuplicateGroup:
    ordered = tuple(sorted(paths))
    labels = [frozenset(picture.label for picture in of[path]) for path in ordered]
    lying = set().union(*(sides.get(path, set()) for path in ordered))
    return DuplicateGroup(
        kind,
        ordered,
        tuple(sorted(frozenset().union(*labels))),
        len(set(labels)) > 1,
        tuple(side for side in SUBSETS if side in lying),
    )
