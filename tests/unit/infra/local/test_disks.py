"""Disk space: the assessment of each file system, and the warnings of `uncia status`."""

from pathlib import Path

import pytest

from uncia.infra.local import disks
from uncia.infra.local.disks import (
    Disk,
    DiskState,
    Usage,
    disk_warnings,
    inspect_disks,
    usage_of,
)

GB = 1e9


def inspect(usages: dict[str, Usage]) -> list[Disk]:
    """Inspect with these usages by the last component of the folder's path; all other folders are on one large disk."""

    def usage(folder: Path) -> Usage:
        return usages.get(folder.name, Usage(1, "/", 500 * GB, 250 * GB))

    return inspect_disks(Path("/srv/stack"), Path("/srv/models"), usage)


def test_a_file_system_is_listed_once_with_all_kinds_of_data_on_it() -> None:
    assert [(disk.mount, disk.holds, disk.state) for disk in inspect({})] == [
        ("/", ["data", "models", "temporary files", "shared memory"], DiskState.OK)
    ]
    assert disk_warnings(inspect({})) == []


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [
        (500 * GB, 6 * GB, DiskState.FULL),  # SeaweedFS refuses uploads below one percent
        (500 * GB, 20 * GB, DiskState.LOW),
        (500 * GB, 30 * GB, DiskState.OK),
        (32 * GB, 4.9 * GB, DiskState.LOW),
        (32 * GB, 0.9 * GB, DiskState.FULL),
        (8 * GB, 2 * GB, DiskState.OK),
        (8 * GB, 1.5 * GB, DiskState.LOW),
        (8 * GB, 0, DiskState.FULL),
    ],
)
def test_a_data_disk_is_assessed_by_free_bytes_and_by_free_share(total: float, free: float, state: DiskState) -> None:
    found = inspect({"stack": Usage(2, "/srv", total, free)})
    assert {disk.mount: disk.state for disk in found}["/srv"] is state


def test_a_small_temporary_file_system_is_reported_only_when_it_is_full() -> None:
    small = inspect({"shm": Usage(3, "/dev/shm", 64e6, 60e6)})
    assert [disk.state for disk in small] == [DiskState.OK, DiskState.OK]
    full = inspect({"shm": Usage(3, "/dev/shm", 64e6, 1e6)})
    assert disk_warnings(full) == ["the disk at /dev/shm is full (shared memory): 1 MB of 64 MB free"]


def test_a_disk_without_free_inodes_is_full() -> None:
    found = inspect({"stack": Usage(2, "/srv", 500 * GB, 250 * GB, inodes=1_000_000, free_inodes=10)})
    assert disk_warnings(found) == [
        "the disk at /srv is full (data): 250.0 GB of 500.0 GB free, 10 of 1,000,000 inodes"
    ]


def test_a_file_system_without_an_inode_limit_is_ok() -> None:
    assert inspect({"stack": Usage(2, "/srv", 500 * GB, 250 * GB, inodes=0)})[0].state is DiskState.OK


def test_a_folder_whose_usage_cannot_be_read_is_omitted() -> None:
    def usage(folder: Path) -> Usage:
        raise PermissionError

    assert inspect_disks(Path("/srv"), Path("/srv"), usage) == []


def test_a_missing_folder_is_attributed_to_the_file_system_of_its_parent(tmp_path: Path) -> None:
    there, not_yet = usage_of(tmp_path), usage_of(tmp_path / "a" / "b")
    assert (there.device, there.mount) == (not_yet.device, not_yet.mount)
    assert 0 < there.free <= there.total
    assert disks.inspect_disks(tmp_path / "a", tmp_path)[0].holds[0] == "data"
