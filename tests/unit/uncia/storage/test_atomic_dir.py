"""A folder is there whole or not at all, whatever happens while it is written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import SCALE
from uncia.storage import atomic_dir
from uncia.storage.atomic_dir import atomic_directory, remove_stale_staging, replace_directory, staging_directory

FORMER, NEW = "the former one", "the new one"

KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
from uncia.storage import atomic_dir
from uncia.storage.atomic_dir import atomic_directory
with atomic_directory(pathlib.Path(sys.argv[1])) as made:
    (made / "text").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_BETWEEN_THE_MOVES = """
import os, pathlib, signal, sys
from uncia.storage import atomic_dir
place = pathlib.Path(sys.argv[1])
parent = pathlib.Path(sys.argv[2])
atomic_dir.exchange = lambda one, other: False  # as where the system cannot
with atomic_dir.staging_directory(parent, ".building-") as made:
    class Made:
        def __fspath__(self):
            return str(made)
        def rename(self, place):
            os.kill(os.getpid(), signal.SIGKILL)
    atomic_dir.replace_directory(Made(), place, made)
"""
KILLED_ABOUT_THE_EXCHANGE = """
import os, pathlib, shutil, signal, sys
from uncia.storage import atomic_dir
def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "before":
    atomic_dir.exchange = kill
else:
    atomic_dir.shutil.rmtree = kill
with atomic_dir.atomic_directory(pathlib.Path(sys.argv[1])) as made:
    (made / "text").write_text("the new one")
"""


def write(place: Path, text: str) -> None:
    with atomic_directory(place) as made:
        (made / "text").write_text(text)


def killed(program: str, *arguments: Path | str) -> None:
    done = subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False, timeout=SCALE * 30)
    assert done.returncode == -9


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_directory_replaces_the_old_one_and_leaves_nothing_next_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr("uncia.storage.atomic_dir.exchange", lambda one, other: False)
    write(tmp_path / "new" / "place", FORMER)
    write(tmp_path / "new" / "place", NEW)
    assert (tmp_path / "new" / "place" / "text").read_text() == NEW
    assert names(tmp_path / "new") == ["place"]


def test_a_block_that_fails_leaves_the_former_one_alone(tmp_path: Path) -> None:
    write(tmp_path / "place", FORMER)
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "place"):
        raise RuntimeError
    assert (tmp_path / "place" / "text").read_text() == FORMER
    assert names(tmp_path) == ["place"]


def test_a_move_that_fails_puts_the_former_one_back(tmp_path: Path) -> None:
    write(tmp_path / "place", FORMER)
    with pytest.raises(FileNotFoundError), staging_directory(tmp_path, ".draft-") as folder:
        replace_directory(folder / "never made", tmp_path / "place", folder)
    assert (tmp_path / "place" / "text").read_text() == FORMER
    assert names(tmp_path) == ["place"]


def test_what_a_kill_left_half_written_is_taken_away_by_the_next(tmp_path: Path) -> None:
    write(tmp_path / "place", FORMER)
    killed(KILLED_WHILE_WRITING, tmp_path / "place")
    assert (tmp_path / "place" / "text").read_text() == FORMER
    assert len(names(tmp_path)) == 2

    write(tmp_path / "place", NEW)
    assert names(tmp_path) == ["place"]


@pytest.mark.parametrize(("moment", "there"), [("before", FORMER), ("after", NEW)])
def test_a_kill_about_the_exchange_leaves_one_or_the_other(tmp_path: Path, moment: str, there: str) -> None:
    write(tmp_path / "place", FORMER)
    killed(KILLED_ABOUT_THE_EXCHANGE, tmp_path / "place", moment)
    assert (tmp_path / "place" / "text").read_text() == there

    write(tmp_path / "place", "the newest one")
    assert names(tmp_path) == ["place"], "what the kill left is taken away"


@pytest.mark.parametrize("place", ["place", "model/1"])
def test_what_a_kill_left_aside_is_put_back(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, FORMER)
    killed(KILLED_BETWEEN_THE_MOVES, tmp_path / place, tmp_path)
    assert not (tmp_path / place).exists()

    remove_stale_staging(tmp_path, ".building-")
    assert (tmp_path / place / "text").read_text() == FORMER
    assert names(tmp_path) == [place.partition("/")[0]]


def test_what_a_kill_left_aside_does_not_replace_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "place", FORMER)
    killed(KILLED_BETWEEN_THE_MOVES, tmp_path / "place", tmp_path)
    write(tmp_path / "place", NEW)
    remove_stale_staging(tmp_path, ".building-")
    assert (tmp_path / "place" / "text").read_text() == NEW
    assert names(tmp_path) == ["place"]


def test_a_draft_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "place") as made:
        write(tmp_path / "place", FORMER)
        (made / "text").write_text(NEW)
    assert (tmp_path / "place" / "text").read_text() == NEW


def test_a_staging_directory_that_is_removed_before_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, seen = atomic_dir._hold, []

    def late(folder: Path) -> int | None:
        seen.append(folder)
        if len(seen) == 1:
            folder.rmdir()
        return hold(folder)

    monkeypatch.setattr(atomic_dir, "_hold", late)
    write(tmp_path / "place", NEW)
    assert (tmp_path / "place" / "text").read_text() == NEW
    assert len(seen) == 2


def test_a_staging_directory_of_another_user_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / ".writing-place-foreign"
    foreign.mkdir()
    hold = atomic_dir._hold

    def refuse_foreign(folder: Path) -> int | None:
        if folder == foreign:
            raise PermissionError
        return hold(folder)

    monkeypatch.setattr(atomic_dir, "_hold", refuse_foreign)
    write(tmp_path / "place", NEW)
    assert names(tmp_path) == [foreign.name, "place"]


def test_what_was_moved_aside_and_cannot_be_put_back_is_not_taken_away(tmp_path: Path) -> None:
    aside = tmp_path / ".writing-place-killed" / ".replaced"
    aside.mkdir(parents=True)
    (aside / "text").write_text(FORMER)
    remove_stale_staging(tmp_path)
    assert (aside / "text").read_text() == FORMER


def test_where_there_is_no_folder_nothing_is_to_be_tidied(tmp_path: Path) -> None:
    remove_stale_staging(tmp_path / "none")
