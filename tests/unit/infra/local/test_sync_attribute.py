"""The sync attribute: inherited by new files, reversible, and optional."""

from pathlib import Path

import pytest

from uncia.infra.local.sync_attribute import has_sync_attribute, set_sync_attribute


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "filerldb2").mkdir(parents=True)
    (folder / "old.idx").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path)
    if not set_sync_attribute(folder):
        pytest.skip("the file system of the temporary directory does not support the attribute")
    return folder


def test_existing_and_new_files_have_the_attribute(folder: Path) -> None:
    (folder / "new.idx").write_bytes(b"x")
    (folder / "filerldb2" / "000001.log").write_bytes(b"x")
    names = ("", "old.idx", "new.idx", "filerldb2", "filerldb2/000001.log")
    assert [name for name in names if not has_sync_attribute(folder / name)] == []


def test_links_are_not_followed(folder: Path) -> None:
    assert not has_sync_attribute(folder.parent)


def test_the_attribute_can_be_cleared(folder: Path) -> None:
    assert set_sync_attribute(folder, on=False)
    assert not has_sync_attribute(folder)
    assert not has_sync_attribute(folder / "old.idx")


def test_a_file_system_without_the_attribute_is_no_error() -> None:
    assert not set_sync_attribute(Path("/proc/self"))
    assert not has_sync_attribute(Path("/proc/self"))
    assert not has_sync_attribute(Path("/no/such/folder"))
