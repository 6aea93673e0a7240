"""The SQL of the pictures of alerts: which alerts wait for one, which crops there are, and which one is next.

In transactions.
"""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from uncia.errors import PermanentError
from uncia.events import AlertRaised, AlertState, BurstCategory, CropPublished, DetectionCategory
from uncia.storage.object_keys import CROPS_PREFIX

__all__ = [
    "CropReference",
    "PicturePick",
    "bursts_to_show",
    "limit_crops",
    "next_picture",
    "queue_picture",
    "store_crop",
]

MOST_WAITING = 500
"""Alerts of a channel that wait for a picture, the newest ones: of many bursts no crop ever comes."""
MOST_CROPS = 20_000
"""Crops that are known, the newest ones: an alert may come later than the crops of its bursts."""


@dataclass(frozen=True)
class CropReference:
    """A crop in the store."""

    crop_id: str
    burst_id: str
    bucket: str
    key: str
    sha256: str
    score: float


@dataclass(frozen=True)
class PicturePick:
    """The picture that a channel attaches next."""

    alert_id: str
    remote_id: str
    """What the receiver calls the alert."""
    crop: CropReference
    attempts: int
    """Earlier attempts to attach a picture."""
    reached: bool
    """The receiver may have it by one of them."""


def bursts_to_show(alert: AlertRaised) -> tuple[str, ...]:
    """The bursts whose crops may be shown with an alert: those that match.

    None of an alert that was withdrawn, or with a person in any of its bursts, also one that does not match any more.
    """
    if alert.state is AlertState.WITHDRAWN or any(one.category is BurstCategory.PERSON for one in alert.bursts):
        return ()
    return tuple(one.burst_id for one in alert.matching)


def queue_picture(database: sqlite3.Connection, channel: str, alert: AlertRaised) -> None:
    """Note that a channel has an event of this alert, which gets a picture, once, as soon as there is one."""
    bursts = bursts_to_show(alert)
    if not bursts:
        database.execute(
            "UPDATE pictures SET state = 'withheld' WHERE channel = ? AND alert_id = ? AND state = 'pending'",
            (channel, alert.alert_id),
        )
        return
    database.execute(
        "INSERT INTO pictures (channel, alert_id, state, bursts) VALUES (?, ?, 'pending', ?)"
        " ON CONFLICT DO UPDATE SET state = 'pending', bursts = excluded.bursts"
        " WHERE state IN ('pending', 'withheld', 'expired')",
        (channel, alert.alert_id, json.dumps(bursts)),
    )
    database.execute(
        "UPDATE pictures SET state = 'expired' WHERE sequence IN (SELECT sequence FROM pictures"
        " WHERE channel = ? AND state = 'pending' ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
        (channel, MOST_WAITING),
    )


def store_crop(database: sqlite3.Connection, crop: CropPublished) -> list[tuple[str, str]]:
    """Store a crop, or remove one that was withdrawn. Returns channels and alerts that have a picture of that one."""
    database.execute("DELETE FROM crops WHERE crop_id = ?", (crop.crop_id,))
    if crop.withdrawn is not None:
        rows = database.execute(
            "SELECT channel, alert_id FROM pictures WHERE crop_id = ? AND reached", (crop.crop_id,)
        ).fetchall()
        return [(row["channel"], row["alert_id"]) for row in rows]
    # Nothing but crops of animals leaves by a channel, whatever an event says.
    is_crop = crop.category is DetectionCategory.ANIMAL and crop.key.startswith(CROPS_PREFIX)
    if is_crop and crop.sha256 is not None:
        database.execute(
            "INSERT INTO crops (crop_id, burst_id, bucket, object_key, sha256, score) VALUES (?, ?, ?, ?, ?, ?)",
            (crop.crop_id, crop.burst_id, crop.bucket, crop.key, crop.sha256, crop.score),
        )
    return []


def limit_crops(database: sqlite3.Connection) -> None:
    """Forget the oldest crops beyond the limit."""
    database.execute(
        "DELETE FROM crops WHERE sequence <= (SELECT sequence FROM crops ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
        (MOST_CROPS,),
    )


def next_picture(database: sqlite3.Connection, channel: str, without: Collection[str]) -> PicturePick | None:
    """The picture that is attached next, of the alerts but those in `without`; None: there is none.

    The newest event of an alert decides, also one that the channel has not got yet.
    """
    # SQLite's own order of the joins would begin with all crops.
    rows = database.execute(
        "SELECT DISTINCT pictures.sequence, pictures.alert_id, attempts, pictures.reached, remote_id FROM pictures"
        " CROSS JOIN alerts USING (channel, alert_id) CROSS JOIN json_each(pictures.bursts) AS burst"
        " CROSS JOIN crops ON crops.burst_id = burst.value"
        " WHERE channel = ? AND state = 'pending' AND remote_id IS NOT NULL ORDER BY pictures.sequence",
        (channel,),
    ).fetchall()
    for row in rows:
        if row["alert_id"] in without:
            continue
        bursts = _bursts_of_newest(database, channel, row["alert_id"])
        if not bursts:
            database.execute("UPDATE pictures SET state = 'withheld' WHERE sequence = ?", (row["sequence"],))
        elif crop := _best_crop(database, bursts):
            return PicturePick(row["alert_id"], row["remote_id"], crop, row["attempts"], bool(row["reached"]))
    return None


def _bursts_of_newest(database: sqlite3.Connection, channel: str, alert_id: str) -> tuple[str, ...]:
    row = database.execute(
        "SELECT event FROM messages WHERE channel = ? AND alert_id = ? ORDER BY revision DESC LIMIT 1",
        (channel, alert_id),
    ).fetchone()
    try:
        return bursts_to_show(AlertRaised.from_bytes(row["event"])) if row is not None else ()
    except PermanentError:
        # Of a newer version of Uncia: nothing is known of it.
        return ()


def _best_crop(database: sqlite3.Connection, bursts: Collection[str]) -> CropReference | None:
    row = database.execute(
        "SELECT crops.* FROM json_each(?) AS burst CROSS JOIN crops ON crops.burst_id = burst.value"
        " ORDER BY score DESC, sequence LIMIT 1",
        (json.dumps(list(bursts)),),
    ).fetchone()
    if row is None:
        return None
    return CropReference(row["crop_id"], row["burst_id"], row["bucket"], row["object_key"], row["sha256"], row["score"])
