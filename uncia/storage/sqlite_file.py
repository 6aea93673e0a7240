"""SQLite files that survive a power cut, and that know which program wrote them, with which version of its tables."""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from uncia.storage.durable import sync_folder

__all__ = ["DatabaseNotUsable", "NotUsable", "SqliteKind"]

_LOCKED_FOR_S = 10
"""Longest wait for the lock of another connection, in seconds."""


class NotUsable(StrEnum):
    """Why a file cannot be used."""

    NOT_OPENED = "not opened"
    FAILED = "failed"
    OF_ANOTHER_PROGRAM = "of another program"
    NEWER = "newer"


class DatabaseNotUsable(Exception):
    """A file cannot be used. Nothing in it was changed. Callers say it in their own words."""

    def __init__(self, reason: NotUsable, detail: object = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        """SQLite's error, or the newer version."""


@dataclass(frozen=True)
class SqliteKind:
    """One kind of file, by what SQLite keeps in its header."""

    application_id: int
    version: int
    upgrades: Mapping[int, str]
    """SQL from each earlier version of the tables to this one; 0 is an empty file."""

    def open(self, path: Path) -> sqlite3.Connection:
        """Open the file for any thread, one at a time, and create or upgrade its tables. Raises `DatabaseNotUsable`."""
        try:
            database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCKED_FOR_S)
        except sqlite3.Error as error:
            raise DatabaseNotUsable(NotUsable.NOT_OPENED, error) from error
        try:
            self.check(database)
            _use_wal(database)
            database.execute("PRAGMA synchronous = FULL")
            if (version := _pragma(database, "user_version")) < self.version:
                self._upgrade(database, version)
                sync_folder(path.parent)
        except sqlite3.Error as error:
            database.close()
            raise DatabaseNotUsable(NotUsable.FAILED, error) from error
        except DatabaseNotUsable:
            database.close()
            raise
        database.row_factory = sqlite3.Row
        return database

    def _upgrade(self, database: sqlite3.Connection, version: int) -> None:
        try:
            database.executescript(
                f"BEGIN IMMEDIATE; {self.upgrades[version]}"
                f" PRAGMA application_id = {self.application_id}; PRAGMA user_version = {self.version}; COMMIT;"
            )
        except sqlite3.OperationalError:
            if database.in_transaction:
                database.execute("ROLLBACK")
            # Another process may have done it since the version was read.
            if _pragma(database, "user_version") < self.version:
                raise

    def check(self, database: sqlite3.Connection) -> None:
        """Raises `DatabaseNotUsable` unless the file is empty, or of this kind and no newer version."""
        # In one transaction: another process may be creating the tables.
        database.execute("BEGIN")
        try:
            tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            application, version = _pragma(database, "application_id"), _pragma(database, "user_version")
        finally:
            database.execute("ROLLBACK")
        if application != self.application_id and (application or version or tables):
            raise DatabaseNotUsable(NotUsable.OF_ANOTHER_PROGRAM)
        if version > self.version:
            raise DatabaseNotUsable(NotUsable.NEWER, version)


def _use_wal(database: sqlite3.Connection) -> None:
    """Switch the journal. SQLite does not wait for a lock where two connections do this at once, so that this does."""
    end = time.monotonic() + _LOCKED_FOR_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.02)


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
