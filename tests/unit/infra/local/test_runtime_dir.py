"""The runtime directory: permanent, with a short and plain path, and accessible to its owner only."""

import os
import socket
import stat
from pathlib import Path

import pytest

from uncia.infra.local import runtime_dir
from uncia.infra.local.runtime_dir import create_runtime_dir, may_be_cleaned, state_homes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only state directory of this user."""
    folder = tmp_path / "state" / "uncia"
    monkeypatch.setattr(runtime_dir, "state_homes", lambda: iter([folder]))
    # pytest's temporary folders have long paths, in a world-writable folder.
    monkeypatch.setattr(runtime_dir, "_MAX_LENGTH", 200)
    return folder


def odd(tmp_path: Path) -> Path:
    folder = tmp_path / "a stack, 100% 'odd'"
    folder.mkdir(mode=0o700)
    return folder


def test_a_stack_with_a_plain_path_contains_its_runtime_directory(tmp_path: Path, home: Path) -> None:
    made = create_runtime_dir(tmp_path)
    assert made == tmp_path / "short"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert create_runtime_dir(tmp_path) == made  # the directory that a killed stack left is reused


def test_a_stack_with_special_characters_in_its_path_uses_the_state_directory(tmp_path: Path, home: Path) -> None:
    made = create_runtime_dir(odd(tmp_path))
    assert made.parent == home
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE(home.stat().st_mode) == 0o700


def test_two_stacks_have_two_runtime_directories(tmp_path: Path, home: Path) -> None:
    stack = odd(tmp_path)
    assert create_runtime_dir(stack) != create_runtime_dir(stack)


def test_a_link_to_a_folder_of_another_user_is_not_used(tmp_path: Path, home: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    home.parent.mkdir()
    home.symlink_to(trap)
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "short").symlink_to(trap)
    assert trap not in create_runtime_dir(tmp_path / "stack").resolve().parents
    assert list(trap.iterdir()) == []


def test_a_state_directory_below_a_world_writable_folder_is_not_used(tmp_path: Path, home: Path) -> None:
    home.parent.mkdir()
    home.parent.chmod(0o777)
    assert home not in create_runtime_dir(odd(tmp_path)).parents


def test_the_temporary_directory_is_the_last_resort_and_recognized_as_cleanable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_dir, "state_homes", lambda: iter([Path("/proc/none"), Path("relative"), Path("/a b")]))
    made = create_runtime_dir(odd(tmp_path))
    made.rmdir()
    assert may_be_cleaned(made)
    assert not may_be_cleaned(Path("/var/lib/uncia/uncia-x"))


def test_a_missing_home_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)  # no user has this id
    assert list(state_homes()) == []


@pytest.mark.parametrize("length", [10, 59, 60])
def test_a_socket_path_fits_below_every_plain_path(length: int) -> None:
    base = Path("/" + "x" * (length - 1))
    assert runtime_dir.is_plain(base)
    longest = str(base / "uncia-12345678" / "control.sock.4194304")
    assert len(longest) < 107
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(FileNotFoundError):
        probe.connect(longest)


@pytest.mark.parametrize("path", ["/" + "x" * 60, "/a b", "/a%b", "/ä", "/a:b", "/a\nb", "relative", "/a*"])
def test_a_path_that_a_part_would_misread_is_not_plain(path: str) -> None:
    assert not runtime_dir.is_plain(Path(path))
