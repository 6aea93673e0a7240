"""The outbox: which event of which alert waits for which channel. SQL by hand: its transactions are the guarantee."""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from uncia.events import AlertRaised, AlertState
from uncia.processors.delivery.outbox_schema import open_outbox_file

__all__ = ["ChannelCounts", "DeadLetter", "Outbox", "PartitionOffset", "Pick", "Queued"]

MOST_PENDING = 10_000
"""Messages of a channel that wait, at most: the oldest one beyond becomes a dead letter."""
MOST_DEAD = 10_000
MOST_ENDED = 10_000
"""Messages of a channel that are kept after they were delivered, overtaken or cancelled."""
MOST_ALERTS = 100_000
"""Alerts of a channel whose id at the receiver is known. A camera's alerts can change for 30 days."""
_PRUNE_EVERY = 500

Place = tuple[str, int]


@dataclass(frozen=True)
class PartitionOffset:
    """How far a partition was read, and the broker's id of its topic."""

    topic_id: str
    next_offset: int


@dataclass(frozen=True)
class Queued:
    """An event of an alert for a channel."""

    channel: str
    alert: AlertRaised


@dataclass(frozen=True)
class Pick:
    """The message that a channel sends next."""

    alert: AlertRaised
    attempts: int
    """Earlier attempts to send it."""
    reached: bool
    """The receiver has an earlier event of this alert, or may have this one."""
    remote_id: str | None
    """What the receiver calls this alert."""


@dataclass(frozen=True)
class ChannelCounts:
    """How many messages of a channel are in which state."""

    pending: int
    delivered: int
    dead: int
    oldest_pending: float | None
    """Unix time at which the oldest pending message was queued."""
    last_error: str | None
    """Of the oldest pending message that was tried."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up."""

    channel: str
    alert: AlertRaised
    reason: str
    attempts: int
    ended_at: float


