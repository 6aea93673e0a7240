"""Which of many small pictures show one shot: by hash first, then by what they show. In arrays, for 50,000 of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.dataset_check.contents import FileContent
from uncia.training.datasets.dataset import Sample

_BITS = 3
"""Bits of 64 that may differ; four bands of 16 bits then share at least one."""
_MOST_APART = 2.0
"""Mean difference of the thumbnails' grey, of 255: two savings of one shot differ by 0.5 to 1."""
_MOST_IN_A_SPOT = 12
"""In any one spot. An animal that took a step changes a few spots by 30 and the mean hardly; saving again by 3 or 4."""
_FLAT = 6.0
"""Standard deviation of a thumbnail below which it shows nothing that could be compared: black, fog, snow."""
_NEIGHBOURS = 1000
"""With so many that follow it by hash each file is compared, among those that share a band with it."""

_UNTOLD = np.datetime64("NaT")


@dataclass(frozen=True)
class ComparedFiles:
    """What files are compared by; N of them."""

    hashes: NDArray[np.uint64]
    """(N,)"""
    thumbnails: NDArray[np.uint8]
    """(N, spots)"""
    bursts: NDArray[np.int64]
    """(N,), a number for each burst."""
    taken: NDArray[np.datetime64]
    """(N,), NaT where it is not known."""

    @classmethod
    def of(cls, files: list[tuple[Sample, FileContent]]) -> "ComparedFiles":
        """Of each file the first picture, and what is in it."""
        numbers: dict[str, int] = {}
        return cls(
            np.array([content.hash for _, content in files], np.uint64),
            np.stack([content.thumbnail.ravel() for _, content in files]),
            np.array([numbers.setdefault(one.burst, len(numbers)) for one, _ in files], np.int64),
            np.array([one.taken or _UNTOLD for one, _ in files], "datetime64[us]"),
        )


def find_near_duplicates(shots: ComparedFiles) -> list[list[int]]:
    """Places of files that show one shot, in groups of two and more, each in order.

    Frames of one burst, and frames whose times are known and differ, are two shots, however much they look alike.
    """
    together = _Groups(len(shots.hashes))
    lively = np.array([place for place, each in enumerate(shots.thumbnails) if each.std() >= _FLAT], np.int64)
    sums = shots.thumbnails.sum(axis=1, dtype=np.int64)
    most_apart = _MOST_APART * shots.thumbnails.shape[1]
    for one, others in _candidates(shots.hashes, lively):
        alike = others[_may_be_one(shots, one, others) & (np.abs(sums[others] - sums[one]) <= most_apart)]
        # Whoever belongs together already need not be looked at: a thousand copies cost a thousand looks.
        alike = alike[together.of[alike] != together.of[one]]
        if not len(alike):
            continue
        apart = np.abs(shots.thumbnails[alike].astype(np.int16) - shots.thumbnails[one])
        same = (apart.mean(axis=1) <= _MOST_APART) & (apart.max(axis=1) <= _MOST_IN_A_SPOT)
        for other in alike[same].tolist():
            together.join(one, other)
    return together.groups()


def _candidates(hashes: NDArray[np.uint64], lively: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """A file, and others whose hashes differ from its own in few bits; each pair once."""
    before: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
    for band in range(4):
        keys = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        # By key, within a key by hash, within a hash as they came.
        order = lively[np.lexsort((lively, hashes[lively], keys[lively]))]
        ends = np.searchsorted(keys[order], keys[order], side="right")
        ranks = np.zeros(len(hashes), np.int64)
        ranks[order] = np.arange(len(order))
        for at, one in enumerate(order.tolist()):
            others = order[at + 1 : min(int(ends[at]), at + 1 + _NEIGHBOURS)]
            if not len(others):
                continue
            differing = hashes[others] ^ hashes[one]
            for _ in range(_BITS):
                # Clears the lowest bit that is set.
                differing &= np.maximum(differing, np.uint64(1)) - np.uint64(1)
            others = others[differing == 0]
            # Pairs that share an earlier band had their turn there, unless a crowd stood between them.
            for earlier, stood in before:
                crowded = np.abs(stood[others] - stood[one]) > _NEIGHBOURS
                others = others[(earlier[others] != earlier[one]) | crowded]
            if len(others):
                yield one, others
        before.append((keys, ranks))


def _may_be_one(shots: ComparedFiles, one: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
    taken = shots.taken[others]
    may: NDArray[np.bool_] = shots.bursts[others] != shots.bursts[one]
    if not np.isnat(shots.taken[one]):
        may &= np.isnat(taken) | (taken == shots.taken[one])
    return may


class _Groups:
    """Who belongs together; the smaller group takes the larger one's number."""

    def __init__(self, many: int) -> None:
        self.of = np.arange(many)
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
        return sorted(sorted(members) for members in self._members.values())
