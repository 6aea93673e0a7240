"""Class folders: labels by folder, bursts by what the photographs say."""

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


def test_the_folder_is_the_label_and_tells_the_group(tmp_path: Path) -> None:
    for name in ("fox", "Homo sapiens", "empty", "car"):
        photograph(tmp_path / name / "1.jpg")
    told = {picture.label: picture.group for picture in read_dataset(tmp_path).samples}
    assert told == {"fox": "animal", "Homo sapiens": "person", "empty": "nothing", "car": "vehicle"}


def test_pictures_within_the_gap_are_one_burst(tmp_path: Path) -> None:
    for number, seconds in enumerate((0, 2, 61, 200)):
        photograph(tmp_path / "fox" / f"{number}.jpg", at(seconds), "A1")
    first, second, third, last = (picture.burst for picture in read_dataset(tmp_path).samples)
    assert first == second == third != last


def test_the_gap_can_be_told(tmp_path: Path) -> None:
    for seconds in (0, 2):
        photograph(tmp_path / "fox" / f"{seconds}.jpg", at(seconds), "A1")
    assert len({picture.burst for picture in read_dataset(tmp_path, gap_s=1).samples}) == 2


def test_another_camera_at_the_same_moment_is_another_burst(tmp_path: Path) -> None:
    for serial in ("A1", "B2"):
        photograph(tmp_path / "fox" / f"{serial}.jpg", NOON, serial)
    pictures = read_dataset(tmp_path).samples
    assert [picture.camera for picture in pictures] == ["A1", "B2"]
    assert len({picture.burst for picture in pictures}) == 2


def test_one_burst_sorted_into_two_classes_stays_one_burst(tmp_path: Path) -> None:
    """The frames without the animal were put into `empty`, and no camera is known."""
    photograph(tmp_path / "fox" / "1.jpg", at(0))
    photograph(tmp_path / "empty" / "2.jpg", at(1))
    assert len({picture.burst for picture in read_dataset(tmp_path).samples}) == 1


def test_a_picture_without_a_time_is_a_burst_of_its_own(tmp_path: Path) -> None:
    for number in range(3):
        photograph(tmp_path / "fox" / f"{number}.jpg")
    assert len({picture.burst for picture in read_dataset(tmp_path).samples}) == 3


def test_folders_below_the_class_name_the_camera(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "ridge" / "1" / "a.jpg", NOON)
    assert [picture.camera for picture in read_dataset(tmp_path).samples] == ["ridge/1"]


def test_folders_that_a_camera_makes_name_no_camera_and_no_class(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "ridge" / "DCIM" / "100RECNX" / "a.jpg", NOON)
    assert [picture.camera for picture in read_dataset(tmp_path).samples] == ["ridge"]
    photograph(tmp_path / "DCIM" / "100RECNX" / "a.jpg", NOON)
    with pytest.raises(DataError, match="card and no class"):
        read_dataset(tmp_path)


def test_broken_files_are_kept_for_the_check_to_find(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "1.jpg")
    (tmp_path / "fox" / "2.jpg").write_bytes(b"no photograph")
    assert len(read_dataset(tmp_path)) == 2


def test_what_is_no_picture_and_what_nobody_classified_is_left_out_and_counted(tmp_path: Path) -> None:
    photograph(tmp_path / "fox" / "1.jpg")
    photograph(tmp_path / "unknown" / "2.jpg")
    (tmp_path / "fox" / "notes.txt").write_text("seen at dusk")
    data = read_dataset(tmp_path)
    assert data.labels == ("fox",)
    assert data.source.endswith("1 pictures of unknown class left out; 1 other files left out")


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: (path / "fox").mkdir(parents=True)])
def test_folders_without_pictures_are_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "data")  # type: ignore[operator]
    with pytest.raises(DataError, match=r"class folders|one folder per class"):
        read_dataset(tmp_path / "data")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no"):
        read_dataset(tmp_path / "gone")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the sample photographs are not here")
def test_genuine_bursts_are_one_burst_each(tmp_path: Path) -> None:
    """One camera writes maker notes and a serial number, the other a time only."""
    for name in ("heron_burst", "snow_leopard_burst"):
        (tmp_path / name).symlink_to(SAMPLES / name)
    pictures = read_dataset(tmp_path).samples
    assert len(pictures) == 20
    assert len({(picture.label, picture.burst) for picture in pictures}) == 2
