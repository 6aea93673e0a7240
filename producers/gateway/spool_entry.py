"""A row of the spool: one content of one file."""

import os
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class FileState(StrEnum):
    """How far a file is; `uncia.producers.gateway.spool` describes the transitions."""

    FOUND = "found"
    SPOOLED = "spooled"
    UPLOADING = "uploading"
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DUPLICATE = "duplicate"
    GONE = "gone"
    SUPERSEDED = "superseded"
    HELD = "held"
    """Behind a thin link: the store has the thumbnail, and the file waits for a request."""
    EXPIRED = "expired"
    """Behind a thin link: held until the end of its time; the store has the thumbnail, and the copy was removed."""


UNFINISHED = (FileState.FOUND, FileState.SPOOLED, FileState.UPLOADING, FileState.WAITING)

NOT_STORED = (*UNFINISHED, FileState.HELD)
"""States in which the store has not these bytes, and the spool answers for them."""


@dataclass(frozen=True)
class StablePrefix:
    """The first bytes of an incomplete content: those that do not change when the rest is filled in."""

    size: int
    sha256: str


@dataclass(frozen=True)
class SpoolEntry:
    """One row; the fields are the columns of the table `files`, which `spool_database` documents."""

    id: int
    station: str
    camera: str
    source: Path
    size: int
    mtime_ns: int
    state: FileState
    sha256: str | None
    md5: str | None
    key: str | None
    copy: str | None
    attempts: int
    next_try: float
    last_error: str | None
    multipart: str | None
    etag: str | None
    confirmed_at: str | None
    duplicate_of: int | None
    removed_at: str | None
    reported: int
    edition: int
    ctime_ns: int | None
    partial: str | None
    certain: int | None
    certain_sha256: str | None
    replaces: int | None
    image_digest: str | None
    capture_identity: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "SpoolEntry":
        """From all columns of a row."""
        fields = dict(row)
        return cls(**{**fields, "source": Path(os.fsdecode(fields["source"])), "state": FileState(fields["state"])})

    @property
    def stable_prefix(self) -> StablePrefix:
        """The first bytes that a later content of the same file must share to be the same photograph."""
        if self.certain is not None and self.certain_sha256 is not None:
            return StablePrefix(self.certain, self.certain_sha256)
        assert self.sha256
        return StablePrefix(self.size, self.sha256)
