"""The lock between processes."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import Timeout

from uncia.storage.process_lock import exclusive, process_lock

_HOLDER = """
import sys
from pathlib import Path
from uncia.storage.process_lock import process_lock
lock = process_lock(Path(sys.argv[1]))
lock.acquire()
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_excludes_other_processes_until_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(Timeout):
            process_lock(path).acquire(blocking=False)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with process_lock(path).acquire(blocking=False):
        pass


def test_a_lock_excludes_a_second_one_of_the_same_process(tmp_path: Path) -> None:
    first, second = process_lock(tmp_path / "lock"), process_lock(tmp_path / "lock")
    with first.acquire(blocking=False), pytest.raises(Timeout):
        second.acquire(blocking=False)


def test_a_file_system_without_flock_is_an_error_and_leaves_no_file_as_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_flock(_descriptor: int, _operation: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_flock)
    with pytest.raises(OSError, match="not implemented"):
        process_lock(tmp_path / "lock").acquire(blocking=False)


def test_a_block_that_needs_the_lock_is_refused_while_it_is_held_and_releases_it_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path, KeyError("held")), pytest.raises(KeyError, match="held"), exclusive(path, KeyError("held")):
        pass
    with pytest.raises(ZeroDivisionError), exclusive(path, KeyError("held")):
        raise ZeroDivisionError
    with exclusive(path, KeyError("held")):
        pass
