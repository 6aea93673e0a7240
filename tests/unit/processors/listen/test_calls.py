"""Windows become calls: a function of the windows alone, which never overlap, in bounded memory."""

import itertools
from datetime import timedelta
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uncia.processors.bursts.grouping import split_into_bursts
from uncia.processors.listen.calls import MAX_CLASSES, Call, CallGrouper, HeardWindow, heard_classes

WINDOW_S, HOP_S, GAP_S, MAX_WINDOWS = 3.0, 1.5, 2.0, 5

Recording = list[dict[int, float]]
"""For each window of a recording, the heard classes and their scores."""

_SCORES = st.floats(0.5, 1, width=32)
recordings = st.lists(st.dictionaries(st.integers(0, 2), _SCORES, max_size=3), max_size=60)


def _window(number: int, score: float) -> HeardWindow:
    return HeardWindow(number * HOP_S, number * HOP_S + WINDOW_S, score)


def _calls(recording: Recording, grouper: CallGrouper | None = None) -> list[Call]:
    grouper = grouper or CallGrouper(WINDOW_S, GAP_S, MAX_WINDOWS)
    calls = []
    for number, heard in enumerate(recording):
        calls += grouper.add(number * HOP_S, {index: _window(number, score) for index, score in heard.items()})
    return calls + grouper.finish()


@given(recordings)
def test_calls_of_one_class_never_overlap(recording: Recording) -> None:
    for index in range(3):
        calls = sorted((call for call in _calls(recording) if call.class_index == index), key=lambda call: call.start_s)
        assert all(earlier.end_s <= later.start_s for earlier, later in itertools.pairwise(calls))


@given(recordings)
def test_every_heard_window_is_in_one_call(recording: Recording) -> None:
    for index in range(3):
        calls = [call for call in _calls(recording) if call.class_index == index]
        assert sum(call.windows for call in calls) == sum(index in heard for heard in recording)
        for number, heard in enumerate(recording):
            covering = [call for call in calls if call.start_s <= number * HOP_S < call.end_s]
            assert len(covering) == 1 or index not in heard


@given(recordings)
def test_calls_are_the_bursts_of_the_sessioniser(recording: Recording) -> None:
    for index in range(3):
        windows = [_window(number, heard[index]) for number, heard in enumerate(recording) if index in heard]
        bursts = split_into_bursts(windows, timedelta(seconds=WINDOW_S + GAP_S + 0.001), MAX_WINDOWS)
        calls = [call for call in _calls(recording) if call.class_index == index]
        assert [(call.start_s, call.windows, call.best) for call in calls] == [
            (burst[0].start_s, len(burst), max(burst, key=lambda window: window.score)) for burst in bursts
        ]


@given(st.lists(recordings, max_size=4), st.randoms())
def test_the_order_in_which_recordings_arrive_does_not_matter(arrived: list[Recording], chance: Random) -> None:
    order = list(range(len(arrived)))
    chance.shuffle(order)
    shuffled = {number: _calls(arrived[number]) for number in order}
    assert shuffled == {number: _calls(recording) for number, recording in enumerate(arrived)}


@given(recordings)
def test_no_more_than_the_open_calls_are_held(recording: Recording) -> None:
    grouper, most = CallGrouper(WINDOW_S, GAP_S, MAX_WINDOWS), 0
    for number, heard in enumerate(recording):
        grouper.add(number * HOP_S, {index: _window(number, score) for index, score in heard.items()})
        most = max(most, grouper.open_windows)
    assert most <= 3 * MAX_WINDOWS


def test_a_silence_of_the_gap_joins_and_a_longer_one_separates() -> None:
    def two(silence: int) -> int:
        return len(_calls([{0: 0.9}, *([{}] * silence), {0: 0.9}]))

    # Two windows that start 4.5 s and 6 s apart: 1.5 s and 3 s of silence.
    assert (two(2), two(3)) == (1, 2)


def test_a_call_is_published_as_soon_as_no_window_can_join_it() -> None:
    grouper = CallGrouper(WINDOW_S, GAP_S, MAX_WINDOWS)
    grouper.add(0, {0: _window(0, 0.9)})
    assert [grouper.add(number * HOP_S, {}) != [] for number in range(1, 5)] == [False, False, False, True]


def test_the_best_classes_of_a_window_are_heard() -> None:
    scores = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    heard = heard_classes(scores, np.full(40, 0.5, np.float32))
    assert heard == list(range(39, 39 - MAX_CLASSES, -1))


def test_a_class_with_a_threshold_above_one_is_never_heard() -> None:
    assert heard_classes(np.ones(2, np.float32), np.array([2, 1], np.float32)) == [1]
