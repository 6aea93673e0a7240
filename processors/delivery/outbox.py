"""The outbox: which event of which alert waits for which channel. SQL by hand: its transactions are the guarantee."""

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from uncia.errors import PermanentError
from uncia.events import AlertRaised, AlertState
from uncia.processors.delivery.outbox_limits import limit_pending, prune
from uncia.processors.delivery.outbox_queue import Pick, Queued, next_of_alert, queue_event
from uncia.processors.delivery.outbox_schema import open_outbox_file
from uncia.processors.delivery.picture_queue import queue_picture
from uncia.topics import ALERT_RAISED

__all__ = ["ChannelCounts", "DeadLetter", "Outbox", "PartitionOffset", "Retried", "store_offsets"]

_PRUNE_EVERY = 500

Place = tuple[str, int]


@dataclass(frozen=True)
class PartitionOffset:
    """How far a partition was read, and the broker's id of its topic."""

    topic_id: str
    next_offset: int
    logged_at: float = 0.0
    """Log time of the last message that was read, as Unix time."""
    again_end: int = 0
    """Offset up to which messages are read again, after the broker lost the newest ones, or the topic was recreated."""
    again_before: float = 0.0
    """Log time up to which those were read before."""


@dataclass(frozen=True)
class ChannelCounts:
    """How many messages of a channel are in which state."""

    pending: int
    delivered: int
    dead: int
    muted: int
    """Held back by a mute."""
    oldest_pending: float | None
    """Unix time at which the oldest pending message was queued."""
    last_error: str | None
    """Of the oldest pending message that was tried."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up."""

    channel: str
    alert_id: str
    revision: int
    alert: AlertRaised | None
    """None: this program cannot read the event."""
    reason: str
    attempts: int
    ended_at: float


@dataclass(frozen=True)
class Retried:
    """How many dead letters were queued again, and how many this program cannot read."""

    queued: int
    unreadable: int


