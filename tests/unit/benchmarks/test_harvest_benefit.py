"""The source of the measured harvest, and the table."""

import csv
from pathlib import Path

import pytest

from benchmarks import harvest_benefit
from benchmarks.harvest_benefit import LABELS, Measured, render, write_source
from benchmarks.models_report.genuine_data import DATASETS
from uncia.training.datasets.dataset import Sample
from uncia.training.evaluation.bootstrap import Interval
from uncia.training.harvest.benefit import Benefit

SAMPLES = tuple(Sample(Path(f"{at}.jpg"), LABELS[at % 2], f"burst {at // 4 * 2 + at % 2}", "ridge") for at in range(40))


def labels(table: Path) -> dict[str, str]:
    with table.open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).name: row["label"] for row in csv.DictReader(file)}


def test_the_stated_share_of_the_bursts_has_the_other_label(tmp_path: Path) -> None:
    written = labels(write_source(SAMPLES, tmp_path, 0.3, seed=1))
    swapped = {one.burst for one in SAMPLES if written[one.path.name] != one.label}
    assert len(swapped) == 6  # of 20


def test_without_swaps_the_labels_are_those_of_the_data_set(tmp_path: Path) -> None:
    written = labels(write_source(SAMPLES, tmp_path, 0.0, seed=1))
    assert written == {one.path.name: one.label for one in SAMPLES}


def test_the_table_leaves_out_equal_weights_where_nothing_was_down_weighted() -> None:
    value = Interval(0.4, 0.5, 0.6)
    benefit = Benefit(10, 20, 0, 30, value, value, value, None, None, 0, 0.5, 0.5)
    assert "equal weights" not in render([Measured(0.0, benefit)])


@pytest.mark.timeout(1200)
def test_the_harvest_of_one_data_set_is_measured_beside_another_one(tmp_path: Path) -> None:
    names = (harvest_benefit.SOURCE, harvest_benefit.OWN)
    if missing := [name for name in names if not (DATASETS / name / "manifest.csv").is_file()]:
        pytest.skip(f"{DATASETS} has no copy of {', '.join(missing)}")
    found = harvest_benefit.measure(DATASETS, bursts_per_label=2, pictures=40, seed=1, cache=tmp_path)
    assert [one.swapped for one in found] == list(harvest_benefit.SWAPPED)
    assert all(one.benefit.harvested > 0 and one.benefit.test > 0 for one in found)
