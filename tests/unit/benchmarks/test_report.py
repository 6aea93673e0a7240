"""The tables that the benchmark writes to its page."""

from pathlib import Path

import pytest

from benchmarks import kills, recovery_table
from benchmarks.report import BEGIN, END, write_docs, write_results
from tests.paths import ROOT

_STAGES = ("model_batch_1", "model_batch_8", "in_process", "end_to_end")
_RESULTS: dict[str, str | int | float] = {
    "measured_at": "2026-01-10",
    "commit": "abc",
    "command": "python -m benchmarks",
    "machine_cpu": "a CPU",
    "machine_cores": 2,
    "machine_memory_gb": 8,
    "machine_system": "Debian",
    "version_python": "3.11",
    "others_share_of_machine": 0.01,
    **{f"{stage}_images_per_s{end}": 40.0 for stage in _STAGES for end in ("", "_least", "_most")},
    **{f"{stage}_cpu_ms_per_image": 30.0 for stage in _STAGES},
    "in_process_way": "pool, batch 1",
    "rounds": 5,
    "end_to_end_ratio": 0.75,
    "end_to_end_ratio_least": 0.7,
    "end_to_end_ratio_most": 0.8,
    "answers_ratio": 0.76,
    "end_to_end_ratio_to_empty_machine": 0.74,
    "end_to_end_cpu_ratio": 0.7,
    **{f"{kind}_{mark}_ms": 50.0 for kind in ("latency", "verdict_latency") for mark in ("p50", "p95", "p99", "max")},
    "latency_rate_per_s": 9.0,
    "latency_seconds": 60,
    "latency_images": 540,
    "cpu_ms_per_image_predict": 12.0,
    "cpu_ms_per_image_total": 55.0,
    "idle_share_of_machine": 0.05,
    "memory_begin_mb_predict": 150.0,
    "memory_end_mb_predict": 151.0,
    "memory_end_total_mb": 1500.0,
    "images_in_all": 3000,
    "soak_images": 10_000,
    "soak_growth_mb_per_1000_predict": 0.02,
    "startup_cold_s_kafka": 4.0,
    "startup_warm_s_kafka": 3.0,
    "startup_cold_s": 9.0,
    "startup_warm_s": 8.0,
    "stop_s": 5.0,
    **{f"bursts_pure{name}_frames_per_s": 5000 for name in ("", "_with_bytes")},
    "bursts_prediction_bytes": 6900,
    "bursts_faust_frames": 20_000,
    "bursts_faust_frames_per_s": 900,
    "bursts_faust_cpu_ms_per_frame": 0.9,
    "bursts_faust_others_share": 0.02,
    "bursts_table_cameras": 10_000,
    "bursts_changelog_messages": 90_000,
    "bursts_start_small_table_s": 5.0,
    "bursts_start_full_table_s": 6.5,
    "bursts_kill_to_verdict_full_table_s": 8.5,
    "lanes_model": "no-op",
    "lanes_old": 100_000,
    "lanes_stored": 8192,
    "lanes_uploaded_per_s": 300.0,
    "lanes_answered_per_s": 120.0,
    "lanes_left_at_the_end": 90_000,
    **{
        f"lanes_{when}_{what}": 1234.5
        for when in ("alone", "uploaded", "waiting")
        for what in (
            "predicted_p50_ms",
            "predicted_p95_ms",
            "predicted_p99_ms",
            "verdict_p95_ms",
            "added_p95_ms",
        )
    },
    **{f"lanes_{when}_photographs": 120 for when in ("alone", "uploaded", "waiting")},
    **{f"lanes_{when}_others_share_of_machine": 0.03 for when in ("alone", "uploaded", "waiting")},
    "detector_images_per_s": 18.0,
    "detector_images_per_s_least": 17.0,
    "detector_images_per_s_most": 19.0,
    "detector_cpu_ms_per_image": 70.0,
    "stage_cpu_ms_decode": 7.0,
    "stage_cpu_ms_detector": 70.0,
    "stage_cpu_ms_rest": 21.5,
    "crops_per_image": 0.5,
    "bursts_detections_ms_per_frame": 0.9,
    "bursts_movement_ms_per_frame": 0.2,
    "cpu_ms_per_image_triton-stub-animal_detector": 71.0,
    "profile_part": "predict",
    "profile_own_01": "load (PIL/ImageFile.py) 60.0%",
    "profile_ours_01": "decode_frame (uncia/imaging/frames.py) 60.0%",
}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"# Speed\n\n{BEGIN}\nlast time\n{END}\n\nWords.\n")
    write_docs(path, _RESULTS)
    return path


