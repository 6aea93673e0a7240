"""State files are on disk, name and bytes, when their writer returns."""

import os
import stat
from pathlib import Path

import pytest

from uncia.storage import durable
from uncia.storage.durable import replace_durably, sync_folder, sync_tree, write_durably


class Recorder:
    """Notes what is synced and renamed, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        real_sync, real_replace = os.fsync, Path.replace

        def fsync(handle: int) -> None:
            self.steps.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")
            real_sync(handle)

        def replace(path: Path, target: Path) -> Path:
            self.steps.append(f"replace {target.name}")
            return real_replace(path, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def test_bytes_are_synced_before_the_name_and_the_folder_after_it(tmp_path: Path, recorder: Recorder) -> None:
    write_durably(tmp_path / "state.json", "new")
    assert recorder.steps == ["sync .state.json.new", "replace state.json", f"sync {tmp_path.name}"]


def test_a_finished_file_is_synced_before_it_is_moved(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "draft").write_text("x")
    replace_durably(tmp_path / "draft", tmp_path / "model")
    assert recorder.steps == ["sync draft", "replace model", f"sync {tmp_path.name}"]


def test_what_was_there_stays_when_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_durably(path, "old", mode=0o600)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_file_for_the_owner_alone_was_never_readable_by_others(tmp_path: Path) -> None:
    write_durably(tmp_path / "secret", "s", mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_link_left_in_the_drafts_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / ".state.json.new").symlink_to(tmp_path / "victim")
    write_durably(tmp_path / "state.json", "new")
    assert (tmp_path / "victim").read_text() == "kept"


def test_a_whole_tree_is_synced_from_the_leaves_up(tmp_path: Path, recorder: Recorder) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "leaf").write_text("x")
    (tmp_path / "a" / "link").symlink_to("leaf")
    sync_tree(tmp_path)
    assert recorder.steps == ["sync leaf", "sync a", f"sync {tmp_path.name}"]


def test_a_large_tree_is_synced_at_once(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_MANY", 2)
    monkeypatch.setattr(os, "sync", lambda: recorder.steps.append("sync all"))
    for number in range(3):
        (tmp_path / str(number)).touch()
    sync_tree(tmp_path)
    assert recorder.steps == ["sync all"]


def test_a_file_system_that_cannot_sync_folders_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(handle: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", cannot)
    sync_folder(tmp_path)
