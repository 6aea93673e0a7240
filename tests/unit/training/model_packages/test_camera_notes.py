"""A model card warns of figures that say nothing about another camera."""

from pathlib import Path

import pytest

from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.splits import Split
from uncia.training.model_packages.trained_model import camera_notes, coverage_notes, label_classes


def picture(camera: str, label: str = "fox") -> Sample:
    return Sample(Path(f"{camera}-{label}.jpg"), label, camera, camera)


@pytest.mark.parametrize("tested", ["north", ""])
def test_a_split_that_shares_cameras_or_does_not_know_them_is_warned_about(tested: str) -> None:
    parts = Split((picture("north"), picture("north", "hare")), (), (picture(tested),))
    classes = label_classes(parts.train)
    assert any("Not split by camera" in note for note in camera_notes(parts))
    assert any("Not split by camera" in note for note in coverage_notes(parts, classes))


def test_other_cameras_in_the_test_photographs_need_no_warning() -> None:
    assert camera_notes(Split((picture("north"),), (), (picture("south"),), "camera")) == []
    assert camera_notes(Split((picture("north"),), (), ())) == []