class Outbox:
    """The outbox in its file. Safe for several threads, and for commands of other processes.

    Invariants: of a channel and an alert, revisions are queued and sent in increasing order; a message is marked as
    `reached` before its first byte is sent; what is queued ends as delivered, overtaken by a later revision, cancelled
    by a withdrawal before anything was sent, held back by a mute, or dead, never as nothing.
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
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction, of this thread alone: committed at its end, rolled back by an exception."""
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

    def partitions(self, topic: str = ALERT_RAISED.name) -> dict[Place, PartitionOffset]:
        """How far the partitions of a topic were read."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM partitions WHERE topic = ?", (topic,)).fetchall()
        names = ("topic_id", "next_offset", "logged_at", "again_end", "again_before")
        return {(row["topic"], row["number"]): PartitionOffset(*(row[name] for name in names)) for row in rows}

    def holding(self, alert_ids: Collection[str]) -> dict[str, dict[str, bool]]:
        """The channels that have an event of these alerts, by alert id; true: none was sent so far."""
        found: dict[str, dict[str, bool]] = {}
        with self._lock:
            for one in alert_ids:
                rows = self._database.execute(
                    "SELECT channel, held OR NOT reached AS held FROM alerts WHERE alert_id = ?", (one,)
                ).fetchall()
                found[one] = {row["channel"]: bool(row["held"]) for row in rows}
        return found

    def apply(self, queued: Sequence[Queued], offsets: Mapping[Place, PartitionOffset]) -> set[str]:
        """Queue messages and store the offsets behind them, in one transaction. Returns the channels with new ones.

        An event that was queued before, or is older than one that was, is left out.
        """
        changed = set()
        with self.transaction() as database:
            for one in queued:
                if queue_event(database, one):
                    changed.add(one.channel)
            store_offsets(database, offsets)
            for channel in changed:
                limit_pending(database, channel)
            self._since_prune += len(queued)
            if self._since_prune >= _PRUNE_EVERY:
                self._since_prune = 0
                prune(database)
        return changed

    # To a channel

    def take(
        self,
        channel: str,
        waiting: Collection[str] = (),
        *,
        states: Collection[AlertState] = frozenset(AlertState),
        least_rank: int = 0,
    ) -> Pick | None:
        """The message that a channel sends next; None: there is none.

        Of the alerts but those in `waiting` and those below `least_rank` in severity, the one that waits longest, in
        its newest revision: earlier ones are overtaken. An alert that was withdrawn before anything of it was sent is
        cancelled, and so are withdrawals for a channel that gets none, by its `states`. The message is marked as one
        that may have reached the receiver, and its attempt is counted, before this returns.
        """
        with self.transaction() as database:
            sequence = 0
            while True:
                # One by one: of thousands that wait, mostly the first one is sent.
                row = database.execute(
                    "SELECT sequence, alert_id FROM messages WHERE channel = ? AND state = 'pending' AND sequence > ?"
                    " AND severity >= ? ORDER BY sequence LIMIT 1",
                    (channel, sequence, least_rank),
                ).fetchone()
                if row is None:
                    return None
                sequence = row["sequence"]
                if row["alert_id"] not in waiting:
                    pick = next_of_alert(database, channel, row["alert_id"], states)
                    if pick is not None:
                        return pick

    def delivered(
        self, channel: str, pick: Pick, remote_id: str | None, note: str | None = None, *, picture: bool = False
    ) -> None:
        """Mark a message as delivered; `remote_id`: what the receiver calls the alert; `picture`: it gets one."""
        with self.transaction() as database:
            self._end(database, channel, pick, "delivered", note)
            if remote_id is not None:
                database.execute(
                    "UPDATE alerts SET remote_id = ? WHERE channel = ? AND alert_id = ?",
                    (remote_id, channel, pick.alert.alert_id),
                )
            if picture:
                queue_picture(database, channel, pick.alert)

    def failed(self, channel: str, pick: Pick, reason: str, *, may_have_arrived: bool, counted: bool = True) -> None:
        """Note that an attempt failed; `counted`: as one of the channel's `tries`. The message stays pending."""
        with self.transaction() as database:
            database.execute(
                "UPDATE messages SET error = ?, uncounted = uncounted + ?"
                " WHERE channel = ? AND alert_id = ? AND revision = ?",
                (reason, not counted, channel, pick.alert.alert_id, pick.alert.revision),
            )
            if not may_have_arrived:
                self._unreached(database, channel, pick)

    def give_up(self, channel: str, pick: Pick, reason: str, *, may_have_arrived: bool = False) -> None:
        """Make a message a dead letter."""
        with self.transaction() as database:
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
            pending, delivered, dead, muted = (
                states[state]["n"] if state in states else 0 for state in ("pending", "delivered", "dead", "muted")
            )
            oldest = states["pending"]["oldest"] if "pending" in states else None
            found[channel] = ChannelCounts(pending, delivered, dead, muted, oldest, errors.get(channel))
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
                row["alert_id"],
                row["revision"],
                _readable(row["event"]),
                row["error"] or "",
                row["attempts"],
                row["ended_at"] or row["queued_at"],
            )
            for row in rows
        ]

    def retry(self, channel: str, alert_id: str = "") -> Retried:
        """Queue dead letters again. One that a later revision followed stays dead, and one that cannot be read."""
        with self.transaction() as database:
            rows = database.execute(
                "SELECT sequence, event FROM messages WHERE channel = ?"
                " AND (? = '' OR alert_id = ?) AND state = 'dead' AND revision ="
                " (SELECT max(revision) FROM messages AS other WHERE other.channel = messages.channel"
                " AND other.alert_id = messages.alert_id AND other.state NOT IN ('overtaken', 'muted'))",
                (channel, alert_id, alert_id),
            ).fetchall()
            readable = [(row["sequence"],) for row in rows if _readable(row["event"])]
            database.executemany(
                "UPDATE messages SET state = 'pending', attempts = 0, uncounted = 0, ended_at = NULL"
                " WHERE sequence = ?",
                readable,
            )
        return Retried(len(readable), len(rows) - len(readable))

    def drop(self, channel: str, alert_id: str = "") -> int:
        """Remove dead letters; returns how many."""
        with self.transaction() as database:
            return database.execute(
                "DELETE FROM messages WHERE channel = ? AND (? = '' OR alert_id = ?) AND state = 'dead'",
                (channel, alert_id, alert_id),
            ).rowcount


def store_offsets(database: sqlite3.Connection, offsets: Mapping[Place, PartitionOffset]) -> None:
    """Store how far partitions were read, in the transaction of what was made of them."""
    for (topic, number), place in offsets.items():
        database.execute(
            "INSERT OR REPLACE INTO partitions"
            " (topic, number, topic_id, next_offset, logged_at, again_end, again_before)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                topic,
                number,
                place.topic_id,
                place.next_offset,
                place.logged_at,
                place.again_end,
                place.again_before,
            ),
        )


def _readable(event: bytes) -> AlertRaised | None:
    try:
        return AlertRaised.from_bytes(event)
    except PermanentError:
        return None
