"""Whether the scores of a camera are distributed as before."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from uncia.processors.alerts.score_history import (
    BINS,
    FALSE_ALARM,
    REFERENCE_BURSTS,
    REFERENCE_TIME,
    SPACING,
    WINDOW_BURSTS,
    WINDOW_TIME,
    Comparison,
    ScoreChange,
    ScoreHistory,
    dispersion_of,
    stability_index,
)

START = datetime(2026, 1, 1)
DAY = timedelta(days=1)
EVERY = timedelta(hours=3)
"""Between two bursts: a week has 56."""
LEARNED = 225
"""Bursts until the reference is known, at this rate."""

MOST_SCORES = REFERENCE_TIME // SPACING + 1
"""Of a reference: each burst but the first adds at least the spacing to its time."""

Pair = tuple[datetime, float]


def scores(random: np.random.Generator, number: int, animals: float = 0.3) -> list[float]:
    """Scores of blanks near 0 and of animals near 1."""
    is_animal = random.random(number) < animals
    return list(np.where(is_animal, random.beta(8, 1.2, number), random.beta(1.2, 12, number)))


def timed(values: Iterable[float], first: int = 0) -> Iterator[Pair]:
    return ((START + number * EVERY, value) for number, value in enumerate(values, first))


def add(history: ScoreHistory, pairs: Iterable[Pair]) -> list[Comparison]:
    found = (history.add(f"{at}", at, value) for at, value in pairs)
    return [compared for compared in found if compared is not None]


def learned(seed: int = 1) -> ScoreHistory:
    history = ScoreHistory()
    add(history, timed(scores(np.random.default_rng(seed), LEARNED)))
    return history


def test_the_reference_takes_its_time_and_its_bursts() -> None:
    history, values = ScoreHistory(), scores(np.random.default_rng(1), 1000)
    for number, (at, value) in enumerate(timed(values), 1):
        history.add(str(number), at, value)
        if history.limits:
            break
    assert number == LEARNED == 1 + REFERENCE_TIME / EVERY >= REFERENCE_BURSTS
    assert sum(history.reference) == LEARNED
    assert len(history.reference) == BINS
    assert max(history.reference) - min(history.reference) < 6


def test_a_window_is_compared_once_when_it_is_full() -> None:
    (compared,) = add(learned(), timed(scores(np.random.default_rng(2), 57), LEARNED))
    assert (compared.bursts, compared.since) == (WINDOW_TIME / EVERY, (START + LEARNED * EVERY).date())
    assert compared.bursts >= WINDOW_BURSTS


def test_a_window_of_few_bursts_waits_for_more() -> None:
    history, rare = learned(), scores(np.random.default_rng(2), WINDOW_BURSTS)
    begin = START + LEARNED * EVERY
    pairs = [(begin + number * DAY, value) for number, value in enumerate(rare)]
    assert add(history, pairs[:-1]) == []
    assert [one.bursts for one in add(history, pairs[-1:])] == [WINDOW_BURSTS]


def test_drifted_scores_are_recognised_and_so_is_their_return() -> None:
    random, history = np.random.default_rng(3), learned()
    drifted = add(history, timed(scores(random, 57, animals=0.95), LEARNED))
    back = add(history, timed(scores(random, 57), LEARNED + 57))
    assert [one.change for one in (*drifted, *back)] == [ScoreChange.DRIFTED, ScoreChange.RETURNED]
    assert drifted[0].index > drifted[0].limit > back[0].index


def test_without_a_change_the_rate_of_false_alarms_is_as_stated() -> None:
    """Windows and references of days that differ as much as chance lets them."""
    random = np.random.default_rng(18)
    compared = []
    for _ in range(60):
        history = ScoreHistory()
        compared += add(history, timed(scores(random, LEARNED + 57 * 40)))
    alarms = sum(one.change is ScoreChange.DRIFTED for one in compared)
    # At most what chance makes of the stated rate in one of a thousand repetitions.
    assert len(compared) >= 2000
    assert alarms <= len(compared) * FALSE_ALARM + 3.1 * math.sqrt(len(compared) * FALSE_ALARM)


def test_days_that_resemble_themselves_raise_the_limit() -> None:
    random = np.random.default_rng(5)

    def limit_of(shares: Iterable[float]) -> float:
        history = ScoreHistory()
        values = [value for share in shares for value in scores(random, 8, animals=share)]
        compared = add(history, timed(values))
        assert compared
        return compared[0].limit

    assert limit_of([0, 1] * 25) > 1.5 * limit_of([0.5] * 50)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=8))
def test_the_index_is_symmetric_and_zero_for_equal_counts(pairs: list[tuple[int, int]]) -> None:
    one, other = [first for first, _ in pairs], [second for _, second in pairs]
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))
    assert stability_index(one, other) >= 0
    assert stability_index(one, one) == 0


def test_the_index_of_equal_distributions_is_a_scaled_chi_squared_variable() -> None:
    random, shares = np.random.default_rng(9), [0.2] * 5
    unit = 1 / 400 + 1 / 100
    found = [
        stability_index(random.multinomial(400, shares).tolist(), random.multinomial(100, shares).tolist()) / unit
        for _ in range(4000)
    ]
    assert np.mean(found) == pytest.approx(4, rel=0.08)
    assert np.mean(np.array(found) > chi2.isf(0.05, 4)) == pytest.approx(0.05, abs=0.015)


def test_equal_days_have_no_dispersion() -> None:
    assert dispersion_of([0, 1] * 30, [2] * 30, 2) == (1.0, 29)
    spread, freedom = dispersion_of([0] * 60 + [1] * 60, [12] * 10, 2)
    assert spread == pytest.approx(120 / 9)
    assert freedom == 9
    assert dispersion_of([0] * 9, [3] * 3, 2) == (1.0, 8)


def test_scores_that_were_all_the_same_can_drift() -> None:
    history = ScoreHistory()
    add(history, timed([0.02] * LEARNED))
    assert history.reference == [LEARNED, 0]
    same = add(history, timed([0.02] * 57, LEARNED))
    other = add(history, timed([0.4] * 57, LEARNED + 57))
    assert [one.change for one in (*same, *other)] == [ScoreChange.RETURNED, ScoreChange.DRIFTED]


def test_bursts_of_one_herd_count_once() -> None:
    history = ScoreHistory()
    assert history.wants("b1", START)
    history.add("b1", START, 0.5)
    assert not history.wants("b2", START + timedelta(minutes=29))
    assert not history.wants("b1", START + DAY)
    assert history.wants("b3", START + timedelta(minutes=30))
    assert history.wants("b3", START - DAY)


def test_photographs_that_arrive_newest_first_fill_the_reference() -> None:
    values = scores(np.random.default_rng(1), LEARNED)
    history = ScoreHistory()
    add(history, reversed(list(timed(values))))
    assert sum(history.reference) == LEARNED


def test_the_window_begins_with_its_earliest_day_in_any_order() -> None:
    (compared,) = add(learned(), reversed(list(timed([0.5] * 57, LEARNED))))
    assert compared.since == (START + (LEARNED + 57 - WINDOW_BURSTS) * EVERY).date()


@given(st.lists(st.integers(-300, -3) | st.integers(3, 300), min_size=1, max_size=40))
def test_the_reference_is_bounded_in_any_order_of_arrival(steps: list[int]) -> None:
    history, at = ScoreHistory(), START
    for number in range(MOST_SCORES):
        assert history.wants(str(number), at)
        history.add(str(number), at, 0.5)
        at += timedelta(minutes=10 * steps[number % len(steps)])
    assert history.limits
    assert history.scores == history.days == []


def test_a_clock_that_jumps_adds_at_most_a_day_each_time() -> None:
    history = ScoreHistory()
    years = [(START + number % 2 * 3000 * DAY + number * EVERY, 0.5) for number in range(20)]
    add(history, years)
    assert history.time <= 20 * DAY


@pytest.mark.parametrize(
    "deployment, scorer, begins",
    [("d1", "s1", False), (None, "s1", False), ("d2", "s1", True), ("d1", "s2", True), ("d1", None, True)],
)
def test_another_deployment_or_scorer_has_its_own_reference(
    deployment: str | None, scorer: str | None, begins: bool
) -> None:
    history = learned()
    assert not history.begin("d1", "s1")
    assert history.begin(deployment, scorer) is begins
    assert (history.limits == []) is begins
    assert history.begin(deployment, scorer) is False


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), max_size=300), st.integers(1, 40))
def test_the_state_is_bounded_and_survives_storage(steps: list[tuple[int, float]], repeated: int) -> None:
    history, at = ScoreHistory(), START
    for number in range(repeated):
        for step, value in steps[:60]:
            at += timedelta(minutes=10 * step)
            if history.wants(f"{number} {at}", at):
                history.add(f"{number} {at}", at, value)
    assert len(history.scores) <= 1400
    assert len(history.limits) < BINS
    assert len(history.recent) <= 16
    assert ScoreHistory.model_validate_json(history.model_dump_json(exclude_none=True)) == history
