import numpy as np
import pytest

from benchmarks.identification_metrics import Ranking, measure, rank_of


def ranking(name: str, rank: int | None, top: float, *, known: bool = True) -> Ranking:
    return Ranking(name, known, rank, top)


def test_ties_count_against_the_true_individual() -> None:
    assert rank_of(np.array([0.5, 0.5, 0.1]), 1) == 2
    assert rank_of(np.array([0.5, 0.9, 0.1]), 1) == 1
    assert rank_of(np.array([0.5]), None) is None


def test_figures_of_known_and_new_animals() -> None:
    rankings = [
        ranking("a", 1, 0.9),
        ranking("b", 4, 0.4),
        ranking("c", None, 0.3),
        ranking("a", None, 0.2, known=False),
        ranking("b", None, 0.35, known=False),
        ranking("c", None, 0.1, known=False),
    ]
    figures = {name: interval.value for name, interval in measure(rankings).items()}
    assert figures == pytest.approx({"rank-1": 1 / 3, "rank-5": 2 / 3, "mAP": 1.25 / 3, "new AUC": 8 / 9})


def test_intervals_enclose_the_figure() -> None:
    rankings = [ranking(str(number), 1 + number % 2, number / 30) for number in range(30)]
    rankings += [ranking(str(number), None, 0.1, known=False) for number in range(30)]
    for interval in measure(rankings).values():
        assert interval.low <= interval.value <= interval.high
