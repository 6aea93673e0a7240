"""What was computed once is not computed again: rows of features on disk, by what they were computed of.

One SQLite file for each backbone, cut and frame. Each batch is one transaction: a kill or a full disk in the middle
leaves what was there before, whole, and the next run goes on from it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from uncia.training import TrainingError

Rows = NDArray[np.float32]

_ASK_AT_ONCE = 500


class FeatureCache:
    """Rows float32 (R, D) by key. One process writes at a time; R and D are the same for all keys of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60)
        except (OSError, sqlite3.Error) as error:
            raise self._trouble(error) from error
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, many INTEGER, rows BLOB)"
                )
        except sqlite3.Error as error:
            self._database.close()
            raise self._trouble(error) from error

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those that are not there, in their order, each once."""
        there: set[str] = set()
        for begin in range(0, len(keys), _ASK_AT_ONCE):
            some = keys[begin : begin + _ASK_AT_ONCE]
            marks = ",".join("?" * len(some))
            there.update(key for (key,) in self._ask(f"SELECT key FROM features WHERE key IN ({marks})", some))
        return [key for key in dict.fromkeys(keys) if key not in there]

    def put(self, computed: Iterable[tuple[str, Rows]]) -> None:
        """All of them or none. Raises `TrainingError` when the disk is full."""
        lines = [(key, len(rows), np.ascontiguousarray(rows, np.float32).tobytes()) for key, rows in computed]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", lines)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def get(self, key: str) -> Rows:
        """Raises `KeyError` where it is not there."""
        found = self._ask("SELECT many, rows FROM features WHERE key = ?", (key,))
        if not found:
            raise KeyError(key)
        many, rows = found[0]
        return np.frombuffer(rows, np.float32).reshape(many, -1)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.Error | OSError) -> TrainingError:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return TrainingError(
                f"the feature cache {self._path} is damaged ({error}): remove that file, and its features are computed "
                "again"
            )
        why = error.strerror if isinstance(error, OSError) else error
        return TrainingError(
            f"the feature cache {self._path} cannot be written ({why}): make room or name another folder with "
            "--cache; what was computed before is kept"
        )
