"""The file of the outbox: its tables, and the checks before it is used."""

import sqlite3
from pathlib import Path

from uncia.errors import UnciaError
from uncia.storage.durable import sync_folder
from uncia.storage.sqlite_file import DatabaseNotUsable, NotUsable, SqliteKind

__all__ = ["OutboxRefused", "open_outbox_file"]

APPLICATION_ID = 0x554E4456  # "UNDV"
SCHEMA_VERSION = 3

_SCHEMA = """
CREATE TABLE partitions (
    topic TEXT NOT NULL, number INTEGER NOT NULL,
    topic_id TEXT NOT NULL,               -- of the broker: another one for a topic that was recreated
    next_offset INTEGER NOT NULL,
    logged_at REAL NOT NULL DEFAULT 0,    -- log time of the last message that was read, Unix time
    again_end INTEGER NOT NULL DEFAULT 0, -- up to this offset, messages up to that log time are read again
    again_before REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, number)
) WITHOUT ROWID;
CREATE TABLE messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL, alert_id TEXT NOT NULL, revision INTEGER NOT NULL,
    event BLOB NOT NULL,                  -- as on the topic
    state TEXT NOT NULL,                  -- pending, delivered, overtaken, cancelled, muted or dead
    withdrawal INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    queued_at REAL NOT NULL, ended_at REAL, -- Unix time, for people
    error TEXT,
    uncounted INTEGER NOT NULL DEFAULT 0, -- attempts that do not count, such as those with a wrong key
    absent INTEGER NOT NULL DEFAULT 0,    -- 1: queued while the file had no such channel
    severity INTEGER NOT NULL DEFAULT 2,  -- rank: 0 info, 1 warning, 2 critical or unknown
    UNIQUE (channel, alert_id, revision)
);
CREATE INDEX messages_pending ON messages (channel, sequence) WHERE state = 'pending';
CREATE INDEX messages_by_state ON messages (channel, state, sequence);
CREATE TABLE alerts (
    channel TEXT NOT NULL, alert_id TEXT NOT NULL,
    last_revision INTEGER NOT NULL,       -- the highest that was queued
    reached INTEGER NOT NULL DEFAULT 0,   -- 1: an event of it was delivered, or may have been
    remote_id TEXT,                       -- what the receiver calls it
    touched INTEGER NOT NULL,             -- sequence of the last message
    held INTEGER NOT NULL DEFAULT 0,      -- 1: none of its events was queued to be sent, because of mutes
    PRIMARY KEY (channel, alert_id)
) WITHOUT ROWID;
CREATE INDEX alerts_by_alert ON alerts (alert_id);
CREATE INDEX alerts_by_touch ON alerts (channel, touched);
"""
_PICTURES = """
CREATE TABLE crops (                      -- the newest ones that are in the store
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    crop_id TEXT NOT NULL UNIQUE, burst_id TEXT NOT NULL,
    bucket TEXT NOT NULL, object_key TEXT NOT NULL, sha256 TEXT NOT NULL, score REAL NOT NULL
);
CREATE INDEX crops_by_burst ON crops (burst_id);
CREATE TABLE pictures (                   -- of the alerts that a channel with pictures got
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL, alert_id TEXT NOT NULL,
    state TEXT NOT NULL,                  -- pending, attached, withheld, expired or dead
    bursts TEXT NOT NULL,                 -- JSON: those whose crops it may have
    attempts INTEGER NOT NULL DEFAULT 0,
    reached INTEGER NOT NULL DEFAULT 0,   -- 1: the receiver has it, or may have it
    crop_id TEXT,                         -- of the last attempt
    error TEXT,
    UNIQUE (channel, alert_id)
);
CREATE INDEX pictures_pending ON pictures (channel, sequence) WHERE state = 'pending';
CREATE INDEX pictures_by_crop ON pictures (crop_id) WHERE crop_id IS NOT NULL;
"""
_FROM_1 = """
ALTER TABLE partitions ADD COLUMN logged_at REAL NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN again_end INTEGER NOT NULL DEFAULT 0;
ALTER TABLE partitions ADD COLUMN again_before REAL NOT NULL DEFAULT 0;
-- What was read before is older than now.
UPDATE partitions SET logged_at = CAST(strftime('%s', 'now') AS REAL);
ALTER TABLE messages ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN absent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN severity INTEGER NOT NULL DEFAULT 2;
ALTER TABLE alerts ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
"""
_KIND = SqliteKind(APPLICATION_ID, SCHEMA_VERSION, {0: _SCHEMA + _PICTURES, 1: _FROM_1 + _PICTURES, 2: _PICTURES})


class OutboxRefused(UnciaError):
    """The outbox cannot be used. Nothing in it was changed."""

    exit_code = 78


def open_outbox_file(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open the file, and create its tables in a new one. For any thread, one at a time.

    Raises `OutboxRefused` for the file of another program or a newer version, and where there is none and it may not
    be created.
    """
    if not path.exists():
        if not create:
            raise OutboxRefused(f"there is no outbox {path}: `uncia deliver` creates it at its first start")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Alerts say where animals are: for the owner alone. SQLite gives its other files the same mode.
        path.touch(mode=0o600)
        sync_folder(path.parent)
    try:
        return _KIND.open(path)
    except DatabaseNotUsable as refusal:
        texts = {
            NotUsable.NOT_OPENED: f"the outbox {path} cannot be opened: {refusal.detail}",
            NotUsable.FAILED: f"the outbox {path} cannot be used: {refusal.detail}",
            NotUsable.OF_ANOTHER_PROGRAM: f"{path} is the database of another program: set UNCIA_DELIVERY_DATABASE to "
            "another file",
            NotUsable.NEWER: f"{path} was written by a newer Uncia (schema {refusal.detail}; this one reads "
            f"{SCHEMA_VERSION}): update Uncia. Nothing in it was changed",
        }
        raise OutboxRefused(texts[refusal.reason]) from refusal
