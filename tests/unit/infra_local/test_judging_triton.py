"""When the keeper reloads a model, and when it restarts Triton."""

from infra.local.triton_keeper import Cure, Judgement
from uncia.inference import Health


def cures(*answers: tuple[float, Health]) -> list[Cure]:
    judgement = Judgement()
    return [judgement.after(health, now) for now, health in answers]


def test_a_model_that_answers_is_left_alone() -> None:
    assert cures((0, Health.HEALTHY), (3, Health.HEALTHY)) == [Cure.NOTHING, Cure.NOTHING]


def test_a_dead_process_is_cured_at_once() -> None:
    assert cures((0, Health.HEALTHY), (3, Health.DEAD)) == [Cure.NOTHING, Cure.RELOAD]


def test_one_slow_moment_is_no_illness() -> None:
    assert cures((0, Health.FAILING), (1, Health.HEALTHY), (2, Health.FAILING)) == [Cure.NOTHING] * 3


def test_two_bad_answers_in_a_row_are() -> None:
    assert cures((0, Health.WRONG), (1, Health.WRONG)) == [Cure.NOTHING, Cure.RELOAD]


def test_a_triton_that_starts_is_waited_for() -> None:
    assert cures(*((now, Health.UNREACHABLE) for now in range(0, 60, 3))) == [Cure.NOTHING] * 20


def test_a_triton_that_never_answers_is_restarted() -> None:
    assert cures((0, Health.UNREACHABLE), (90, Health.UNREACHABLE)) == [Cure.NOTHING, Cure.RESTART]


def test_when_reloading_does_not_help_triton_is_restarted() -> None:
    answers = [(float(now), Health.DEAD) for now in range(3)]
    assert cures(*answers) == [Cure.RELOAD, Cure.RELOAD, Cure.RESTART]


def test_after_a_cure_that_helped_the_count_begins_anew() -> None:
    illness = [(0.0, Health.DEAD), (3.0, Health.HEALTHY)] * 5
    assert Cure.RESTART not in cures(*illness)


def test_patience_begins_anew_after_a_restart() -> None:
    judgement = Judgement()
    assert judgement.after(Health.UNREACHABLE, 0) is Cure.NOTHING
    assert judgement.after(Health.UNREACHABLE, 90) is Cure.RESTART
    assert judgement.after(Health.UNREACHABLE, 91) is Cure.NOTHING
