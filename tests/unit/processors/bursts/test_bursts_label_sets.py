"""The bursts worker knows the classes of every installed version, also of one that is installed later."""

from pathlib import Path

import pytest

from tests.packages import label_set
from uncia.processors.bursts.label_sets import RESCAN_S, LabelSets


def put(repository: Path, version: str, name: str) -> str:
    """A version with a label set of that name; the label set's id."""
    folder = repository / "tiny" / version
    folder.mkdir(parents=True)
    labels = label_set(name, 3)
    (folder / "labels.json").write_text(labels.model_dump_json())
    return labels.id


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


def test_each_version_has_its_own_names(tmp_path: Path, clock: list[float]) -> None:
    first, second = put(tmp_path, "1", "first"), put(tmp_path, "2", "second")
    known = LabelSets(tmp_path, lambda: clock[0])

    assert [getattr(known.class_name(name, 1), "label", None) for name in (first, second)] == ["first 1", "second 1"]
    assert known.class_name(first, 3) is None
    assert known.calibration(first, "Animal 1", "first 1") is None


def test_a_version_that_came_later_is_found(tmp_path: Path, clock: list[float]) -> None:
    put(tmp_path, "1", "first")
    known = LabelSets(tmp_path, lambda: clock[0])
    assert known.find("second@0") is None
    second = put(tmp_path, "2", "second")

    assert known.find(second) is None, "not for every frame"
    clock[0] += RESCAN_S
    assert known.find(second) is not None


def test_a_version_that_was_removed_is_still_known(tmp_path: Path, clock: list[float]) -> None:
    first = put(tmp_path, "1", "first")
    known = LabelSets(tmp_path, lambda: clock[0])
    known.find(first)
    (tmp_path / "tiny" / "1" / "labels.json").unlink()

    assert known.find(first) is not None
