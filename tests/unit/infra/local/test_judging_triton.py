"""What the keeper asks, what it cures by which means, and when it restarts Triton."""

from collections.abc import Callable
from pathlib import Path

import structlog

from uncia.errors import DependencyDown
from uncia.infra.local.triton import probe_besides
from uncia.infra.local.triton_watchdog import LIVE, OTHERS_EVERY, Cure, Judgement, Keeper
from uncia.serving.triton_client import ModelControl, ModelHealth, ProbeResult
from uncia.settings import Settings


def cures(*answers: tuple[float, ModelHealth]) -> list[Cure]:
    judgement = Judgement()
    return [judgement.after(health, now) for now, health in answers]


def test_a_model_that_answers_is_left_alone() -> None:
    assert cures((0, ModelHealth.HEALTHY), (3, ModelHealth.HEALTHY)) == [Cure.NOTHING, Cure.NOTHING]


def test_a_dead_process_is_cured_at_once() -> None:
    assert cures((0, ModelHealth.HEALTHY), (3, ModelHealth.DEAD)) == [Cure.NOTHING, Cure.REVIVE]


def test_one_slow_moment_is_no_illness() -> None:
    assert cures((0, ModelHealth.FAILING), (1, ModelHealth.HEALTHY), (2, ModelHealth.FAILING)) == [Cure.NOTHING] * 3


def test_two_bad_answers_in_a_row_are() -> None:
    assert cures((0, ModelHealth.WRONG), (1, ModelHealth.WRONG)) == [Cure.NOTHING, Cure.REVIVE]


def test_a_triton_that_starts_is_waited_for() -> None:
    assert cures(*((now, ModelHealth.UNREACHABLE) for now in range(0, 60, 3))) == [Cure.NOTHING] * 20


def test_a_triton_that_never_answers_is_restarted() -> None:
    assert cures((0, ModelHealth.UNREACHABLE), (90, ModelHealth.UNREACHABLE)) == [Cure.NOTHING, Cure.RESTART]


def test_a_version_that_cannot_be_revived_is_reloaded_with_all_others_and_then_triton_is_restarted() -> None:
    answers = [(float(now), ModelHealth.DEAD) for now in range(4)]
    assert cures(*answers) == [Cure.REVIVE, Cure.RELOAD, Cure.RESTART, Cure.REVIVE]


def test_after_a_cure_that_helped_the_count_begins_anew() -> None:
    illness = [(0.0, ModelHealth.DEAD), (3.0, ModelHealth.HEALTHY)] * 5
    assert Cure.RESTART not in cures(*illness)


def test_patience_begins_anew_after_a_restart() -> None:
    judgement = Judgement()
    assert judgement.after(ModelHealth.UNREACHABLE, 0) is Cure.NOTHING
    assert judgement.after(ModelHealth.UNREACHABLE, 90) is Cure.RESTART
    assert judgement.after(ModelHealth.UNREACHABLE, 91) is Cure.NOTHING


class Versions:
    """A keeper over versions 2 and 3 besides the live one; which are asked, which are ill, and what is done to them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cured: list[tuple[Cure, str]] = []
        self.health: dict[str, ModelHealth] = {}
        self.others: tuple[str, ...] = ("2", "3")
        self.others_at_work = 0
        cures = {cure: self._cure(cure) for cure in Cure}
        self._keeper, self._now = Keeper(self._ask, cures, lambda: self.others, structlog.get_logger("uncia")), 0.0

    def rounds(self, count: int) -> None:
        for _ in range(count):
            self._now += 3
            self._keeper.round(self._now)

    def _ask(self, version: str) -> ProbeResult:
        self.asked.append(version)
        return ProbeResult(self.health.get(version, ModelHealth.HEALTHY), "as told")

    def _cure(self, cure: Cure) -> Callable[[str], None]:
        def do(version: str) -> None:
            if self.others_at_work:
                self.others_at_work -= 1
                raise BlockingIOError
            self.cured.append((cure, version))
            if self.health[version] is ModelHealth.WRONG:
                raise DependencyDown("in vain")
            if self.health[version] is not ModelHealth.FAILING:
                self.health[version] = ModelHealth.HEALTHY

        return do


def test_the_live_version_is_asked_every_time_and_the_others_now_and_then_in_turn() -> None:
    versions = Versions()
    versions.rounds(4 * OTHERS_EVERY)
    assert versions.asked.count(LIVE) == 4 * OTHERS_EVERY
    assert versions.asked.count("2") == versions.asked.count("3") == 2
    assert not versions.cured


def test_a_version_besides_the_live_one_is_revived_and_nothing_else() -> None:
    versions = Versions()
    versions.health["3"] = ModelHealth.DEAD
    versions.rounds(4 * OTHERS_EVERY)
    assert versions.cured == [(Cure.REVIVE, "3")]


def test_for_a_version_besides_the_live_one_triton_is_never_reloaded_or_restarted() -> None:
    versions = Versions()
    versions.health |= {"2": ModelHealth.WRONG, "3": ModelHealth.FAILING}
    versions.rounds(40 * OTHERS_EVERY)
    assert sorted(version for _, version in versions.cured) == ["2", "2", "3", "3"]
    assert {cure for cure, _ in versions.cured} == {Cure.REVIVE}


def test_a_cure_that_had_to_wait_for_somebody_at_work_is_tried_later() -> None:
    """However long a model is being built meanwhile."""
    versions = Versions()
    versions.health["2"] = ModelHealth.DEAD
    versions.others_at_work = 5
    versions.rounds(20 * OTHERS_EVERY)
    assert versions.cured == [(Cure.REVIVE, "2")]


def test_a_version_besides_the_live_one_whose_folder_is_gone_is_ill_and_stops_nobody(tmp_path: Path) -> None:
    chosen = Settings(model_repository=tmp_path)
    with ModelControl(chosen) as control:
        answer = probe_besides(control, chosen, "7")
    assert answer.health is ModelHealth.FAILING
    assert "no version 7" in answer.detail


def test_while_the_live_version_is_ill_nothing_else_is_asked() -> None:
    versions = Versions()
    versions.health[LIVE] = ModelHealth.UNREACHABLE
    versions.rounds(4 * OTHERS_EVERY)
    assert set(versions.asked) == {LIVE}


def test_a_version_that_is_served_anew_is_cured_anew() -> None:
    versions = Versions()
    versions.health["2"] = ModelHealth.WRONG
    versions.rounds(20 * OTHERS_EVERY)
    versions.others = ("3",)
    versions.rounds(OTHERS_EVERY)
    versions.others = ("2", "3")
    versions.rounds(20 * OTHERS_EVERY)
    assert len(versions.cured) == 4
