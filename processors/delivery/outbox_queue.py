"""The SQL of the outbox's queue: an event is queued, and the next message of an alert is chosen. In transactions."""

import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass

from uncia.errors import PermanentError
from uncia.events import AlertRaised, AlertState, Severity
from uncia.processors.delivery.quiet_hours import severity_rank
from uncia.processors.delivery.unreadable import UnreadableAlert

__all__ = ["Pick", "Queued", "next_of_alert", "queue_event"]


@dataclass(frozen=True)
class Queued:
    """An event of an alert for a channel."""

    channel: str
    alert: AlertRaised | UnreadableAlert
    """One that cannot be read becomes a dead letter."""
    muted: bool = False
    """It is held back: not sent, and nothing to retry."""
    absent: bool = False
    """The channel has earlier events of the alert, and is not in the file."""


@dataclass(frozen=True)
class Pick:
    """The message that a channel sends next."""

    alert: AlertRaised
    attempts: int
    """Earlier attempts to send it."""
    uncounted: int
    """Those of them that failed by the channel's own configuration, such as a wrong key."""
    reached: bool
    """The receiver has an earlier event of this alert, or may have this one."""
    remote_id: str | None
    """What the receiver calls this alert."""


def queue_event(database: sqlite3.Connection, one: Queued) -> bool:
    """Store an event, unless it or a later one of its alert was stored before. Returns whether it is to be sent."""
    alert, where = one.alert, (one.channel, one.alert.alert_id)
    known = database.execute("SELECT last_revision FROM alerts WHERE channel = ? AND alert_id = ?", where).fetchone()
    if known is not None and alert.revision <= known["last_revision"]:
        return False
    if isinstance(alert, UnreadableAlert):
        state, event, withdrawal, error = "dead", alert.event, alert.withdrawn, alert.reason
        rank = severity_rank(Severity.CRITICAL)
    else:
        state, error = "muted" if one.muted else "pending", None
        event, withdrawal = alert.to_bytes(), alert.state is AlertState.WITHDRAWN
        rank = severity_rank(alert.severity)
    now = time.time()
    sequence = database.execute(
        "INSERT INTO messages"
        " (channel, alert_id, revision, event, state, withdrawal, queued_at, ended_at, error, absent, severity)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *where,
            alert.revision,
            event,
            state,
            withdrawal,
            now,
            None if state == "pending" else now,
            error,
            one.absent,
            rank,
        ),
    ).lastrowid
    # A withdrawal is no first message.
    first = known is None and state != "pending"
    database.execute(
        "INSERT INTO alerts (channel, alert_id, last_revision, touched, held) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET last_revision = excluded.last_revision, touched = excluded.touched,"
        " held = held AND ?",
        (*where, alert.revision, sequence, first, state != "pending" or withdrawal),
    )
    return state == "pending"


def next_of_alert(
    database: sqlite3.Connection, channel: str, alert_id: str, states: Collection[AlertState]
) -> Pick | None:
    """The newest message of an alert, marked as one that may arrive; None: nothing of it is to be sent.

    Earlier messages become `overtaken`. A withdrawal before anything was sent cancels all, as does one that the channel
    does not get.
    """
    where = (channel, alert_id)
    rows = database.execute(
        "SELECT messages.revision, event, attempts, uncounted, withdrawal, absent, reached, remote_id FROM messages"
        " JOIN alerts USING (channel, alert_id)"
        " WHERE channel = ? AND alert_id = ? AND state = 'pending' ORDER BY messages.revision DESC",
        where,
    ).fetchall()
    for row in rows:
        if row["withdrawal"] and not (row["reached"] and AlertState.WITHDRAWN in states):
            _end_pending(database, where, row["revision"], "cancelled")
            return None
        try:
            alert = AlertRaised.from_bytes(row["event"])
        except PermanentError as error:
            # Queued by a newer version of Uncia, before this one was installed again.
            _end(database, where, row["revision"], "dead", f"this version of Uncia cannot read the event: {error}")
            continue
        if row["absent"] and alert.state not in states:
            # Queued while the file had no such channel, and nothing was known of what it wants.
            _end(database, where, row["revision"], "cancelled", None)
            continue
        _end_pending(database, where, row["revision"] - 1, "overtaken")
        database.execute(
            "UPDATE messages SET attempts = attempts + 1 WHERE channel = ? AND alert_id = ? AND revision = ?",
            (*where, row["revision"]),
        )
        database.execute("UPDATE alerts SET reached = 1, held = 0 WHERE channel = ? AND alert_id = ?", where)
        return Pick(alert, row["attempts"], row["uncounted"], bool(row["reached"]), row["remote_id"])
    return None


def _end(database: sqlite3.Connection, where: tuple[str, str], revision: int, state: str, reason: str | None) -> None:
    database.execute(
        "UPDATE messages SET state = ?, ended_at = ?, error = ? WHERE channel = ? AND alert_id = ? AND revision = ?",
        (state, time.time(), reason, *where, revision),
    )


def _end_pending(database: sqlite3.Connection, where: tuple[str, str], newest: int, state: str) -> None:
    """End the messages that wait, up to a revision."""
    database.execute(
        "UPDATE messages SET state = ?, ended_at = ?"
        " WHERE channel = ? AND alert_id = ? AND state = 'pending' AND revision <= ?",
        (state, time.time(), *where, newest),
    )
