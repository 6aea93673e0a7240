"""The watchdog: which versions it probes, which remedy it applies, and when it restarts Triton."""

from collections.abc import Callable
from pathlib import Path

import structlog
from filelock import Timeout

from uncia.errors import DependencyDown
from uncia.infra.local.triton import probe_other_version, stream_models
from uncia.infra.local.triton_watchdog import LIVE, PROBES_PER_OTHER_VERSION, Remedy, RemedyPolicy, TritonWatchdog
from uncia.serving.triton_client import ModelControl, ModelHealth, ProbeResult
from uncia.settings import Settings


def remedies(*results: tuple[float, ModelHealth]) -> list[Remedy]:
    policy = RemedyPolicy()
    return [policy.next_remedy(health, now) for now, health in results]


def test_a_healthy_model_gets_no_remedy() -> None:
    assert remedies((0, ModelHealth.HEALTHY), (3, ModelHealth.HEALTHY)) == [Remedy.NONE, Remedy.NONE]


def test_a_dead_process_is_reloaded_at_once() -> None:
    assert remedies((0, ModelHealth.HEALTHY), (3, ModelHealth.DEAD)) == [Remedy.NONE, Remedy.REVIVE]


def test_a_single_failed_probe_has_no_remedy() -> None:
    assert remedies((0, ModelHealth.FAILING), (1, ModelHealth.HEALTHY), (2, ModelHealth.FAILING)) == [Remedy.NONE] * 3


def test_two_failed_probes_in_a_row_reload_the_version() -> None:
    assert remedies((0, ModelHealth.WRONG), (1, ModelHealth.WRONG)) == [Remedy.NONE, Remedy.REVIVE]


def test_a_starting_triton_is_given_time() -> None:
    assert remedies(*((now, ModelHealth.UNREACHABLE) for now in range(0, 60, 3))) == [Remedy.NONE] * 20


def test_a_triton_that_stays_unreachable_is_restarted() -> None:
    assert remedies((0, ModelHealth.UNREACHABLE), (90, ModelHealth.UNREACHABLE)) == [Remedy.NONE, Remedy.RESTART]


def test_when_reloading_the_version_does_not_help_the_model_is_reloaded_and_then_triton_restarted() -> None:
    results = [(float(now), ModelHealth.DEAD) for now in range(4)]
    assert remedies(*results) == [Remedy.REVIVE, Remedy.RELOAD, Remedy.RESTART, Remedy.REVIVE]


def test_a_remedy_that_helped_resets_the_count() -> None:
    failures = [(0.0, ModelHealth.DEAD), (3.0, ModelHealth.HEALTHY)] * 5
    assert Remedy.RESTART not in remedies(*failures)


def test_the_patience_starts_over_after_a_restart() -> None:
    policy = RemedyPolicy()
    assert policy.next_remedy(ModelHealth.UNREACHABLE, 0) is Remedy.NONE
    assert policy.next_remedy(ModelHealth.UNREACHABLE, 90) is Remedy.RESTART
    assert policy.next_remedy(ModelHealth.UNREACHABLE, 91) is Remedy.NONE


class FakeTriton:
    """A Triton with the live version and versions 2 and 3; records probes and remedies."""

    def __init__(self) -> None:
        self.probed: list[str] = []
        self.applied: list[tuple[Remedy, str]] = []
        self.health: dict[str, ModelHealth] = {}
        self.others: tuple[str, ...] = ("2", "3")
        self.busy = 0
        remedies = {remedy: self._remedy(remedy) for remedy in Remedy}
        self._watchdog = TritonWatchdog(self._probe, remedies, lambda: self.others, structlog.get_logger("uncia"))
        self._now = 0.0

    def checks(self, count: int) -> None:
        for _ in range(count):
            self._now += 3
            self._watchdog.check(self._now)

    def _probe(self, version: str) -> ProbeResult:
        self.probed.append(version)
        return ProbeResult(self.health.get(version, ModelHealth.HEALTHY), "as configured")

    def _remedy(self, remedy: Remedy) -> Callable[[str], None]:
        def apply(version: str) -> None:
            if self.busy:
                self.busy -= 1
                raise Timeout("lock")
            self.applied.append((remedy, version))
            if self.health[version] is ModelHealth.WRONG:
                raise DependencyDown("no effect")
            if self.health[version] is not ModelHealth.FAILING:
                self.health[version] = ModelHealth.HEALTHY

        return apply


