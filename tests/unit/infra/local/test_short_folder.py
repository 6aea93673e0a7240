"""Where the stack's control socket and links lie: a place that lasts, short, plain, and for the owner alone."""

import os
import socket
import stat
from pathlib import Path

import pytest

from uncia.infra.local import short_folder
from uncia.infra.local.short_folder import make_short_folder, may_be_cleaned, state_homes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one place where this user's state may lie."""
    place = tmp_path / "state" / "uncia"
    monkeypatch.setattr(short_folder, "state_homes", lambda: iter([place]))
    # pytest's own folders are long and are in a world-writable one.
    monkeypatch.setattr(short_folder, "_LONGEST", 200)
    return place


def odd(tmp_path: Path) -> Path:
    folder = tmp_path / "a stack, 100% 'odd'"
    folder.mkdir(mode=0o700)
    return folder


def test_a_stack_whose_path_is_plain_keeps_its_short_folder_inside(tmp_path: Path, home: Path) -> None:
    made = make_short_folder(tmp_path)
    assert made == tmp_path / "short"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert make_short_folder(tmp_path) == made  # what a killed stack left is taken again


def test_a_stack_whose_path_is_odd_has_it_where_state_is_kept_not_in_the_temporary_directory(
    tmp_path: Path, home: Path
) -> None:
    made = make_short_folder(odd(tmp_path))
    assert made.parent == home
    assert stat.S_IMODE(made.stat().st_mode) == stat.S_IMODE(home.stat().st_mode) == 0o700


def test_two_stacks_have_two(tmp_path: Path, home: Path) -> None:
    stack = odd(tmp_path)
    assert make_short_folder(stack) != make_short_folder(stack)


def test_a_folder_that_is_a_link_to_somebody_elses_is_not_taken(tmp_path: Path, home: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    home.parent.mkdir()
    home.symlink_to(trap)
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "short").symlink_to(trap)
    assert trap not in make_short_folder(tmp_path / "stack").resolve().parents
    assert list(trap.iterdir()) == []


def test_a_home_below_a_folder_that_all_may_write_is_not_taken(tmp_path: Path, home: Path) -> None:
    home.parent.mkdir()
    home.parent.chmod(0o777)
    assert home not in make_short_folder(odd(tmp_path)).parents


def test_where_no_home_can_be_written_the_temporary_directory_is_taken_and_known_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_folder, "state_homes", lambda: iter([Path("/proc/none"), Path("relative"), Path("/a b")]))
    made = make_short_folder(odd(tmp_path))
    made.rmdir()
    assert may_be_cleaned(made)
    assert not may_be_cleaned(Path("/var/lib/uncia/uncia-x"))


def test_an_odd_or_missing_home_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)  # nobody has this number
    assert list(state_homes()) == []


@pytest.mark.parametrize("length", [10, 59, 60])
def test_a_socket_fits_below_every_path_that_counts_as_plain(length: int) -> None:
    base = Path("/" + "x" * (length - 1))
    assert short_folder.is_plain(base)
    longest = str(base / "uncia-12345678" / "control.sock.4194304")
    assert len(longest) < 107
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(FileNotFoundError):
        probe.connect(longest)


@pytest.mark.parametrize("path", ["/" + "x" * 60, "/a b", "/a%b", "/ä", "/a:b", "/a\nb", "relative", "/a*"])
def test_a_path_that_a_part_would_read_wrongly_is_not_plain(path: str) -> None:
    assert not short_folder.is_plain(Path(path))