class Outbox:
    """The outbox in its file. Safe for several threads, and for commands of other processes.

    Invariants: of a channel and an alert, revisions are queued and sent in increasing order; a message is marked as
    `reached` before its first byte is sent; what is queued ends as delivered, overtaken by a later revision, cancelled
    by a withdrawal before anything was sent, or dead, never as nothing.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Raises `OutboxRefused`."""
        self._database = open_outbox_file(path, create=create)
        self._lock = threading.RLock()
        self._since_prune = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    # From the log

    def partitions(self) -> dict[Place, PartitionOffset]:
        """How far the partitions were read."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM partitions").fetchall()
        return {(row["topic"], row["number"]): PartitionOffset(row["topic_id"], row["next_offset"]) for row in rows}

    def holding(self, alert_ids: Collection[str]) -> dict[str, set[str]]:
        """The channels for which an event of these alerts was queued, by alert id."""
        found: dict[str, set[str]] = {}
        with self._lock:
            for one in alert_ids:
                rows = self._database.execute("SELECT channel FROM alerts WHERE alert_id = ?", (one,)).fetchall()
                found[one] = {row["channel"] for row in rows}
        return found

    def apply(self, queued: Sequence[Queued], offsets: Mapping[Place, PartitionOffset]) -> set[str]:
        """Queue messages and store the offsets behind them, in one transaction. Returns the channels with new ones.

        An event that was queued before, or is older than one that was, is left out.
        """
        changed = set()
        with self._transaction() as database:
            for one in queued:
                if self._queue(database, one):
                    changed.add(one.channel)
            for (topic, number), place in offsets.items():
                database.execute(
                    "INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?)",
                    (topic, number, place.topic_id, place.next_offset),
                )
            for channel in changed:
                self._limit_pending(database, channel)
            self._since_prune += len(queued)
            if self._since_prune >= _PRUNE_EVERY:
                self._since_prune = 0
                self._prune(database)
        return changed

    def _queue(self, database: sqlite3.Connection, one: Queued) -> bool:
        alert, where = one.alert, (one.channel, one.alert.alert_id)
        known = database.execute(
            "SELECT last_revision FROM alerts WHERE channel = ? AND alert_id = ?", where
        ).fetchone()
        if known is not None and alert.revision <= known["last_revision"]:
            return False
        withdrawal = alert.state is AlertState.WITHDRAWN
        sequence = database.execute(
            "INSERT INTO messages (channel, alert_id, revision, event, state, withdrawal, queued_at)"
            " VALUES (?, ?, ?, ?, 'pending', ?, ?)",
            (*where, alert.revision, alert.to_bytes(), withdrawal, time.time()),
        ).lastrowid
        database.execute(
            "INSERT INTO alerts (channel, alert_id, last_revision, touched) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last_revision = excluded.last_revision, touched = excluded.touched",
            (*where, alert.revision, sequence),
        )
        return True

    # To a channel

    def take(self, channel: str, waiting: Collection[str] = (), *, withdrawals: bool = True) -> Pick | None:
        """The message that a channel sends next; None: there is none.

        Of the alerts but those in `waiting`, the one that waits longest, in its newest revision: earlier ones are
        overtaken. An alert that was withdrawn before anything of it was sent is cancelled, and so are withdrawals for
        a channel that gets none. The message is marked as one that may have reached the receiver, and its attempt is
        counted, before this returns.
        """
        with self._transaction() as database:
            sequence = 0
            while True:
                # One by one: of thousands that wait, mostly the first one is sent.
                row = database.execute(
                    "SELECT sequence, alert_id FROM messages WHERE channel = ? AND state = 'pending' AND sequence > ?"
                    " ORDER BY sequence LIMIT 1",
                    (channel, sequence),
                ).fetchone()
                if row is None:
                    return None
                sequence = row["sequence"]
                if row["alert_id"] not in waiting:
                    pick = self._newest(database, channel, row["alert_id"], withdrawals)
                    if pick is not None:
                        return pick

    def _newest(self, database: sqlite3.Connection, channel: str, alert_id: str, withdrawals: bool) -> Pick | None:
        where = (channel, alert_id)
        row = database.execute(
            "SELECT messages.revision, event, attempts, withdrawal, reached, remote_id FROM messages"
            " JOIN alerts USING (channel, alert_id)"
            " WHERE channel = ? AND alert_id = ? AND state = 'pending' ORDER BY messages.revision DESC LIMIT 1",
            where,
        ).fetchone()
        if row["withdrawal"] and not (row["reached"] and withdrawals):
            database.execute(
                "UPDATE messages SET state = 'cancelled', ended_at = ?"
                " WHERE channel = ? AND alert_id = ? AND state = 'pending'",
                (time.time(), *where),
            )
            return None
        database.execute(
            "UPDATE messages SET state = 'overtaken', ended_at = ?"
            " WHERE channel = ? AND alert_id = ? AND state = 'pending' AND revision < ?",
            (time.time(), *where, row["revision"]),
        )
        database.execute(
            "UPDATE messages SET attempts = attempts + 1 WHERE channel = ? AND alert_id = ? AND revision = ?",
            (*where, row["revision"]),
        )
        database.execute("UPDATE alerts SET reached = 1 WHERE channel = ? AND alert_id = ?", where)
        return Pick(AlertRaised.from_bytes(row["event"]), row["attempts"], bool(row["reached"]), row["remote_id"])

    def delivered(self, channel: str, pick: Pick, remote_id: str | None, note: str | None = None) -> None:
        """Mark a message as delivered; `remote_id`: what the receiver calls the alert."""
        with self._transaction() as database:
            self._end(database, channel, pick, "delivered", note)
            if remote_id is not None:
                database.execute(
                    "UPDATE alerts SET remote_id = ? WHERE channel = ? AND alert_id = ?",
                    (remote_id, channel, pick.alert.alert_id),
                )

    def failed(self, channel: str, pick: Pick, reason: str, *, may_have_arrived: bool) -> None:
        """Note that an attempt failed. The message stays pending."""
        with self._transaction() as database:
            database.execute(
                "UPDATE messages SET error = ? WHERE channel = ? AND alert_id = ? AND revision = ?",
                (reason, channel, pick.alert.alert_id, pick.alert.revision),
            )
            if not may_have_arrived:
                self._unreached(database, channel, pick)

    def give_up(self, channel: str, pick: Pick, reason: str, *, may_have_arrived: bool = False) -> None:
        """Make a message a dead letter."""
        with self._transaction() as database:
            self._end(database, channel, pick, "dead", reason)
            if not may_have_arrived:
                self._unreached(database, channel, pick)

    def _end(self, database: sqlite3.Connection, channel: str, pick: Pick, state: str, note: str | None) -> None:
        database.execute(
            "UPDATE messages SET state = ?, ended_at = ?, error = ?"
            " WHERE channel = ? AND alert_id = ? AND revision = ?",
            (state, time.time(), note, channel, pick.alert.alert_id, pick.alert.revision),
        )

    def _unreached(self, database: sqlite3.Connection, channel: str, pick: Pick) -> None:
        if not pick.reached:
            database.execute(
                "UPDATE alerts SET reached = 0 WHERE channel = ? AND alert_id = ?", (channel, pick.alert.alert_id)
            )

    # For people

    def counts(self) -> dict[str, ChannelCounts]:
        """The counts of each channel that ever had a message."""
        with self._lock:
            rows = self._database.execute(
                "SELECT channel, state, count(*) AS n, min(queued_at) AS oldest FROM messages GROUP BY channel, state"
            ).fetchall()
            errors = {
                row["channel"]: row["error"]
                for row in self._database.execute(
                    "SELECT channel, error FROM messages WHERE state = 'pending' AND error IS NOT NULL"
                    " ORDER BY sequence DESC"
                )
            }
        by_channel: dict[str, dict[str, sqlite3.Row]] = {}
        for row in rows:
            by_channel.setdefault(row["channel"], {})[row["state"]] = row
        found = {}
        for channel, states in sorted(by_channel.items()):
            pending, delivered, dead = (
                states[state]["n"] if state in states else 0 for state in ("pending", "delivered", "dead")
            )
            oldest = states["pending"]["oldest"] if "pending" in states else None
            found[channel] = ChannelCounts(pending, delivered, dead, oldest, errors.get(channel))
        return found

    def dead_letters(self, channel: str = "") -> list[DeadLetter]:
        """The dead letters of a channel, or of all, the oldest first."""
        with self._lock:
            rows = self._database.execute(
                "SELECT * FROM messages WHERE state = 'dead' AND (? = '' OR channel = ?) ORDER BY sequence",
                (channel, channel),
            ).fetchall()
        return [
            DeadLetter(
                row["channel"],
                AlertRaised.from_bytes(row["event"]),
                row["error"] or "",
                row["attempts"],
                row["ended_at"] or row["queued_at"],
            )
            for row in rows
        ]

    def retry(self, channel: str, alert_id: str = "") -> int:
        """Queue dead letters again; returns how many. One that a later revision followed stays dead."""
        with self._transaction() as database:
            return database.execute(
                "UPDATE messages SET state = 'pending', attempts = 0, ended_at = NULL WHERE channel = ?"
                " AND (? = '' OR alert_id = ?) AND state = 'dead' AND revision ="
                " (SELECT max(revision) FROM messages AS other WHERE other.channel = messages.channel"
                " AND other.alert_id = messages.alert_id AND other.state <> 'overtaken')",
                (channel, alert_id, alert_id),
            ).rowcount

    def drop(self, channel: str, alert_id: str = "") -> int:
        """Remove dead letters; returns how many."""
        with self._transaction() as database:
            return database.execute(
                "DELETE FROM messages WHERE channel = ? AND (? = '' OR alert_id = ?) AND state = 'dead'",
                (channel, alert_id, alert_id),
            ).rowcount

    # Limits

    def _limit_pending(self, database: sqlite3.Connection, channel: str) -> None:
        database.execute(
            "UPDATE messages SET state = 'dead', ended_at = ?, error = ? WHERE sequence IN"
            " (SELECT sequence FROM messages"
            " WHERE channel = ? AND state = 'pending' ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
            (time.time(), f"more than {MOST_PENDING:,} messages waited for this channel", channel, MOST_PENDING),
        )

    def _prune(self, database: sqlite3.Connection) -> None:
        for (channel,) in database.execute("SELECT DISTINCT channel FROM alerts").fetchall():
            for states, most in (("'dead'", MOST_DEAD), ("'delivered', 'overtaken', 'cancelled'", MOST_ENDED)):
                database.execute(
                    f"DELETE FROM messages WHERE sequence IN (SELECT sequence FROM messages WHERE channel = ?"
                    f" AND state IN ({states}) ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
                    (channel, most),
                )
            database.execute(
                "DELETE FROM alerts WHERE channel = ? AND alert_id IN (SELECT alert_id FROM alerts WHERE channel = ?"
                " ORDER BY touched DESC LIMIT -1 OFFSET ?) AND NOT EXISTS (SELECT 1 FROM messages WHERE"
                " messages.channel = alerts.channel AND messages.alert_id = alerts.alert_id AND state = 'pending')",
                (channel, channel, MOST_ALERTS),
            )