def test_the_live_version_is_probed_every_time_and_the_others_rarely_in_turn() -> None:
    triton = FakeTriton()
    triton.checks(4 * PROBES_PER_OTHER_VERSION)
    assert triton.probed.count(LIVE) == 4 * PROBES_PER_OTHER_VERSION
    assert triton.probed.count("2") == triton.probed.count("3") == 2
    assert not triton.applied


def test_a_dead_version_that_is_not_live_is_reloaded_and_nothing_else() -> None:
    triton = FakeTriton()
    triton.health["3"] = ModelHealth.DEAD
    triton.checks(4 * PROBES_PER_OTHER_VERSION)
    assert triton.applied == [(Remedy.REVIVE, "3")]


def test_for_a_version_that_is_not_live_the_model_is_never_reloaded_and_triton_never_restarted() -> None:
    triton = FakeTriton()
    triton.health |= {"2": ModelHealth.WRONG, "3": ModelHealth.FAILING}
    triton.checks(40 * PROBES_PER_OTHER_VERSION)
    assert sorted(version for _, version in triton.applied) == ["2", "2", "3", "3"]
    assert {remedy for remedy, _ in triton.applied} == {Remedy.REVIVE}


def test_a_remedy_postponed_by_another_process_is_retried() -> None:
    """A build holds the repository for any length of time."""
    triton = FakeTriton()
    triton.health["2"] = ModelHealth.DEAD
    triton.busy = 5
    triton.checks(20 * PROBES_PER_OTHER_VERSION)
    assert triton.applied == [(Remedy.REVIVE, "2")]


def test_a_missing_version_folder_makes_only_that_version_failing(tmp_path: Path) -> None:
    settings = Settings(model_repository=tmp_path)
    with ModelControl(settings) as control:
        result = probe_other_version(control, settings, "7")
    assert result.health is ModelHealth.FAILING
    assert "no version 7" in result.detail


def test_while_the_live_version_is_unhealthy_no_other_is_probed() -> None:
    triton = FakeTriton()
    triton.health[LIVE] = ModelHealth.UNREACHABLE
    triton.checks(4 * PROBES_PER_OTHER_VERSION)
    assert set(triton.probed) == {LIVE}


def test_a_version_that_is_loaded_again_gets_remedies_again() -> None:
    triton = FakeTriton()
    triton.health["2"] = ModelHealth.WRONG
    triton.checks(20 * PROBES_PER_OTHER_VERSION)
    triton.others = ("3",)
    triton.checks(PROBES_PER_OTHER_VERSION)
    triton.others = ("2", "3")
    triton.checks(20 * PROBES_PER_OTHER_VERSION)
    assert len(triton.applied) == 4


def test_a_detector_that_cannot_be_repaired_never_restarts_triton() -> None:
    policy = RemedyPolicy(last=Remedy.NONE)
    results = [policy.next_remedy(ModelHealth.DEAD, float(now)) for now in range(6)]

    assert results == [Remedy.REVIVE, Remedy.RELOAD, *[Remedy.NONE] * 4]


def test_the_detector_is_one_of_the_streams_models_where_the_repository_holds_it(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, model_repository=tmp_path)
    assert stream_models(settings) == ("species_classifier",)
    (tmp_path / "animal_detector").mkdir()
    (tmp_path / "animal_detector" / "live.json").write_text("{}")

    assert stream_models(settings) == ("species_classifier", "animal_detector")
    assert stream_models(settings.model_copy(update={"detector": ""})) == ("species_classifier",)
