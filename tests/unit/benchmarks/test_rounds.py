"""The rounds of the main benchmark: what is recorded of both models, of the stream, and of the stages."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import run
from benchmarks.end_to_end import GENERATOR, OTHERS, Round
from benchmarks.in_process import Strategy, Throughput
from benchmarks.pipeline import Models
from benchmarks.run import Benchmark, Plan

_STRATEGY = Strategy("pool", 1)


class _Stream:
    """Receives 9 photographs a second."""

    def full_speed(self, images: int) -> Round:
        cpu = {"predict": 0.03, "kafka": 0.01, GENERATOR: 0.002, OTHERS: 0.05}
        return Round(images, 9.0, 10.0, 100.0, cpu)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Strategy]]:
    calls: list[tuple[str, Strategy]] = []

    def measure(what: str, models: Models, photographs: Path, **options: Any) -> Throughput:
        calls.append((what, Strategy(options["strategy"], options["batch"])))
        return Throughput(12.0, 0.16)

    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(
        run, "measure_stages", lambda *_, **__: {"decode": 7.0, "detector": 20.0, "crops_per_image": 0.5}
    )
    return calls


def _rounds(tmp_path: Path) -> dict[str, str | int | float]:
    benchmark = Benchmark(tmp_path, Plan(rounds=2), lambda line: None)
    benchmark._rounds(_Stream(), _STRATEGY, Throughput(15.0, 0.14))  # type: ignore[arg-type]
    return benchmark._results


def test_the_baseline_and_the_stream_run_both_models(
    measured: list[tuple[str, Strategy]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_models", lambda: Models(tmp_path / "classifier", tmp_path / "detector"))
    results = _rounds(tmp_path)

    assert [what for what, _ in measured] == 2 * ["model", "model", "detector", "frames"]
    assert (results["end_to_end_ratio"], results["detector_images_per_s"]) == (0.75, 12.0)


def test_the_rest_is_the_streams_time_without_the_stages_and_the_load_generator(
    measured: list[tuple[str, Strategy]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_models", lambda: Models(tmp_path / "classifier", tmp_path / "detector"))
    results = _rounds(tmp_path)

    assert (results["stage_cpu_ms_decode"], results["stage_cpu_ms_detector"]) == (7.0, 20.0)
    assert results["stage_cpu_ms_rest"] == pytest.approx(40 - 27)
    assert results["crops_per_image"] == 0.5


def test_without_a_detector_there_is_no_rate_of_it(
    measured: list[tuple[str, Strategy]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_models", lambda: Models(tmp_path / "classifier", None))

    assert "detector_images_per_s" not in _rounds(tmp_path)
    assert "detector" not in {what for what, _ in measured}
