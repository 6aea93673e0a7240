"""A full disk is seen in `uncia status`, whichever of the stack's file systems it is."""

from pathlib import Path

import pytest

from uncia.infra.local import disks
from uncia.infra.local.disks import (
    Disk,
    Room,
    Usage,
    concerns,
    disks_of,
    usage_of,
)

GB = 1e9


def on(usages: dict[str, Usage]) -> list[Disk]:
    """By the last part of each place's path; what is not named lies on a roomy disk."""

    def usage(place: Path) -> Usage:
        return usages.get(place.name, Usage(1, "/", 500 * GB, 250 * GB))

    return disks_of(Path("/srv/stack"), Path("/srv/models"), usage)


def test_one_file_system_is_named_once_with_all_that_lies_on_it() -> None:
    assert [(disk.mount, disk.holds, disk.state) for disk in on({})] == [
        ("/", ["data", "models", "temporary files", "shared memory"], Room.OK)
    ]
    assert concerns(on({})) == []


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [
        (500 * GB, 6 * GB, Room.FULL),  # SeaweedFS takes nothing below one percent
        (500 * GB, 20 * GB, Room.LOW),
        (500 * GB, 30 * GB, Room.OK),
        (32 * GB, 4.9 * GB, Room.LOW),
        (32 * GB, 0.9 * GB, Room.FULL),
        (8 * GB, 2 * GB, Room.OK),
        (8 * GB, 1.5 * GB, Room.LOW),
        (8 * GB, 0, Room.FULL),
    ],
)
def test_a_disk_for_data_is_judged_by_bytes_and_by_share(total: float, free: float, state: Room) -> None:
    found = on({"stack": Usage(2, "/srv", total, free)})
    assert {disk.mount: disk.state for disk in found}["/srv"] is state


def test_a_small_temporary_file_system_is_none_of_ours_to_complain_about_until_it_is_full() -> None:
    small = on({"shm": Usage(3, "/dev/shm", 64e6, 60e6)})
    assert [disk.state for disk in small] == [Room.OK, Room.OK]
    full = on({"shm": Usage(3, "/dev/shm", 64e6, 1e6)})
    assert concerns(full) == ["the disk at /dev/shm is full (shared memory): 1 MB of 64 MB free"]


def test_no_inodes_left_is_a_full_disk_too() -> None:
    found = on({"stack": Usage(2, "/srv", 500 * GB, 250 * GB, inodes=1_000_000, free_inodes=10)})
    assert concerns(found) == ["the disk at /srv is full (data): 250.0 GB of 500.0 GB free, 10 of 1,000,000 inodes"]


def test_a_file_system_without_inodes_has_enough_of_them() -> None:
    assert on({"stack": Usage(2, "/srv", 500 * GB, 250 * GB, inodes=0)})[0].state is Room.OK


def test_a_place_that_cannot_be_asked_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(place: Path) -> Usage:
        raise PermissionError

    assert disks_of(Path("/srv"), Path("/srv"), usage) == []


def test_a_folder_that_is_not_there_yet_counts_where_it_would_be_made(tmp_path: Path) -> None:
    there, not_yet = usage_of(tmp_path), usage_of(tmp_path / "a" / "b")
    assert (there.device, there.mount) == (not_yet.device, not_yet.mount)
    assert 0 < there.free <= there.total
    assert disks.disks_of(tmp_path / "a", tmp_path)[0].holds[0] == "data"
