"""A cache of features on disk, keyed by the content that they were computed from.

One SQLite file per backbone, cut and frame. Each batch is one transaction: after a kill or a full disk in the middle,
the file contains the batches before it, and the next run resumes from there.
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

_KEYS_PER_QUERY = 500


class FeatureCache:
    """Rows float32 (R, D) by key; R and D are equal for all keys of a file.

    One process writes at a time. Not thread-safe. Every method raises `TrainingError` where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60)
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, many INTEGER, rows BLOB)"
                )
        except sqlite3.Error as error:
            self._database.close()
            raise self._error(error) from error

    def missing(self, keys: Sequence[str]) -> list[str]:
        """The keys that are not in the cache, in their order, without duplicates."""
        present: set[str] = set()
        for begin in range(0, len(keys), _KEYS_PER_QUERY):
            batch = keys[begin : begin + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(batch))
            present.update(key for (key,) in self._query(f"SELECT key FROM features WHERE key IN ({marks})", batch))
        return [key for key in dict.fromkeys(keys) if key not in present]

    def put(self, computed: Iterable[tuple[str, Rows]]) -> None:
        """Store all of them or none."""
        records = [(key, len(rows), np.ascontiguousarray(rows, np.float32).tobytes()) for key, rows in computed]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", records)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def get(self, key: str) -> Rows:
        """The rows of a key. Raises `KeyError` for a key that is not in the cache."""
        found = self._query("SELECT many, rows FROM features WHERE key = ?", (key,))
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

    def _query(self, statement: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error | OSError) -> TrainingError:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return TrainingError(
                f"the feature cache {self._path} is damaged ({error}): remove the file; the next run computes its "
                "features again"
            )
        why = error.strerror if isinstance(error, OSError) else error
        return TrainingError(
            f"the feature cache {self._path} cannot be written ({why}): free some space or choose another folder "
            "with --cache; features that were computed before are still there"
        )
