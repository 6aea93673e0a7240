"""Folders whose files are written through to disk."""

from pathlib import Path

import pytest

from uncia.infra.local.synchronous import is_written_through, write_through


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "filerldb2").mkdir(parents=True)
    (folder / "old.idx").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path)
    if not write_through(folder):
        pytest.skip("the file system of the temporary directory does not know the attribute")
    return folder


def test_what_is_there_and_what_comes_is_written_through(folder: Path) -> None:
    (folder / "new.idx").write_bytes(b"x")
    (folder / "filerldb2" / "000001.log").write_bytes(b"x")
    names = ("", "old.idx", "new.idx", "filerldb2", "filerldb2/000001.log")
    assert [name for name in names if not is_written_through(folder / name)] == []


def test_links_are_not_followed(folder: Path) -> None:
    assert not is_written_through(folder.parent)


def test_it_can_be_taken_back(folder: Path) -> None:
    assert write_through(folder, on=False)
    assert not is_written_through(folder)
    assert not is_written_through(folder / "old.idx")


def test_a_file_system_that_does_not_know_the_attribute_is_no_error() -> None:
    assert not write_through(Path("/proc/self"))
    assert not is_written_through(Path("/proc/self"))
    assert not is_written_through(Path("/no/such/folder"))
