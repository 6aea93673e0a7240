"""No recording, and where it can be no recorder, is on two sides; every class is on all of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.training import TrainingError
from uncia.training.sound.folders import LabelledRecording
from uncia.training.sound.splitting import SoundSplit, split_recordings


def recordings(counts: list[int], recorder: Callable[[int], str]) -> list[LabelledRecording]:
    return [
        LabelledRecording(Path(f"class-{index}/{number}.wav"), f"class-{index}", index, recorder(number))
        for index, count in enumerate(counts)
        for number in range(count)
    ]


def sides(found: SoundSplit) -> list[tuple[LabelledRecording, ...]]:
    return [found.train, found.validation, found.test]


counts = st.lists(st.integers(4, 12), min_size=2, max_size=5)
seeds = st.integers(0, 1000)


@given(counts, seeds)
def test_every_recording_is_on_exactly_one_side(numbers: list[int], seed: int) -> None:
    given_ = recordings(numbers, lambda number: "")
    found = [one.path for side in sides(split_recordings(given_, seed)) for one in side]
    assert sorted(found) == sorted(one.path for one in given_)


@given(counts, seeds)
def test_every_class_is_on_all_sides(numbers: list[int], seed: int) -> None:
    found = split_recordings(recordings(numbers, lambda number: ""), seed)
    assert [len({one.folder for one in side}) for side in sides(found)] == [len(numbers)] * 3


@given(st.integers(8, 12), seeds)
def test_a_known_recorder_is_on_one_side(count: int, seed: int) -> None:
    found = split_recordings(recordings([count, count], lambda number: f"audio-{number % 4}"), seed)
    names = [{one.recorder for one in side} for side in sides(found)]
    assert found.by == "recorder"
    assert not (names[0] & names[1] or names[0] & names[2] or names[1] & names[2])


@given(counts, seeds)
def test_the_same_seed_divides_in_the_same_way(numbers: list[int], seed: int) -> None:
    given_ = recordings(numbers, lambda number: "")
    assert split_recordings(given_, seed) == split_recordings(given_, seed)


def test_recordings_are_divided_where_one_recorder_has_a_whole_class() -> None:
    given_ = recordings([8, 8], lambda number: "audio-1")
    assert split_recordings(given_, 0).by == "recording"
    with pytest.raises(TrainingError, match="too few recorders"):
        split_recordings(given_, 0, "recorder")


def test_recordings_are_divided_where_a_recorder_is_unknown() -> None:
    given_ = recordings([8, 8], lambda number: f"audio-{number}" if number else "")
    assert split_recordings(given_, 0).by == "recording"
    with pytest.raises(TrainingError, match="is not known"):
        split_recordings(given_, 0, "recorder")
