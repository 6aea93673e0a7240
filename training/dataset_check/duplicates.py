"""Duplicates: files with the same bytes, and files that hold one photograph in another size or compression.

A camera in front of an unchanging scene takes nearly the same frame a hundred times, and these are not duplicates. Two
files are near duplicates only if they agree as closely as two encodings of one photograph do, which the sensor noise
prevents for two photographs, and if burst and time do not contradict it.
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
    """Files that hold one photograph. The fields are keys of the JSON output."""

    kind: Kind
    paths: tuple[Path, ...]
    labels: tuple[str, ...]
    """All labels of the files, sorted. A file with several animals has several."""
    contradict: bool
    """Whether the labels of the files differ."""
    sides: tuple[str, ...]
    """Subsets of the split in which the files are; more than one is a leak."""


def find_duplicates(
    samples: Sequence[Sample], contents: Mapping[Path, FileContent], split: Split | None = None
) -> list[DuplicateGroup]:
    """Groups of duplicates: exact ones first, then near ones, each by their first path."""
    by_path: dict[Path, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.path in contents:
            by_path[sample.path].append(sample)
    subsets = _subsets_by_path(split)
    by_bytes: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(by_path):
        by_bytes[contents[path].sha256].append(path)
    found = [_group("exact", paths, by_path, subsets) for paths in by_bytes.values() if len(paths) > 1]
    # The first of exact duplicates represents them in the comparison.
    firsts = [paths[0] for paths in by_bytes.values()]
    if firsts:
        files = ComparedFiles.of([(by_path[path][0], contents[path]) for path in firsts])
        for group in find_near_duplicates(files):
            found.append(_group("near", [firsts[index] for index in group], by_path, subsets))
    return found


def _subsets_by_path(split: Split | None) -> dict[Path, set[str]]:
    subsets: dict[Path, set[str]] = defaultdict(set)
    if split is not None:
        for name, subset in zip(SUBSETS, split.subsets, strict=True):
            for sample in subset:
                subsets[sample.path].add(name)
    return subsets


def _group(
    kind: Kind, paths: Iterable[Path], by_path: Mapping[Path, list[Sample]], subsets: Mapping[Path, set[str]]
) -> DuplicateGroup:
    ordered = tuple(sorted(paths))
    labels = [frozenset(sample.label for sample in by_path[path]) for path in ordered]
    occupied = set().union(*(subsets.get(path, set()) for path in ordered))
    return DuplicateGroup(
        kind=kind,
        paths=ordered,
        labels=tuple(sorted(frozenset().union(*labels))),
        contradict=len(set(labels)) > 1,
        sides=tuple(name for name in SUBSETS if name in occupied),
    )
