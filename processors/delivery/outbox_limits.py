"""How much the outbox keeps, and the removal of what is beyond."""

import sqlite3
import time

__all__ = ["limit_pending", "prune"]

MOST_PENDING = 10_000
"""Messages of a channel that wait, at most: the oldest one beyond becomes a dead letter."""
MOST_DEAD = 10_000
MOST_ENDED = 10_000
"""Messages of a channel that are kept after they were delivered, overtaken, cancelled or held back."""
MOST_ALERTS = 100_000
"""Alerts of a channel whose id at the receiver is known. A camera's alerts can change for 30 days."""

_ENDED = "'delivered', 'overtaken', 'cancelled', 'muted'"


def limit_pending(database: sqlite3.Connection, channel: str) -> None:
    """Make dead letters of the oldest messages that wait, beyond the limit."""
    database.execute(
        "UPDATE messages SET state = 'dead', ended_at = ?, error = ? WHERE sequence IN"
        " (SELECT sequence FROM messages"
        " WHERE channel = ? AND state = 'pending' ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
        (time.time(), f"more than {MOST_PENDING:,} messages waited for this channel", channel, MOST_PENDING),
    )


def prune(database: sqlite3.Connection) -> None:
    """Remove the oldest messages that ended, and the oldest alerts, beyond the limits. What waits stays."""
    for (channel,) in database.execute("SELECT DISTINCT channel FROM alerts").fetchall():
        for states, most in (("'dead'", MOST_DEAD), (_ENDED, MOST_ENDED)):
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
    database.execute(
        "DELETE FROM pictures WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.channel = pictures.channel"
        " AND alerts.alert_id = pictures.alert_id)"
    )
