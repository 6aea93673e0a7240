"""Class folders: labels from folders, bursts from the metadata of the photographs."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.paths import SHARED
from tests.unit.training.datasets.jpeg_files import photograph
from uncia.training.datasets import DataError
from uncia.training.datasets.reading import read_dataset

NOON = datetime(2026, 5, 1, 12, 0, 0)


SAMPLES = SHARED / "samples"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_folder_is_the_label_and_implies_the_group(tmp_path: Path) -> None:
    for name in ("fox", "Homo sapiens", "empty", "car"):
        photograph(tmp_path / name / "1.jpg")
    groups = {sample.label: sample.group for sample in read_dataset(tmp_path).samples}
    assert groups == {"fox": "animal", "Homo sapiens": "person", "empty": "nothing", "car": "vehicle"}


def test_images_within_the_gap_are_one_burst(tmp_path: Path) -> None:
    for number, seconds in enumerate((0, 2, 61, 200)):
        photograph(tmp_path / "fox" / f"{number}.jpg", at(seconds), "A1")
    first, second, third, last = (sample.burst for sample in read_dataset(tmp_path).samples)
    assert first == second == third != last


def test_the_gap_is_configurable(tmp_path: Path) -> None:
    for seconds in (0, 2):
        photograph(tmp_path / "fox" / f"{seconds}.jpg", at(seconds), "A1")
    assert len({sample.burst for sample in read_dataset(tmp_path, gap_s=1).samples}) == 2


def test_another_camera_at_the_same_moment_is_another_burst(tmp_path: Path) -> None:
    for serial in ("A1", "B2"):
        photograph(tmp_path / "fox" / f"{serial}.jpg", NOON, serial)
    samples = read_dataset(tmp_path).samples
    assert [sample.camera for sample in samples] == ["A1", "B2"]
    assert len({sample.burst for sample in samples}) == 2


def test_one_burst_sorted_into_two_classes_stays_one_burst(tmp_path: Path) -> None:
    """The frames without the animal were put into `empty`, and no camera is known."""
    photograph(tmp_path / "fox" / "1.jpg", at(0))
    photograph(tmp_path / "empty" / "2.jpg", at(1))
    assert len({sample.burst for sample in read_dataset(tmp_path).samples}) == 1


def test_an_image_without_a_time_is_a_burst_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        photograph(tmp_path / "fox" / f"{number}.jpg")
    assert len({sample.burst for sample in read_dataset(tmp_path).samples}) == 3


def test_folders_below_the_class_name_the_camera(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "ridge" / "1" / "a.jpg", NOON)
    assert [sample.camera for sample in read_dataset(tmp_path).samples] == ["ridge/1"]


def test_card_folders_name_neither_camera_nor_class(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "ridge" / "DCIM" / "100RECNX" / "a.jpg", NOON)
    assert [sample.camera for sample in read_dataset(tmp_path).samples] == ["ridge"]
    photograph(tmp_path / "DCIM" / "100RECNX" / "a.jpg", NOON)
    with pytest.raises(DataError, match="memory card, not a class"):
        read_dataset(tmp_path)


def test_corrupt_files_are_not_left_out(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "1.jpg")
    (tmp_path / "fox" / "2.jpg").write_bytes(b"no photograph")
    assert len(read_dataset(tmp_path)) == 2


def test_other_files_and_unknown_classes_are_left_out_and_counted(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "1.jpg")
    photograph(tmp_path / "unknown" / "2.jpg")
    (tmp_path / "fox" / "notes.txt").write_text("seen at dusk")
    data = read_dataset(tmp_path)
    assert data.labels == ("fox",)
    assert data.source.endswith("1 images of unknown class left out; 1 other files left out")


@pytest.mark.parametrize("folder", ["data", "data/fox"])
def test_folders_without_images_are_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(DataError, match=r"class folders|one folder per class"):
        read_dataset(tmp_path / "data")


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_dataset(tmp_path / "missing")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not here")
def test_a_genuine_burst_is_one_burst(tmp_path: Path) -> None:
    """One camera writes maker notes and a serial number, the other a time only."""
    for name in ("heron_burst", "snow_leopard_burst"):
        (tmp_path / name).symlink_to(SAMPLES / name)
    samples = read_dataset(tmp_path).samples
    assert len(samples) == 20
    assert len({(sample.label, sample.burst) for sample in samples}) == 2
