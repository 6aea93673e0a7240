"""Every step is durable before the next one begins, and a spool of an earlier version is upgraded."""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.producers.gateway.builders import FakeStore, jpeg, photograph, rows, run
from uncia.producers.gateway import content
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import APPLICATION_ID


def recorded_events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records syncs, renames, removals and transitions of the spool, in their recorded_events."""
    events: list[str] = []
    fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

    def record_fsync(handle: int) -> None:
        fsync(handle)
        events.append(f"sync {Path(f'/proc/self/fd/{handle}').readlink().name}")

    def record_replace(path: Path, target: Path) -> Path:
        events.append(f"move {Path(target).name}")
        return replace(path, target)

    def record_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            events.append(f"unlink {path.name}")
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    monkeypatch.setattr(Path, "unlink", record_unlink)
    for name in ("mark_spooled", "mark_confirmed", "mark_removed"):
        transition = getattr(Spool, name)

        def record_transition(
            self: Spool, *some: Any, name: str = name, transition: Any = transition, **more: Any
        ) -> None:
            transition(self, *some, **more)
            events.append(name)

        monkeypatch.setattr(Spool, name, record_transition)
    return events


def test_a_copy_is_durable_before_it_is_spooled_and_the_confirmation_before_anything_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = photograph(tmp_path / "card" / "1.JPG")
    events = recorded_events(monkeypatch)
    run(tmp_path / "card", tmp_path / "state" / "s", FakeStore(), copy=True, remove=True)
    copy = next(event.removeprefix("move ") for event in events if event.startswith("move "))
    assert [event for event in events if event.split()[-1] not in ("state", tmp_path.name)] == [
        *(f"sync {copy}.part", f"move {copy}", "sync s.files"),
        *("mark_spooled", "mark_confirmed", f"unlink {copy}", "unlink 1.JPG", "mark_removed"),
    ]
    assert not path.exists()


def test_the_folders_of_a_new_spool_are_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = recorded_events(monkeypatch)
    with Spool(tmp_path / "a" / "b" / "s"):
        pass
    assert {f"sync {tmp_path.name}", "sync a", "sync b"} <= set(events)


def test_every_transaction_is_synchronous(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        assert spool._rows("PRAGMA synchronous", ())[0][0] == 2  # FULL
        assert spool._rows("PRAGMA journal_mode", ())[0][0] == "wal"


def test_a_copy_that_a_power_cut_damaged_is_made_again(tmp_path: Path) -> None:
    photograph(tmp_path / "card" / "1.JPG", "the whole photograph")
    store = FakeStore()
    with pytest.MonkeyPatch.context() as patch:

        def cut(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Spool, "mark_spooled", cut)
        with contextlib.suppress(KeyboardInterrupt):
            run(tmp_path / "card", tmp_path / "s", store, copy=True)
    (copy,) = (tmp_path / "s.files").iterdir()
    copy.write_bytes(bytes(copy.stat().st_size))
    run(tmp_path / "card", tmp_path / "s", store, copy=True)
    assert list(store.objects.values()) == [b"the whole photograph"]


def test_a_spool_of_schema_version_1_is_upgraded(tmp_path: Path) -> None:
    data = jpeg(1)
    path = tmp_path / "card" / "1.JPG"
    path.parent.mkdir()
    path.write_bytes(data)
    read = content.read_content(path, len(data), None, copy=None, stop=threading.Event())
    found = path.stat()
    with contextlib.closing(sqlite3.connect(tmp_path / "s", isolation_level=None)) as database:
        database.executescript(f"{FIRST} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;")
        database.execute(
            "INSERT INTO files (station, camera, source, size, mtime_ns, state, sha256, md5, key, etag, confirmed_at,"
            " reported) VALUES ('ridge', 'card', ?, ?, ?, 'confirmed', ?, ?, 'k', 'e', 'now', 1)",
            (os.fsencode(path), found.st_size, found.st_mtime_ns, read.sha256, read.md5),
        )
        database.execute(
            "INSERT INTO files (station, camera, source, size, mtime_ns, state, duplicate_of, sha256, md5, key)"
            " VALUES ('ridge', 'card', 'old', 1, 1, 'duplicate', 1, 's', 'm', 'k')"
        )
    store = FakeStore()
    photograph(tmp_path / "card" / "2.JPG", "new")
    assert run(tmp_path / "card", tmp_path / "s", store).uploaded == 1
    assert [(row["state"], row["duplicate_of"]) for row in rows(tmp_path / "s")] == [
        *(("confirmed", None), ("duplicate", 1), ("confirmed", None)),
    ]
    path.write_bytes(data[:-2] + b"\xff\xd9")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert run(tmp_path / "card", tmp_path / "s", store).uploaded == 0  # read again, and unchanged


def test_a_spool_of_schema_version_2_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "card" / "1.JPG"
    path.parent.mkdir()
    path.write_bytes(jpeg(1))
    store = FakeStore()
    run(tmp_path / "card", tmp_path / "s", store)
    with contextlib.closing(sqlite3.connect(tmp_path / "s", isolation_level=None)) as database:
        database.executescript(
            "DROP INDEX files_by_key; ALTER TABLE files DROP COLUMN image_digest;"
            " ALTER TABLE files DROP COLUMN capture_identity; DROP TRIGGER thumbnails_of_files; DROP TABLE thumbnails;"
            " DROP TABLE fetch_requests; DROP TABLE link_bytes; PRAGMA user_version = 2;"
        )
    path.write_bytes(jpeg(2))
    assert run(tmp_path / "card", tmp_path / "s", store).uploaded == 1
    assert [row["image_digest"] is None for row in rows(tmp_path / "s")] == [True, False]


FIRST = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    station TEXT NOT NULL,
    camera TEXT NOT NULL,
    source BLOB NOT NULL,             -- path as the file system has it, which need not be Unicode
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL,
    sha256 TEXT, md5 TEXT, key TEXT,
    copy TEXT,                        -- file name in the spool's folder, when the bytes were copied
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL DEFAULT 0, -- Unix time
    last_error TEXT,
    multipart TEXT,                   -- the store's id of an upload in parts that was begun
    etag TEXT,
    confirmed_at TEXT,
    duplicate_of INTEGER REFERENCES files (id),
    removed_at TEXT,
    reported INTEGER NOT NULL DEFAULT 0, -- the line about its end was printed
    UNIQUE (station, camera, source, size, mtime_ns)
);
CREATE INDEX files_by_state ON files (state, id);
CREATE INDEX files_unreported ON files (id) WHERE reported = 0;
CREATE INDEX files_by_content ON files (sha256, station, camera);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
