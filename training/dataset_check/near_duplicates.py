"""Find near duplicates among many thumbnails: candidates by hash, then by comparison of the pixels.

The hashes are ImageHash's; the search is written by hand. ImageHash compares two hashes at a time in 5 µs, which for
50,000 files (1.25 billion pairs) takes 1.7 hours; arrays of bands take seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.dataset_check.contents import FileContent
from uncia.training.datasets.dataset import Sample

_MOST_DIFFERING_BITS = 3
"""Of 64: of four bands of 16 bits, two such hashes then have at least one in common."""
_MOST_MEAN_DIFFERENCE = 2.0
"""Mean difference of the thumbnails' grey values (0 to 255); two encodings of one photograph differ by 0.5 to 1."""
_MOST_DIFFERENCE = 12
"""At any pixel. An animal that takes a step changes a few pixels by 30, and hardly the mean; an encoding, by 3 or 4."""
_LEAST_CONTRAST = 6.0
"""Standard deviation below which a thumbnail (black, fog, snow) has nothing to compare."""
_NEIGHBOURS = 1000
"""Number of files with the next hashes in a band that each file is compared with."""

_UNKNOWN_TIME = np.datetime64("NaT")


@dataclass(frozen=True)
class ComparedFiles:
    """Properties of N files by which they are compared."""

    hashes: NDArray[np.uint64]
    """(N,)"""
    thumbnails: NDArray[np.uint8]
    """(N, pixels)"""
    bursts: NDArray[np.int64]
    """(N,), a number for each burst."""
    taken: NDArray[np.datetime64]
    """(N,), NaT where the time is unknown."""

    @classmethod
    def of(cls, files: list[tuple[Sample, FileContent]]) -> "ComparedFiles":
        """From one sample and the content of each file."""
        numbers: dict[str, int] = {}
        return cls(
            np.array([content.hash for _, content in files], np.uint64),
            np.stack([content.thumbnail.ravel() for _, content in files]),
            np.array([numbers.setdefault(sample.burst, len(numbers)) for sample, _ in files], np.int64),
            np.array([sample.taken or _UNKNOWN_TIME for sample, _ in files], "datetime64[us]"),
        )


def find_near_duplicates(files: ComparedFiles) -> list[list[int]]:
    """Groups of two and more files that hold one photograph, as sorted indices.

    Frames of one burst, and frames whose known times differ, are different photographs, however similar they are.
    """
    groups = _UnionFind(len(files.hashes))
    contrast = np.array([thumbnail.std() for thumbnail in files.thumbnails])
    comparable = np.flatnonzero(contrast >= _LEAST_CONTRAST).astype(np.int64)
    sums = files.thumbnails.sum(axis=1, dtype=np.int64)
    most_sum_difference = _MOST_MEAN_DIFFERENCE * files.thumbnails.shape[1]
    for one, others in _candidates(files.hashes, comparable):
        close = np.abs(sums[others] - sums[one]) <= most_sum_difference
        similar = others[_may_be_same(files, one, others) & close]
        # Files that are in one group already are not compared: otherwise 1,000 duplicates need 500,000 comparisons.
        similar = similar[groups.of[similar] != groups.of[one]]
        if not len(similar):
            continue
        difference = np.abs(files.thumbnails[similar].astype(np.int16) - files.thumbnails[one])
        same = (difference.mean(axis=1) <= _MOST_MEAN_DIFFERENCE) & (difference.max(axis=1) <= _MOST_DIFFERENCE)
        for other in similar[same].tolist():
            groups.join(one, other)
    return groups.groups()


def _candidates(hashes: NDArray[np.uint64], comparable: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """A file, and other files whose hashes differ from its own in few bits; each pair once."""
    earlier_bands: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    for band in range(4):
        keys = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        # Sorted by key, then hash, then index.
        order = comparable[np.lexsort((comparable, hashes[comparable], keys[comparable]))]
        ends = np.searchsorted(keys[order], keys[order], side="right")
        ranks = np.zeros(len(hashes), np.int64)
        ranks[order] = np.arange(len(order))
        for rank, one in enumerate(order.tolist()):
            others = order[rank + 1 : min(int(ends[rank]), rank + 1 + _NEIGHBOURS)]
            if not len(others):
                continue
            others = others[_differ_in_few_bits(hashes[others], hashes[one])]
            # A pair with an earlier band in common was compared there, unless too many files were between the two.
            for earlier_keys, earlier_ranks in earlier_bands:
                too_far = np.abs(earlier_ranks[others] - earlier_ranks[one]) > _NEIGHBOURS
                others = others[(earlier_keys[others] != earlier_keys[one]) | too_far]
            if len(others):
                yield one, others
        earlier_bands.append((keys, ranks))


def _differ_in_few_bits(hashes: NDArray[np.uint64], reference: np.uint64) -> NDArray[np.bool_]:
    differing = hashes ^ reference
    for _ in range(_MOST_DIFFERING_BITS):
        # Clears the lowest set bit.
        differing &= np.maximum(differing, np.uint64(1)) - np.uint64(1)
    few: NDArray[np.bool_] = differing == 0
    return few


def _may_be_same(files: ComparedFiles, one: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether burst and time allow that the files hold one photograph."""
    taken = files.taken[others]
    may: NDArray[np.bool_] = files.bursts[others] != files.bursts[one]
    if not np.isnat(files.taken[one]):
        may &= np.isnat(taken) | (taken == files.taken[one])
    return may


class _UnionFind:
    """Disjoint groups of indices; the smaller group takes the number of the larger one."""

    def __init__(self, size: int) -> None:
        self.of = np.arange(size)
        """Number of the group, by index."""
        self._members: dict[int, list[int]] = {}

    def join(self, one: int, other: int) -> None:
        first, second = int(self.of[one]), int(self.of[other])
        if first == second:
            return
        large, small = self._members.get(first, [first]), self._members.pop(second, [second])
        if len(small) > len(large):
            first, second, large, small = second, first, small, large
            self._members.pop(second, None)
        self.of[small] = first
        large.extend(small)
        self._members[first] = large

    def groups(self) -> list[list[int]]:
        """Groups of two and more."""
        return sorted(sorted(members) for members in self._members.values())
