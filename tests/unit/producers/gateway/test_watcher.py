"""Which files of a folder are ready to be read."""

from pathlib import Path

import pytest

from tests.unit.producers.gateway.builders import photograph
from uncia.producers.gateway.watcher import Watcher


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    return Watcher(tmp_path, settle_s=2)


def names(watcher: Watcher, now: float) -> list[str]:
    return [file.path.name for file in watcher.scan(now)]


def test_a_file_is_returned_once_it_is_unchanged(watcher: Watcher) -> None:
    photograph(watcher.folder / "1.JPG")
    assert [names(watcher, now) for now in (0, 1, 2, 3)] == [[], [], ["1.JPG"], []]


def test_a_growing_file_is_not_returned(watcher: Watcher) -> None:
    for now in range(5):
        photograph(watcher.folder / "1.JPG", "x" * (now + 1))
        assert names(watcher, now * 10) == []
    assert watcher.unsettled == 1


def test_an_empty_file_must_be_unchanged_for_longer(watcher: Watcher) -> None:
    photograph(watcher.folder / "1.JPG", "")
    assert [names(watcher, now) for now in (0, 9, 10)] == [[], [], ["1.JPG"]]


def test_a_changed_file_is_returned_again(watcher: Watcher) -> None:
    photograph(watcher.folder / "1.JPG", "short")
    assert [names(watcher, now) for now in (0, 2)] == [[], ["1.JPG"]]
    photograph(watcher.folder / "1.JPG", "much longer")
    assert [names(watcher, now) for now in (4, 6)] == [[], ["1.JPG"]]


def test_one_scan_suffices_for_a_card(tmp_path: Path) -> None:
    photograph(tmp_path / "DCIM" / "100RECNX" / "RCNX0001.JPG")
    assert names(Watcher(tmp_path, settle_s=0), 0) == ["RCNX0001.JPG"]


def test_photographs_are_known_by_their_extension_in_any_case(tmp_path: Path) -> None:
    for name in ("1.JPG", "2.jpeg", "3.Jpg", "4.png", "5.txt", "jpg"):
        photograph(tmp_path / name)
    assert names(Watcher(tmp_path, settle_s=0), 0) == ["1.JPG", "2.jpeg", "3.Jpg"]


def test_hidden_files_and_folders_and_links_are_skipped(tmp_path: Path) -> None:
    photograph(tmp_path / "._1.JPG")
    photograph(tmp_path / ".Trashes" / "1.JPG")
    (tmp_path / "link.JPG").symlink_to(photograph(tmp_path / "real.JPG"))
    assert names(Watcher(tmp_path, settle_s=0), 0) == ["real.JPG"]
