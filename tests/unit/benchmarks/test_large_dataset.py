"""The generated dataset is the same in every dataset format."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.large_dataset import dataset_files, write_camtrap_dp, write_coco, write_folders, write_table
from uncia.training.datasets.reading import read_dataset

NAMES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("names")
    write_folders(made, NAMES)
    return made


def test_no_two_files_have_the_same_bytes(folder: Path) -> None:
    assert len({path.read_bytes() for path in folder.rglob("*.jpg")}) == NAMES


@pytest.mark.parametrize("write", [write_table, write_coco, write_camtrap_dp])
def test_every_format_has_the_label_and_camera_of_every_file(write: Callable[[Path, int], Path], folder: Path) -> None:
    source = write(folder, NAMES)
    found = {image.path.name: (image.label, image.camera) for image in read_dataset(source).samples}

    assert found == {Path(file.path).name: (file.label, file.camera) for file in dataset_files(NAMES)}
