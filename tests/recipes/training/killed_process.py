"""Run `uncia train …` in a separate process, and kill it (-9) at a moment that can be observed from outside."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.paths import ROOT

_LIMIT_S = 120
"""A limit for slow machines; a passing test does not wait this long."""


class Command:
    """A running `uncia …` whose output goes to a file. `most_bytes` limits the size of files, like a full disk."""

    def __init__(self, arguments: Sequence[str], log: Path, most_bytes: int | None = None) -> None:
        self._log = log
        program = [sys.executable, "-m", "uncia", *arguments]
        if most_bytes is not None:
            program = ["prlimit", f"--fsize={most_bytes}", *program]
        with log.open("wb") as log_file:
            self._process = subprocess.Popen(program, cwd=ROOT, stdout=log_file, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def kill_when(self, condition: Callable[[], bool], what: str) -> None:
        """Send SIGKILL as soon as `condition` returns True. Fails when the command ends before that."""
        deadline = time.monotonic() + _LIMIT_S
        try:
            while not condition():
                assert self._process.poll() is None, f"ended before {what}: {self.output}"
                assert time.monotonic() < deadline, f"waited in vain until {what}: {self.output}"
                time.sleep(0.005)
        finally:
            self._process.kill()
            self._process.wait()

    def finish(self) -> str:
        assert self._process.wait(_LIMIT_S) == 0, self.output
        return self.output

    def fail(self) -> str:
        assert self._process.wait(_LIMIT_S) == 1, self.output
        return self.output


@contextmanager
def blocked_at(photograph: Path) -> Iterator[None]:
    """Make every reader of this photograph block, so that a kill hits the command at this point."""
    hidden = photograph.with_suffix(".aside")
    photograph.rename(hidden)
    os.mkfifo(photograph)
    try:
        yield
    finally:
        photograph.unlink()
        hidden.rename(photograph)


def cached(cache: Path) -> dict[str, int]:
    """Row number by key, over all feature caches. A row that is written again gets another number."""
    rows: dict[str, int] = {}
    for file in cache.glob("*.sqlite"):
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)
        try:
            rows |= dict(database.execute("SELECT key, rowid FROM features"))
        except sqlite3.OperationalError:  # the file is just being created
            pass
        finally:
            database.close()
    return rows


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def has_rows(cache: Path, count: int) -> bool:
    """Whether the feature caches contain at least this many rows."""
    return len(cached(cache)) >= count


def has_printed(command: Command, text: str) -> bool:
    """Whether the command has printed this text."""
    return text in command.output
