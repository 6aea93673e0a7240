"""A folder put in its place: whole or not at all, whatever ends the process that does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from triton_models.asking import placing
from triton_models.asking.placing import draft_beside, put_in_place

ROOT = Path(__file__).parents[3]


def folder(path: Path, told: str) -> Path:
    path.mkdir(parents=True)
    (path / "model.onnx").write_text(told)
    return path


def told(place: Path) -> str:
    return (place / "model.onnx").read_text()


def write(place: Path, what: str) -> None:
    with draft_beside(place) as draft:
        put_in_place(folder(draft / "made", what), place, draft)


BEFORE_THE_SWAP = "placing.exchange = kill"
AFTER_THE_SWAP = "shutil.rmtree = kill"
BETWEEN_TWO_MOVES = """
move, moved = pathlib.Path.rename, []
def second(path, target):
    moved.append(path)
    return move(path, target) if len(moved) == 1 else kill()
placing.exchange, pathlib.Path.rename = lambda one, other: False, second
"""
"""As where the system cannot swap."""


def killed(moment: str, place: Path) -> None:
    """Write `place` in a process of its own that kills itself (-9) at that moment."""
    program = f"""
import os, pathlib, shutil
from triton_models.asking import placing
from tests.unit.asking.test_placing import write
def kill(*args, **kwargs):
    os.kill(os.getpid(), 9)
{moment}
write(pathlib.Path({str(place)!r}), "the new one")
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True)
    assert ended.returncode == -9, ended.stderr.decode()


@pytest.mark.parametrize("swaps", [True, False])
def test_what_was_there_is_replaced_and_nothing_lies_beside_it(
    swaps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swaps:
        monkeypatch.setattr(placing, "exchange", lambda one, other: False)
    place = folder(tmp_path / "ridge", "the former one")
    write(place, "the new one")

    assert told(place) == "the new one"
    assert list(tmp_path.iterdir()) == [place]


def test_a_kill_before_the_swap_leaves_what_was_there(tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge", "the former one")
    killed(BEFORE_THE_SWAP, place)

    assert told(place) == "the former one"


def test_a_kill_after_the_swap_leaves_what_is_new(tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge", "the former one")
    killed(AFTER_THE_SWAP, place)

    assert told(place) == "the new one"


@pytest.mark.parametrize("moment", [BEFORE_THE_SWAP, AFTER_THE_SWAP], ids=["before", "after"])
def test_what_a_kill_left_beside_is_gone_after_the_next_time(moment: str, tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge", "the former one")
    killed(moment, place)
    assert len(list(tmp_path.iterdir())) == 2
    write(place, "the newest one")

    assert list(tmp_path.iterdir()) == [place]


def test_a_kill_between_two_moves_is_mended_before_anything_is_written(tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge", "the former one")
    killed(BETWEEN_TWO_MOVES, place)
    assert not place.exists()

    with draft_beside(place):
        assert told(place) == "the former one"


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    theirs = folder(tmp_path / f".writing-ridge-{os.getppid()}-abc", "half of it")
    with draft_beside(tmp_path / "ridge"):
        assert theirs.exists()


def test_the_draft_of_a_place_with_a_longer_name_is_left_alone(tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge-2", "the former one")
    killed(BEFORE_THE_SWAP, place)
    write(tmp_path / "ridge", "another")

    assert len(list(tmp_path.glob(".writing-ridge-2-*"))) == 1


def test_a_move_that_fails_leaves_the_folder_that_was_there(tmp_path: Path) -> None:
    place = folder(tmp_path / "ridge", "the former one")
    with pytest.raises(FileNotFoundError), draft_beside(place) as draft:
        put_in_place(draft / "never made", place, draft)

    assert told(place) == "the former one"
