"""Thresholds and figures of an audio classifier."""

import numpy as np

from uncia.training.sound.evaluation import choose_thresholds, evaluate
from uncia.training.sound.examples import Examples

SCORES = np.array([[0.9, 0.1], [0.2, 0.3], [0.1, 0.8], [0.6, 0.5], [0.05, 0.1]], np.float32)
TRUTH = np.array([0, 0, 1, 1, -1])
RECORDING = np.array([0, 0, 1, 2, 3])
EXAMPLES = Examples(np.ones((5, 8, 8), np.float32), TRUTH, RECORDING)


def test_a_threshold_separates_the_class_from_all_others_and_from_background() -> None:
    (first, second) = choose_thresholds(SCORES[[0, 2, 4]], TRUTH[[0, 2, 4]], 1.0)
    assert first is not None and 0.1 < first <= 0.9
    assert second is not None and 0.1 < second <= 0.8


def test_a_class_that_no_threshold_separates_has_none() -> None:
    scores = np.array([[0.1], [0.9]], np.float32)
    assert choose_thresholds(scores, np.array([0, -1]), 0.9) == [None]


def test_a_recording_is_right_by_its_best_window() -> None:
    figures = evaluate(SCORES, EXAMPLES, [0.5, 0.5], 0.5)
    assert [(one.recordings, one.recordings_right) for one in figures.classes] == [(1, 1), (2, 1)]
    assert figures.accuracy == 2 / 3


def test_windows_are_counted_by_the_threshold_of_their_class() -> None:
    figures = evaluate(SCORES, EXAMPLES, [0.5, None], 0.7)
    assert [(one.windows, one.windows_heard, one.false_windows) for one in figures.classes] == [(2, 1, 1), (2, 1, 0)]


def test_background_in_which_a_class_is_heard_is_counted() -> None:
    figures = evaluate(SCORES, EXAMPLES, [0.5, 0.05], 0.5)
    assert (figures.background_windows, figures.background_heard) == (1, 1)
