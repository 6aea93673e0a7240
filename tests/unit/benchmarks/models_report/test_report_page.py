"""The report's page: results are written between the markers, and the stated effects follow from the intervals."""

from pathlib import Path

import pytest

from benchmarks.models_report.markdown import verdict
from benchmarks.models_report.page import BEGIN, END, NOT_THE_FIELD, results, write_page
from benchmarks.models_report.steps import QUICK_SIZES, Facts, Report
from tests.paths import ROOT

MACHINE = {
    "measured_at": "2026-05-01 10:00 UTC",
    "commit": "abc",
    "command": "make",
    "machine_cpu": "a processor",
    "machine_cores": 2,
    "machine_memory_gb": 8,
}
MEASURES = {
    name: [0.7, 0.8, 0.9] for name in ("top-1", "top-5", "mean reciprocal rank", "log loss", "calibration error")
}
LINE = {"what": "all 2, log-odds", "measures": {"items": 40, "bursts": 10, **MEASURES}, "gain": None}
BURSTS: Facts = {
    "seconds": 1.0,
    "bursts": 10,
    "features": ["max"],
    "classes": 2,
    "lines": [
        {"what": "each frame alone", "measures": {"top-1": [0.6, 0.7, 0.8]}, "gain": None},
        {**LINE, "what": "log-odds", "gain": [0.01, 0.1, 0.2]},
        {**LINE, "what": "vote", "gain": [-0.05, 0.02, 0.1]},
    ],
}
INTERVAL = {"low": 0.5, "value": 0.6, "high": 0.7}
ABLATION: Facts = {
    "seconds": 1.0,
    "photographs": 40,
    "bursts": 10,
    "rows": [
        {
            "cut": "features",
            "look": "windows",
            "augmentation": "mirror",
            "figures": {"top-1": INTERVAL},
            "burst_figures": {"any frame": {"low": 0.6, "value": 0.7, "high": 0.8}},
        }
    ],
    "best": "features, windows, mirror",
    "rules": {"any frame": {"frames": {"animal here, AUC": INTERVAL}, "bursts": {"animal here, AUC": None}}},
    "warnings": ["Not split by camera."],
    "effects": {"windows instead of whole": {"low": -0.3, "value": -0.2, "high": -0.1}},
}


def report(folder: Path, **done: Facts) -> Report:
    return Report(folder, QUICK_SIZES, 1, lambda line: None, dict(done))


@pytest.mark.parametrize(
    ("gain", "word"),
    [
        ([0.01, 0.05, 0.09], "**helps**"),
        ([-0.09, -0.05, -0.01], "**harms**"),
        ([-0.01, 0.04, 0.09], "no significant effect"),
    ],
)
def test_a_part_helps_only_when_its_whole_interval_is_positive(gain: list[float], word: str) -> None:
    assert word in verdict(gain)


def test_the_page_warns_that_composites_are_not_field_data(tmp_path: Path) -> None:
    assert NOT_THE_FIELD in results(report(tmp_path), MACHINE)


def test_a_negative_effect_is_reported_as_harm(tmp_path: Path) -> None:
    text = results(report(tmp_path, ablation=ABLATION), MACHINE)
    assert "- windows instead of whole: **harms**: -20.0 points of top-1 (-30.0 to -10.0)." in text


def test_frames_and_bursts_share_one_row(tmp_path: Path) -> None:
    text = results(report(tmp_path, ablation=ABLATION), MACHINE)
    assert "| features | windows | mirror | 0.600 (0.500 to 0.700) | 0.700 (0.600 to 0.800) |" in text


def test_the_ablation_answers_both_questions_and_repeats_its_warnings(tmp_path: Path) -> None:
    text = results(report(tmp_path, ablation=ABLATION), MACHINE)
    assert "| any frame | 0.600 (0.500 to 0.700) | - |" in text
    assert "Not split by camera." in text


def test_every_burst_rule_is_compared_with_single_frames(tmp_path: Path) -> None:
    text = results(report(tmp_path, bursts=BURSTS), MACHINE)
    assert "- log-odds: **helps**" in text
    assert "- vote: **no significant effect**" in text


def test_real_photographs_are_listed_with_their_groups(tmp_path: Path) -> None:
    scores = {"animal": 0.9, "person": 0.0, "vehicle": 0.1, "nothing": 0.05}
    samples: Facts = {
        "seconds": 1.0,
        "photographs": 2,
        "leopard_threshold": 0.02,
        "thresholds": {"animal": 0.7, "person": None, "vehicle": 0.8, "nothing": 0.9},
        "lines": [
            {"photograph": "snow_leopard_burst/1.JPG", "leopard": 0.5, **scores},
            {"photograph": "single_frames/vehicle.jpg", "leopard": 0.0, **scores},
        ],
    }
    text = results(report(tmp_path, samples=samples), MACHINE)
    assert "reached by 1 of the 1 frames of its burst and by 0 of the 1 others" in text
    assert "| vehicle.jpg | 0.90 | 0.00 | 0.10 | 0.05 | animal |" in text


def test_steps_without_results_are_omitted(tmp_path: Path) -> None:
    assert "### Serving" not in results(report(tmp_path), MACHINE)


def test_only_the_section_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_page(page, page, report(tmp_path / "report", bursts=BURSTS), MACHINE)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "old" not in text
    assert (tmp_path / "models" / "ensembles.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_page_without_markers_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="markers"):
        write_page(page, page, report(tmp_path / "report"), MACHINE)


def test_the_projects_own_page_has_its_markers() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert BEGIN in text and END in text


def test_a_step_that_was_skipped_says_why(tmp_path: Path) -> None:
    skipped: Facts = {"seconds": 0.0, "skipped": "there is no copy of the genuine data sets"}
    text = results(report(tmp_path, presence=skipped, presence_samples=skipped, verdicts=skipped), MACHINE)
    assert text.count("Skipped: there is no copy of the genuine data sets.") == 3


def test_every_data_set_has_a_table_of_its_own_with_intervals(tmp_path: Path) -> None:
    figures = {"frames": 9, "blank_frames": 4, "bursts": 3, "blank_bursts": 1, "right_boxes": None}
    rates = ("frame_auc", "burst_auc", "frame_recall", "frame_false_alarms", "burst_recall", "burst_false_alarms")
    stage = {**figures, **dict.fromkeys(rates, INTERVAL)}
    other = {"frames": 0, "found": None, "others": 9, "false": INTERVAL}
    own = {"stages": {"+ movement": stage}, "boxes": {"true_boxes": 0}, "person": other, "vehicle": other}
    facts: Facts = {
        "seconds": 1.0,
        "datasets": {"north": own, "south": own},
        "thresholds": {"north": 0.6, "south": 0.7},
        "all": {"+ movement": stage},
        "equal_alarms": {"+ movement": INTERVAL},
    }
    text = results(report(tmp_path, presence=facts), MACHINE)
    for name in ("north", "south"):
        assert f"**{name}**: 9 frames whose own truth is known (4 blank), 3 bursts (1 blank)." in text
    assert "| + movement | 0.600 (0.500 to 0.700) | 0.600 (0.500 to 0.700) | - |" in text
    assert "in 1,000 blank bursts 600 (500 to 700)" in text
    assert "Person: none in the data" in text


def test_the_page_names_the_steps_that_were_not_run(tmp_path: Path) -> None:
    assert "Not run: boxes." in results(report(tmp_path), {**MACHINE, "not_run": ["boxes"]})