def test_the_text_around_the_tables_is_kept(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# Speed\n")
    assert text.endswith("Words.\n")
    assert "last time" not in text


@pytest.mark.parametrize(
    "line",
    [
        "| (c) PUT to final burst verdict | 40.0 | 40.0 to 40.0 | 30.0 |",
        "(c)/(b) = **0.75**",
        "| (a) detector alone, one frame per core | 18.0 | 17.0 to 19.0 | 70.0 |",
        "| detector | 70.00 |\n| decode | 7.00 |",
        "| the rest: Kafka, store, Triton, transport, bursts | 21.50 |",
        "evaluates detections in 0.9 ms of CPU per frame, 0.2 of them for movement",
        "| Triton's process of `animal_detector` | 71.00 |",
        "| worker predict | 12.00 |",
        "| worker predict | 150 | 151 | +0.02 |",
        "| Kafka | 4.0 s | 3.0 s |",
        "| `decode_frame (uncia/imaging/frames.py)` | 60.0% |",
        "| the worker on Faust and Kafka | 900 frames/s |",
        "| start with a table of 10000 cameras | 6.5 s |",
        "| without a backlog | 120 | 1,234 ms | 1,234 ms | 1,234 ms | 1,234 ms | 1,234 ms | 3% |",
    ],
)
def test_figures_are_in_the_tables(page: Path, line: str) -> None:
    assert line in page.read_text()


def test_a_backlog_that_ended_too_soon_is_reported(page: Path) -> None:
    assert "backlog ended" not in page.read_text()
    write_docs(page, {**_RESULTS, "lanes_left_at_the_end": 0})
    assert "backlog ended" in page.read_text()


@pytest.mark.parametrize(
    ("page", "begin", "end"),
    [
        ("benchmarks.md", BEGIN, END),
        ("recovery.md", recovery_table.BEGIN, recovery_table.END),
        ("recovery.md", kills.BEGIN, kills.END),
    ],
)
def test_the_documentation_pages_have_markers_for_the_tables(page: str, begin: str, end: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text.count(begin) == text.count(end) == 1
    assert text.index(begin) < text.index(end)


def test_there_is_no_table_without_measurements(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"{BEGIN}\n{END}\n")
    write_docs(path, {name: value for name, value in _RESULTS.items() if not name.startswith(("bursts_", "lanes_"))})
    assert "Bursts worker" not in path.read_text()
    assert "backfill" not in path.read_text()


def test_writing_twice_changes_nothing(page: Path) -> None:
    once = page.read_text()
    write_docs(page, _RESULTS)
    assert page.read_text() == once


def test_a_page_without_markers_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="markers"):
        write_docs(path, _RESULTS)
    assert path.read_text() == "nothing"


def test_results_are_one_flat_object(tmp_path: Path) -> None:
    import json

    write_results(tmp_path / "new" / "results.json", _RESULTS)
    assert not any(
        isinstance(v, dict | list) for v in json.loads((tmp_path / "new" / "results.json").read_text()).values()
    )


def test_on_a_busy_machine_the_report_warns_and_emphasizes_cpu_time(page: Path) -> None:
    assert "(c)/(b) = **0.75**" in page.read_text()
    write_docs(page, {**_RESULTS, "others_share_of_machine": 0.5})
    assert "(c)/(b) = 0.75 " in page.read_text()
    assert "by CPU seconds per image **0.7**" in page.read_text()
    assert "not quiet" in page.read_text()
