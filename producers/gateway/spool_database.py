"""The file of the spool: its tables, its lock, and the checks before it is used.

SQL by hand, without an ORM: the guarantees of the gateway are a few statements in transactions of their own, which
have to be read as they are executed, and on a small board an ORM would multiply start-up time and memory.
"""

import os
import sqlite3
from pathlib import Path

from filelock import FileLock, Timeout

from uncia.errors import UnciaError
from uncia.storage.durable import sync_folder
from uncia.storage.process_lock import process_lock
from uncia.storage.sqlite_file import DatabaseNotUsable, NotUsable, SqliteKind

APPLICATION_ID = 0x554E4341  # "UNCA"
_SCHEMA_VERSION = 4

_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    camera TEXT NOT NULL,
    source BLOB NOT NULL,             -- path in bytes: it need not be Unicode
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL,
    sha256 TEXT, md5 TEXT, key TEXT,
    copy TEXT,                        -- name in the folder of the spool, if the bytes were copied
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL DEFAULT 0, -- Unix time
    last_error TEXT,
    multipart TEXT,                   -- the store's id of a multipart upload in progress
    etag TEXT,
    confirmed_at TEXT,
    duplicate_of INTEGER REFERENCES files (id),
    removed_at TEXT,
    reported INTEGER NOT NULL DEFAULT 0, -- 1: the event about its end was printed
    edition INTEGER NOT NULL DEFAULT 0,  -- counts contents of one path with the same size and modification time
    ctime_ns INTEGER,                    -- change time before the content was read, if known
    partial TEXT,                        -- why this content is incomplete, if it is
    certain INTEGER, certain_sha256 TEXT, -- size and hash of the stable prefix of a partial content
    replaces INTEGER REFERENCES files (id), -- the row whose object this content replaces
    image_digest TEXT,                   -- of the image data without metadata, of a complete JPEG
    capture_identity TEXT,               -- what no two photographs of a camera share, if the photograph contains it
    UNIQUE (station, camera, source, size, mtime_ns, edition)
);
CREATE INDEX files_by_state ON files (state, id);
CREATE INDEX files_unreported ON files (id) WHERE reported = 0;
CREATE INDEX files_by_content ON files (sha256, station, camera);
CREATE INDEX files_by_path ON files (source, id);
CREATE INDEX files_partial ON files (id) WHERE partial IS NOT NULL;
CREATE INDEX files_by_key ON files (key);
"""
_THIN = """
CREATE TABLE thumbnails (             -- behind a thin link: what is or was sent before the whole photograph
    file INTEGER PRIMARY KEY REFERENCES files (id),
    key TEXT NOT NULL,
    fetch_id TEXT NOT NULL,           -- how a list of requests names it
    size INTEGER, sha256 TEXT, md5 TEXT, -- NULL: no thumbnail was made of this content yet
    urgency INTEGER NOT NULL,         -- of what is to be sent next, `thin.plan.Urgency`
    held_since REAL                   -- Unix time at which the store had the thumbnail
);
CREATE INDEX thumbnails_by_fetch_id ON thumbnails (fetch_id);
-- SQLite gives the id of a deleted row to the next one.
CREATE TRIGGER thumbnails_of_files AFTER DELETE ON files BEGIN DELETE FROM thumbnails WHERE file = OLD.id; END;
CREATE TABLE fetch_requests (         -- what the list of requests named
    id TEXT PRIMARY KEY,
    by_person INTEGER NOT NULL,
    answer TEXT                       -- NULL: not answered yet
);
CREATE TABLE link_bytes (             -- spent or leased, by UTC day
    day TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (day, purpose)
);
"""
_FACTS = "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"

# SQLite cannot change a UNIQUE constraint: a new table is created and filled from the old one.
_COLUMNS_1 = (
    "id, station, camera, source, size, mtime_ns, state, sha256, md5, key, copy, attempts, next_try, last_error, "
    "multipart, etag, confirmed_at, duplicate_of, removed_at, reported"
)
_FROM_1 = f"""
ALTER TABLE files RENAME TO files_1;
DROP INDEX files_by_state; DROP INDEX files_unreported; DROP INDEX files_by_content;
{_SCHEMA}
INSERT INTO files ({_COLUMNS_1}) SELECT {_COLUMNS_1} FROM files_1;
DROP TABLE files_1;
{_THIN}
"""
_FROM_2 = f"""
ALTER TABLE files ADD COLUMN image_digest TEXT;
ALTER TABLE files ADD COLUMN capture_identity TEXT;
CREATE INDEX files_by_key ON files (key);
{_THIN}
"""
_KIND = SqliteKind(APPLICATION_ID, _SCHEMA_VERSION, {0: _SCHEMA + _FACTS + _THIN, 1: _FROM_1, 2: _FROM_2, 3: _THIN})


class SpoolError(UnciaError):
    """The spool cannot be used. Nothing in it was changed."""


class SpoolFull(UnciaError):
    """The disk of the spool is full: files stay where they are until there is space again."""


def lock_spool(path: Path) -> FileLock:
    """Lock the spool until the returned lock is released. Raises `SpoolError` while another process has it locked.

    The lock file names the process, for the message to a second one.
    """
    file = path.with_name(path.name + ".lock")
    lock = process_lock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        holder = file.read_text(encoding="ascii", errors="replace").strip() or "unknown"
        raise SpoolError(
            f"another gateway (process {holder}) uses {path}: stop it, or give this one another file with --spool"
        ) from error
    file.write_text(str(os.getpid()), encoding="ascii")
    return lock


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, creating or upgrading it. Raises `SpoolError` for a file that is not a spool."""
    try:
        return _KIND.open(path)
    except DatabaseNotUsable as refusal:
        raise _spool_error(refusal, path) from refusal


def create_folder_durably(folder: Path) -> None:
    """Create a folder and its parents, all of them on disk when this returns. Raises `OSError`."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        sync_folder(parent.parent)


def check_schema(database: sqlite3.Connection, path: Path) -> None:
    """Raises `SpoolError` unless the file is empty or a spool that this version can read."""
    try:
        _KIND.check(database)
    except DatabaseNotUsable as refusal:
        raise _spool_error(refusal, path) from refusal


def _spool_error(refusal: DatabaseNotUsable, path: Path) -> SpoolError:
    texts = {
        NotUsable.NOT_OPENED: f"cannot open {path} ({refusal.detail}): give another file with --spool",
        NotUsable.FAILED: f"cannot use {path} ({refusal.detail}): give another file with --spool",
        NotUsable.OF_ANOTHER_PROGRAM: f"{path} is the database of another program: give another file with --spool",
        NotUsable.NEWER: f"{path} was written by a newer Uncia (schema {refusal.detail}; this one reads "
        f"{_SCHEMA_VERSION}): update Uncia, or give another file with --spool. Nothing in it was changed",
    }
    return SpoolError(texts[refusal.reason])
