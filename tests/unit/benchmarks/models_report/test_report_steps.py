"""Steps of the report: completed steps are not repeated, and steps that depend on a changed result are."""

from pathlib import Path

import pytest

from benchmarks.models_report.steps import QUICK_SIZES, Facts, Report, Sizes, Step, run_steps


class Counting:
    """A step that counts its runs."""

    def __init__(self, *, broken: bool = False) -> None:
        self.times, self.broken = 0, broken

    def __call__(self, report: Report) -> Facts:
        if self.broken:
            raise KeyboardInterrupt
        self.times += 1
        return {"times": self.times}


def report(folder: Path, sizes: Sizes = QUICK_SIZES, seed: int = 1) -> Report:
    return Report(folder, sizes, seed, lambda line: None, {})


@pytest.fixture
def steps() -> list[Step]:
    return [Step("data", "data", Counting()), Step("head", "head", Counting(), ("data",))]


def times(steps: list[Step]) -> list[int]:
    return [step.run.times for step in steps]  # type: ignore[attr-defined]


def test_completed_steps_are_not_repeated(tmp_path: Path, steps: list[Step]) -> None:
    for _ in range(2):
        done = report(tmp_path)
        run_steps(steps, done)
    assert times(steps) == [1, 1]
    assert done.done["head"]["times"] == 1


def test_force_repeats_completed_steps(tmp_path: Path, steps: list[Step]) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path), force=True)
    assert times(steps) == [2, 2]


def test_a_repeated_step_invalidates_the_steps_that_depend_on_it(tmp_path: Path, steps: list[Step]) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path), force=True, only=["data"])
    run_steps(steps, report(tmp_path))
    assert times(steps) == [2, 2]


@pytest.mark.parametrize(("sizes", "seed"), [(Sizes(), 1), (QUICK_SIZES, 2)])
def test_other_sizes_or_another_seed_repeat_all_steps(
    tmp_path: Path, steps: list[Step], sizes: Sizes, seed: int
) -> None:
    run_steps(steps, report(tmp_path))
    run_steps(steps, report(tmp_path, sizes, seed))
    assert times(steps) == [2, 2]


def test_an_interrupted_report_resumes(tmp_path: Path, steps: list[Step]) -> None:
    stopped = [steps[0], Step("head", "head", Counting(broken=True), ("data",))]
    with pytest.raises(KeyboardInterrupt):
        run_steps(stopped, report(tmp_path))
    run_steps(steps, report(tmp_path))
    assert times(steps) == [1, 1]


def test_only_selected_steps_run(tmp_path: Path, steps: list[Step]) -> None:
    done = report(tmp_path)
    run_steps(steps, done, only=["data"])
    assert list(done.done) == ["data"]
