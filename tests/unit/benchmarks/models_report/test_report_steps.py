"""Steps of the report: what is done is not done again, and what follows from it is."""

from pathlib import Path

import pytest

from benchmarks.models_report.running import TRY, Facts, Report, Sizes, Step, run_steps


class Counting:
    """A step that says how often it ran."""

    def __init__(self, *, broken: bool = False) -> None:
        self.times, self.broken = 0, broken

    def __call__(self, report: Report) -> Facts:
        if self.broken:
            raise KeyboardInterrupt
        self.times += 1
        return {"times": self.times}


def report(folder: Path, sizes: Sizes = TRY, seed: int = 1) -> Report:
    return Report(folder, sizes, seed, lambda line: None, {})


@pytest.fixture
def steps() -> list[Step]:
    return [Step("data", "data", Counting()), Step("head", "head", Counting(), ("data",))]


def times(steps: list[Step]) -> list[int]:
    return [step.run.times for step in steps]  # type: ignore[attr-defined]


def test_what_is_done_is_not_done_again(tmp_path: Path, steps: list[Step]) -> None:
    for _ in range(2):
        told = report(tmp_path)
        run_steps(steps, told)
    assert times(steps) == [1, 1]
    assert told.done["head"]["times"] == 1


def test_force_does_it_again(tmp_path: Path, steps: list[Step]) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path), force=True)
    assert times(steps) == [2, 2]


def test_a_step_done_anew_takes_along_what_follows_from_it(tmp_path: Path, steps: list[Step]) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path), force=True, only=["data"])
    run_steps(steps, report(tmp_path))
    assert times(steps) == [2, 2]


@pytest.mark.parametrize(("sizes", "seed"), [(Sizes(), 1), (TRY, 2)])
def test_other_sizes_and_another_seed_are_another_report(
    tmp_path: Path, steps: list[Step], sizes: Sizes, seed: int
) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path, sizes, seed))
    assert times(steps) == [2, 2]


def test_a_report_that_was_stopped_goes_on(tmp_path: Path, steps: list[Step]) -> None:
    stopped = [steps[0], Step("head", "head", Counting(broken=True), ("data",))]
    with pytest.raises(KeyboardInterrupt):
        run_steps(stopped, report(tmp_path))
    run_steps(steps, report(tmp_path))
    assert times(steps) == [1, 1]


def test_only_some_steps_are_done_where_asked(tmp_path: Path, steps: list[Step]) -> None:
    told = report(tmp_path)
    run_steps(steps, told, only=["data"])
    assert list(told.done) == ["data"]
