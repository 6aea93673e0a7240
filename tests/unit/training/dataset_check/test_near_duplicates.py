"""Near copies among many: none is missed for there being thousands, and what is known of them is believed."""

import numpy as np
import pytest

from uncia.training.dataset_check import near_duplicates as module
from uncia.training.dataset_check.near_duplicates import ComparedFiles, find_near_duplicates

SPOTS = 24 * 32
SCENE = np.random.default_rng(1).integers(0, 256, SPOTS).astype(np.uint8)


def shots(thumbnails: list[np.ndarray], hashes: list[int] | None = None, **known: list[object]) -> ComparedFiles:
    """Each a burst of its own without a time, all with one hash, unless said otherwise."""
    many = len(thumbnails)
    return ComparedFiles(
        np.array(hashes or [0xABCD] * many, np.uint64),
        np.stack(thumbnails),
        np.array(known.get("bursts", range(many)), np.int64),
        np.array(known.get("taken", ["NaT"] * many), "datetime64[us]"),
    )


def frame(seed: int) -> np.ndarray:
    """Another shot of the scene: its grain differs."""
    return (SCENE // 2 + np.random.default_rng(seed).integers(0, 40, SPOTS)).astype(np.uint8)


def test_thousands_of_savings_of_one_shot_are_one_group() -> None:
    assert find_near_duplicates(shots([SCENE] * 3000)) == [list(range(3000))]


def test_a_copy_is_found_among_hundreds_of_shots_of_one_scene() -> None:
    """All have the same hash, as those of a camera that nothing moves before do."""
    frames = [frame(seed) for seed in range(600)]

    assert find_near_duplicates(shots([*frames, frames[17] + 1])) == [[17, 600]]


@pytest.mark.parametrize("bits", [0, 0b1, 1 << 63 | 1 << 31 | 1])
def test_hashes_may_differ_in_three_bits_wherever_they_are(bits: int) -> None:
    assert find_near_duplicates(shots([SCENE, SCENE], [0xABCD, 0xABCD ^ bits])) == [[0, 1]]


@pytest.mark.parametrize("bits", [0b1111, 1 << 63 | 1 << 47 | 1 << 31 | 1])
def test_hashes_that_differ_in_four_bits_are_not_compared(bits: int) -> None:
    assert find_near_duplicates(shots([SCENE, SCENE], [0xABCD, 0xABCD ^ bits])) == []


def test_a_crowd_that_shares_one_part_of_the_hash_does_not_hide_a_copy_that_another_part_tells() -> None:
    """As at night, where the lower part of every frame is black."""
    crowd = [(place << 48) | (place + 7 << 16) for place in range(1, 1202)]
    copies = [5 << 16, 1 << 63 | 5 << 16]
    thumbnails = [*(frame(seed) for seed in range(len(crowd))), SCENE, SCENE]

    assert find_near_duplicates(shots(thumbnails, [*crowd, *copies])) == [[1201, 1202]]


def test_a_copy_may_be_brighter_by_the_whole_of_what_is_allowed() -> None:
    for seed in range(40):
        shot = np.random.default_rng(seed).integers(0, 250, SPOTS).astype(np.uint8)
        assert find_near_duplicates(shots([shot, shot + 2])) == [[0, 1]]


def test_two_times_that_differ_are_two_shots_and_a_time_that_is_not_known_says_nothing() -> None:
    times: list[object] = ["2026-01-01T00:00", "2026-01-01T00:01"]

    assert find_near_duplicates(shots([SCENE, SCENE], taken=times)) == []
    assert find_near_duplicates(shots([SCENE, SCENE], taken=[times[0], "NaT"])) == [[0, 1]]


def test_frames_of_one_burst_are_no_copies_of_each_other() -> None:
    assert find_near_duplicates(shots([SCENE, SCENE], bursts=[4, 4])) == []


def test_each_pair_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[int, int]] = []
    may_be_one = module._may_be_one

    def count(shots: ComparedFiles, one: int, others: np.ndarray) -> np.ndarray:
        looked.extend((one, other) for other in others.tolist())
        return may_be_one(shots, one, others)

    monkeypatch.setattr(module, "_may_be_one", count)
    find_near_duplicates(shots([frame(seed) for seed in range(20)]))

    assert len(looked) == len(set(looked)) == 20 * 19 // 2
