"""`uncia train …` in a process of its own, killed (-9) at a moment that can be seen from outside."""

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
"""A machine may be slow; nothing waits as long as this where all is well."""


class Command:
    """A started `uncia …`; what it says lies in a file. `most_bytes`: as on a disk where no file can become larger."""

    def __init__(self, arguments: Sequence[str], log: Path, most_bytes: int | None = None) -> None:
        self._log = log
        program = [sys.executable, "-m", "uncia", *arguments]
        if most_bytes is not None:
            program = ["prlimit", f"--fsize={most_bytes}", *program]
        with log.open("wb") as out:
            self._process = subprocess.Popen(program, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)

    @property
    def told(self) -> str:
        return self._log.read_text()

    def kill_when(self, holds: Callable[[], bool], what: str) -> None:
        """SIGKILL as soon as it holds. Fails where the command ends before."""
        end = time.monotonic() + _LIMIT_S
        try:
            while not holds():
                assert self._process.poll() is None, f"ended before {what}: {self.told}"
                assert time.monotonic() < end, f"waited in vain until {what}: {self.told}"
                time.sleep(0.005)
        finally:
            self._process.kill()
            self._process.wait()

    def finish(self) -> str:
        assert self._process.wait(_LIMIT_S) == 0, self.told
        return self.told

    def fail(self) -> str:
        assert self._process.wait(_LIMIT_S) == 1, self.told
        return self.told


@contextmanager
def held_at(photograph: Path) -> Iterator[None]:
    """Whoever opens this photograph waits for its bytes for ever, so that a kill finds the command just there."""
    aside = photograph.with_suffix(".aside")
    photograph.rename(aside)
    os.mkfifo(photograph)
    try:
        yield
    finally:
        photograph.unlink()
        aside.rename(photograph)


def cached(cache: Path) -> dict[str, int]:
    """Number of the row by key, over all files of features. A row that is written again gets another number."""
    rows: dict[str, int] = {}
    for file in cache.glob("*.sqlite"):
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60)
        try:
            rows |= dict(database.execute("SELECT key, rowid FROM features"))
        except sqlite3.OperationalError:  # it is just being made
            pass
        finally:
            database.close()
    return rows


def content(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
