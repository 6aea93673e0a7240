"""The data set of many names: each kind of source tells the same of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.many_names import shots, write_camtrap_dp, write_coco, write_folders, write_table
from uncia.training.datasets.reading import read_dataset

NAMES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("names")
    write_folders(made, NAMES)
    return made


def test_no_two_files_are_the_same(folder: Path) -> None:
    assert len({path.read_bytes() for path in folder.rglob("*.jpg")}) == NAMES


@pytest.mark.parametrize("write", [write_table, write_coco, write_camtrap_dp])
def test_every_source_tells_every_file_its_label_and_its_camera(
    write: Callable[[Path, int], Path], folder: Path
) -> None:
    source = write(folder, NAMES)
    told = {one.path.name: (one.label, one.camera) for one in read_dataset(source).samples}

    assert told == {Path(shot.place).name: (shot.label, shot.camera) for shot in shots(NAMES)}
