"""Frames are compared with their own truth and bursts with the burst's, whatever the rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncia.training.evaluation.burst_rules import (
    ANY_FRAME,
    BURST_MEAN,
    PRESENCE_MODEL,
    SHOWING_FRAMES,
    SINGLE_FRAMES,
    BurstPredictions,
    Presence,
    answers_by_rule,
    geometric_burst_mean,
    groups_of_bursts,
    rule_figures,
)

BLANK, FOX, HARE = [0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]
GROUPS = ("nothing", "animal", "animal")


def predictions(rows: list[list[float]], truth: list[int], bursts: list[str], presence: Presence | None = None):  # type: ignore[no-untyped-def]
    return BurstPredictions(np.array(rows), np.array(truth), np.array(bursts, dtype=np.str_), GROUPS, presence)


WALKED_OUT = predictions([FOX, BLANK, BLANK, BLANK], [1, 0, 0, 0], ["a", "a", "a", "b"])
"""A fox that is in the first of three frames, and a blank burst."""


def right(rule: str, unit: str, at: BurstPredictions = WALKED_OUT) -> float:
    figures = rule_figures(at, answers_by_rule(at)[rule], seed=0, resamples=20)
    own = getattr(figures, unit)["taxon here, right"]
    return float(own.value)


def test_an_animal_that_walks_out_is_in_the_burst_and_not_in_its_blank_frames() -> None:
    assert right(SINGLE_FRAMES, "frames") == 1.0
    assert right(ANY_FRAME, "bursts") == 1.0
    assert right(SHOWING_FRAMES, "bursts") == 1.0


def test_the_mean_over_the_burst_loses_an_animal_that_walks_out() -> None:
    assert right(BURST_MEAN, "bursts") == 0.5
    assert right(BURST_MEAN, "frames") == 0.75


def test_single_frames_answer_for_the_burst_one_by_one() -> None:
    assert right(SINGLE_FRAMES, "bursts") == 0.5


def test_the_presence_model_decides_which_frames_name_the_taxon() -> None:
    certain = Presence(np.array([0.9, 0.1, 0.1, 0.2]), np.array([0.9, 0.1]), 0.5)
    at = predictions([FOX, HARE, HARE, BLANK], [1, 0, 0, 0], ["a", "a", "a", "b"], certain)
    assert right(PRESENCE_MODEL, "bursts", at) == 1.0
    assert right(PRESENCE_MODEL, "frames", at) == 1.0


def test_a_camera_has_figures_of_its_own() -> None:
    masks = groups_of_bursts(WALKED_OUT, ["north", "north", "north", "south"])
    answers = answers_by_rule(WALKED_OUT)[BURST_MEAN]
    figures = {
        place: rule_figures(WALKED_OUT, answers, seed=0, resamples=20, bursts=mask) for place, mask in masks.items()
    }
    values = {place: own.bursts["taxon here, right"] for place, own in figures.items()}
    assert values["north"] is not None and values["north"].value == 0
    assert values["south"] is not None and values["south"].value == 1


def test_classes_without_a_blank_one_give_no_figure_of_presence() -> None:
    at = BurstPredictions(np.array([[0.9, 0.1]]), np.array([0]), np.array(["a"]), ("animal", "animal"))
    figures = rule_figures(at, answers_by_rule(at)[SHOWING_FRAMES], seed=0, resamples=20)
    assert figures.bursts["animal here, AUC"] is None and figures.bursts["animal here, right"] is None
    assert figures.bursts["taxon here, right"] is not None


def test_all_frames_of_a_burst_get_the_same_mean() -> None:
    result = geometric_burst_mean(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), np.array(["a", "a", "b"]))
    np.testing.assert_allclose(result[0], result[1])
    assert result[0].argmax() == 0
    np.testing.assert_allclose(result[2], [0.2, 0.8], atol=1e-6)


frame = st.tuples(st.sampled_from([BLANK, FOX, HARE]), st.sampled_from([0, 1, 2]), st.sampled_from("abc"))


@given(st.lists(frame, min_size=1, max_size=12))
def test_every_rule_answers_for_every_frame_and_burst(frames: list[tuple[list[float], int, str]]) -> None:
    rows, truth, bursts = zip(*frames, strict=True)
    count = len(set(bursts))
    presence = Presence(np.linspace(0, 1, len(rows)), np.linspace(0, 1, count), 0.5)
    at = predictions(list(rows), list(truth), list(bursts), presence)
    for answers in answers_by_rule(at).values():
        assert len(answers.frame_class) == len(answers.frame_animal) == len(rows)
        assert set(answers.burst_index.tolist()) == set(range(count))
        figures = rule_figures(at, answers, seed=0, resamples=5)
        assert all(own is None or 0 <= own.value <= 1 for own in (*figures.frames.values(), *figures.bursts.values()))


@pytest.mark.parametrize("rule", [ANY_FRAME, SHOWING_FRAMES])
def test_a_burst_that_shows_two_animals_is_right_with_either(rule: str) -> None:
    at = predictions([FOX, HARE], [1, 2], ["a", "a"])
    assert right(rule, "bursts", at) == 1.0
