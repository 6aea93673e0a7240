"""Merged data sets: every sample knows its own, and no burst or camera of two is the same."""

from pathlib import Path

from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.merging import merge_datasets


def data(camera: str) -> Dataset:
    return Dataset((Sample(Path("1.jpg"), "fox", "b1", camera),), "table of " + camera)


def test_bursts_and_cameras_of_one_name_stay_apart() -> None:
    merged = merge_datasets([data("c1"), data("c1")], ["north", "south"])
    assert [sample.burst for sample in merged.samples] == ["north/b1", "south/b1"]
    assert [sample.camera for sample in merged.samples] == ["north/c1", "south/c1"]
    assert [sample.dataset for sample in merged.samples] == ["north", "south"]


def test_a_data_set_whose_cameras_are_unknown_counts_as_one_camera() -> None:
    assert merge_datasets([data("")], ["north"]).samples[0].camera == "north"
