"""Stacking over members: good members get weight, guessing ones do not."""

import numpy as np
import pytest

from uncia.training.ensembles.comparison import MemberScores, compare_parts, compare_rules
from uncia.training.ensembles.rules import combine
from uncia.training.ensembles.stacking import StackingError, fit_stacking


def _members(items: int, seed: int) -> MemberScores:
    """Three classes: a good member, a worse one, and one that guesses."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(3, size=items)
    predicted = []
    for strength in (3.0, 1.0, 0.0):
        logits = chance.normal(size=(items, 3)) + strength * np.eye(3)[truth]
        predicted.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    return MemberScores(np.stack(predicted), truth, np.array([f"b{at // 4}" for at in range(items)]))


HELD_OUT, TEST = _members(400, 1), _members(400, 2)


def test_better_members_get_higher_weights() -> None:
    knows, less, guesses = fit_stacking(HELD_OUT.members, HELD_OUT.truth).weights
    assert knows > less > abs(guesses)


def test_fitted_weights_help_on_other_bursts() -> None:
    learnt = fit_stacking(HELD_OUT.members, HELD_OUT.truth)
    stacked = combine("stacked", TEST.members, np.array(learnt.weights), learnt.bias)
    voted = combine("mean", TEST.members)
    assert (stacked.argmax(axis=1) == TEST.truth).mean() > (voted.argmax(axis=1) == TEST.truth).mean() + 0.02


def test_fitting_is_deterministic() -> None:
    assert fit_stacking(HELD_OUT.members, HELD_OUT.truth) == fit_stacking(HELD_OUT.members, HELD_OUT.truth)


def test_pairs_left_out_do_not_move_the_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    every = fit_stacking(HELD_OUT.members, HELD_OUT.truth)
    monkeypatch.setattr("uncia.training.ensembles.stacking._MAX_NEGATIVES", 400)
    assert fit_stacking(HELD_OUT.members, HELD_OUT.truth).bias == pytest.approx(every.bias, abs=0.35)


def test_pictures_without_any_class_are_rejected() -> None:
    with pytest.raises(StackingError, match="show the model's classes"):
        fit_stacking(HELD_OUT.members, np.full(400, -1))


def test_the_comparison_leaves_out_each_part_and_takes_each_alone() -> None:
    lines = compare_parts("log-odds", ["a", "b", "c"], TEST, HELD_OUT, seed=1, resamples=50)
    result = [line.what for line in lines]
    assert result == ["all 3, log-odds", "without a", "without b", "without c", "a alone", "b alone", "c alone"]


def test_the_part_that_knows_is_missed_and_the_one_that_guesses_is_not() -> None:
    lines = {line.what: line for line in compare_parts("stacked", ["a", "b", "c"], TEST, HELD_OUT, seed=1)}
    missed, spared = lines["without a"].gain, lines["without c"].gain
    assert missed is not None and missed.low > 0
    assert spared is not None and spared.low <= 0.01


def test_pictures_of_no_class_are_not_counted() -> None:
    truth = TEST.truth.copy()
    truth[:40] = -1
    lines = compare_parts("mean", ["a", "b", "c"], MemberScores(TEST.members, truth, TEST.bursts), HELD_OUT, seed=1)
    assert lines[0].metrics.items == 360


def test_rules_are_compared_with_the_first() -> None:
    mean, stacked = compare_rules(["mean", "stacked"], TEST, HELD_OUT, seed=1, resamples=50)
    assert mean.gain is None
    assert stacked.gain is not None and stacked.gain.low > 0
