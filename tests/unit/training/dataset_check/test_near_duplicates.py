"""Near duplicates among many files: none is missed among thousands, and burst and time are respected."""

import numpy as np
import pytest
from numpy.typing import NDArray

from uncia.training.dataset_check import near_duplicates as module
from uncia.training.dataset_check.near_duplicates import ComparedFiles, find_near_duplicates

SPOTS = 24 * 32
SCENE = np.random.default_rng(1).integers(0, 256, SPOTS).astype(np.uint8)


def compared(
    thumbnails: list[NDArray[np.uint8]], hashes: list[int] | None = None, **known: list[object]
) -> ComparedFiles:
    """Files with one hash, in bursts of their own and without a time, by default."""
    count = len(thumbnails)
    return ComparedFiles(
        np.array(hashes or [0xABCD] * count, np.uint64),
        np.stack(thumbnails),
        np.array(known.get("bursts", range(count)), np.int64),
        np.array(known.get("taken", ["NaT"] * count), "datetime64[us]"),
    )


def frame(seed: int) -> NDArray[np.uint8]:
    """Another photograph of the scene, with other noise."""
    return (SCENE // 2 + np.random.default_rng(seed).integers(0, 40, SPOTS)).astype(np.uint8)


def test_thousands_of_files_of_one_photograph_are_one_group() -> None:
    assert find_near_duplicates(compared([SCENE] * 3000)) == [list(range(3000))]


def test_a_duplicate_is_found_among_hundreds_of_photographs_of_one_scene() -> None:
    """All have the same hash, as frames of an unchanging scene do."""
    frames = [frame(seed) for seed in range(600)]

    assert find_near_duplicates(compared([*frames, frames[17] + 1])) == [[17, 600]]


@pytest.mark.parametrize("bits", [0, 0b1, 1 << 63 | 1 << 31 | 1])
def test_hashes_may_differ_in_three_bits_wherever_they_are(bits: int) -> None:
    assert find_near_duplicates(compared([SCENE, SCENE], [0xABCD, 0xABCD ^ bits])) == [[0, 1]]


@pytest.mark.parametrize("bits", [0b1111, 1 << 63 | 1 << 47 | 1 << 31 | 1])
def test_hashes_that_differ_in_four_bits_are_not_compared(bits: int) -> None:
    assert find_near_duplicates(compared([SCENE, SCENE], [0xABCD, 0xABCD ^ bits])) == []


def test_many_files_with_one_band_in_common_do_not_hide_duplicates_in_another_band() -> None:
    """As at night, where the lower part of every frame is black."""
    others = [(number << 48) | (number + 7 << 16) for number in range(1, 1202)]
    duplicates = [5 << 16, 1 << 63 | 5 << 16]
    thumbnails = [*(frame(seed) for seed in range(len(others))), SCENE, SCENE]

    assert find_near_duplicates(compared(thumbnails, [*others, *duplicates])) == [[1201, 1202]]


def test_a_duplicate_may_be_brighter_by_the_allowed_difference() -> None:
    for seed in range(40):
        thumbnail = np.random.default_rng(seed).integers(0, 250, SPOTS).astype(np.uint8)
        assert find_near_duplicates(compared([thumbnail, thumbnail + 2])) == [[0, 1]]


def test_different_times_are_different_photographs_and_an_unknown_time_is_ignored() -> None:
    times: list[object] = ["2026-01-01T00:00", "2026-01-01T00:01"]

    assert find_near_duplicates(compared([SCENE, SCENE], taken=times)) == []
    assert find_near_duplicates(compared([SCENE, SCENE], taken=[times[0], "NaT"])) == [[0, 1]]


def test_frames_of_one_burst_are_no_duplicates() -> None:
    assert find_near_duplicates(compared([SCENE, SCENE], bursts=[4, 4])) == []


def test_each_pair_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared_pairs: list[tuple[int, int]] = []
    may_be_same = module._may_be_same

    def record(files: ComparedFiles, one: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        compared_pairs.extend((one, other) for other in others.tolist())
        return may_be_same(files, one, others)

    monkeypatch.setattr(module, "_may_be_same", record)
    find_near_duplicates(compared([frame(seed) for seed in range(20)]))

    assert len(compared_pairs) == len(set(compared_pairs)) == 20 * 19 // 2
