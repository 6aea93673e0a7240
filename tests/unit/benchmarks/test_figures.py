"""Statistics of measurements."""

import pytest

from benchmarks.figures import cpu_between, growth_per_1000, medians, percentile, spread


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([30.0, 10.0, 20.0, 40.0], 0.5) == 20.0


def test_the_99th_percentile_of_few_values_is_the_worst() -> None:
    assert percentile([float(value) for value in range(50)], 0.99) == 49.0


def test_the_99th_percentile_of_a_hundred_values_leaves_one_above() -> None:
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99.0


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_spread_is_median_least_and_largest() -> None:
    assert spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_growth_is_the_slope_per_thousand() -> None:
    counts = list(range(0, 10_001, 500))
    assert growth_per_1000(counts, [100 + count * 0.002 for count in counts]) == pytest.approx(2.0)


def test_growth_leaves_the_warm_up_out() -> None:
    counts = list(range(0, 10_001, 500))
    sizes = [min(300.0, 100 + count) for count in counts]
    assert growth_per_1000(counts, sizes) == pytest.approx(0.0)


def test_growth_of_too_few_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="three points"):
        growth_per_1000([0, 1000], [1.0, 2.0])


def test_cpu_is_summed_over_the_processes_of_a_part() -> None:
    before = {1: ("triton", 10.0), 2: ("triton", 1.0)}
    after = {1: ("triton", 12.0), 2: ("triton", 1.5)}
    assert cpu_between(before, after) == {"triton": 2.5}


def test_a_new_process_counts_from_its_start() -> None:
    assert cpu_between({}, {7: ("predict", 0.5)}) == {"predict": 0.5}


def test_a_reused_pid_is_another_process() -> None:
    assert cpu_between({7: ("intake", 9.0)}, {7: ("predict", 0.5)}) == {"predict": 0.5}


def test_medians_are_taken_by_name_over_the_rounds() -> None:
    rounds = [{"kafka": 1.0, "predict": 5.0}, {"kafka": 3.0, "predict": 4.0}, {"kafka": 2.0, "predict": 9.0}]
    assert medians(rounds) == {"kafka": 2.0, "predict": 5.0}
