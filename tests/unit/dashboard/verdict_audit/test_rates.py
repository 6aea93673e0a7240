"""Error rates and their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from uncia.dashboard.verdict_audit.rates import (
    MIN_REVIEWED,
    Audited,
    Rate,
    VerdictCounts,
    clopper_pearson,
    missed_animals,
)

SIMULATED = 2_000
EXPECTED_COVERAGE = 0.95


@st.composite
def samples(draw: st.DrawFn) -> Audited:
    decided = draw(st.integers(0, 80))
    wrong = draw(st.integers(0, decided))
    undecided, waiting = draw(st.integers(0, 20)), draw(st.integers(0, 20))
    return Audited(decided + undecided + waiting, decided, undecided, wrong, draw(st.integers(0, wrong)))


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_is_that_of_clopper_and_pearson(counted: tuple[int, int]) -> None:
    found, of = counted
    exact = binomtest(found, of).proportion_ci(0.95, method="exact")
    assert clopper_pearson(found, of, 0.05) == pytest.approx((exact.low, exact.high), abs=1e-9)


@given(samples())
def test_an_interval_includes_its_rate(one: Audited) -> None:
    rate = one.error
    assert (rate is None) == (one.decided < MIN_REVIEWED)
    assert rate is None or 0 <= rate.low <= rate.value <= rate.high <= 1


@given(samples(), st.data())
def test_what_missing_reviews_can_still_say_is_within_the_interval(one: Audited, data: st.DataObject) -> None:
    missing = one.sampled - one.decided
    more = data.draw(st.integers(0, missing))
    complete = Audited(one.sampled, one.sampled, 0, one.wrong + more).error
    rate = one.error
    if rate is not None and complete is not None:
        assert rate.low <= complete.low and complete.high <= rate.high


def test_too_few_reviews_have_no_rate() -> None:
    assert Audited(MIN_REVIEWED, MIN_REVIEWED - 1).error is None


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("of", [12, 60, 300])
def test_a_complete_sample_covers_the_rate_as_often_as_stated(rate: float, of: int) -> None:
    found = np.arange(of + 1)
    covered = [low <= rate <= high for low, high in (clopper_pearson(int(one), of, 0.05) for one in found)]
    assert binom.pmf(found, of, rate)[covered].sum() >= EXPECTED_COVERAGE


def test_reviews_of_doubtful_bursts_first_do_not_spoil_the_coverage() -> None:
    """Reviewers look at nine of ten missed animals, and at a third of the true blanks."""
    random = np.random.default_rng(18)
    wrong = random.binomial(120, 0.06, SIMULATED)
    seen_wrong, seen_right = random.binomial(wrong, 0.9), random.binomial(120 - wrong, 1 / 3)
    rates = [
        Audited(120, int(one + other), 0, int(one)).error for one, other in zip(seen_wrong, seen_right, strict=True)
    ]
    covered = [rate.low <= 0.06 <= rate.high for rate in rates if rate is not None]
    naive = [abs(rate.value - 0.06) < 0.02 for rate in rates if rate is not None]
    assert len(covered) == SIMULATED
    assert np.mean(covered) >= EXPECTED_COVERAGE
    assert np.mean(naive) < 0.1


def test_the_false_negative_rate_covers_the_truth_as_often_as_stated() -> None:
    """A camera with 3,000 blanks, 4 % of them animals, and 1,200 confident animals, 2 % of them none."""
    random = np.random.default_rng(7)
    truth = 0.04 * 3_000 / (0.04 * 3_000 + 0.98 * 1_200 + 60)
    covered = 0
    for _ in range(SIMULATED):
        blanks, confident = random.binomial(3_000, 0.05), random.binomial(1_200, 0.05)
        absent = int(random.binomial(confident, 0.02))
        rate = missed_animals(
            VerdictCounts(3_000, 1_200, doubtful=100, doubtful_animals=40, doubtful_others=20),
            Audited(blanks, blanks, 0, int(random.binomial(blanks, 0.04))),
            Audited(confident, confident, 0, absent, absent),
        )
        assert rate is not None
        covered += rate.low <= truth <= rate.high
    assert covered / SIMULATED >= EXPECTED_COVERAGE


def test_the_false_negative_rate_is_missed_animals_of_all_animals() -> None:
    counts = VerdictCounts(blank=1_000, confident=400, doubtful=110, doubtful_animals=60, doubtful_others=10)
    rate = missed_animals(counts, Audited(100, 100, 0, 5), Audited(50, 50, 0, 5, 5))
    assert rate is not None
    assert rate.value == pytest.approx(50 / (50 + 360 + 100))
    assert rate.low < rate.value < rate.high


@given(samples(), samples(), st.integers(0, 5_000), st.integers(0, 5_000), st.data())
def test_the_false_negative_rate_is_within_its_interval(
    blanks: Audited, confident: Audited, blank: int, animals: int, data: st.DataObject
) -> None:
    doubtful = data.draw(st.integers(0, 100))
    seen = data.draw(st.integers(0, doubtful))
    others = data.draw(st.integers(0, doubtful - seen))
    rate = missed_animals(VerdictCounts(blank, animals, doubtful, seen, others), blanks, confident)
    assert rate is None or 0 <= rate.low <= rate.value <= rate.high <= 1


def test_without_any_animal_there_is_no_false_negative_rate() -> None:
    assert missed_animals(VerdictCounts(), Audited(20, 20), Audited()) is None
    assert missed_animals(VerdictCounts(blank=20), Audited(9, 9), Audited()) is None


def test_without_a_found_animal_all_may_be_missed() -> None:
    assert missed_animals(VerdictCounts(blank=20), Audited(20, 20, 0, 2), Audited()) == Rate(1.0, 1.0, 1.0)
