"""Events of alerts that this program cannot read, such as those of a newer version: what can be known of them. Pure."""

import contextlib
import json
from dataclasses import dataclass
from typing import Any, TypeGuard

from uncia.kafka.broker import Message

__all__ = ["UnreadableAlert", "unreadable_alert"]

_LONGEST_ID = 1024
_MOST_CHANNELS = 100


@dataclass(frozen=True)
class UnreadableAlert:
    """An event of an alert that is kept as it came, until a version of Uncia that reads it tries it again."""

    alert_id: str
    revision: int
    withdrawn: bool
    channels: tuple[str, ...]
    """The channels that its rule names, as far as they can be read."""
    event: bytes
    reason: str


def unreadable_alert(message: Message, value: bytes, reason: str) -> UnreadableAlert:
    """What can be read of an event. One without a valid id and revision is known by its place in the log."""
    found: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(value)
    body: dict[str, Any] = found if isinstance(found, dict) else {}
    alert_id, revision, named = body.get("alert_id"), body.get("revision"), body.get("channels")
    if not _is_id(alert_id) or not _is_revision(revision):
        alert_id, revision = f"{message.topic}/{message.partition}@{message.offset}", 1
    names = named[:_MOST_CHANNELS] if isinstance(named, list) else []
    return UnreadableAlert(
        alert_id=alert_id,
        revision=revision,
        withdrawn=body.get("state") == "withdrawn",
        channels=tuple(name for name in names if isinstance(name, str)),
        event=value,
        reason=f"this version of Uncia cannot read the event: {reason}"[:500],
    )


def _is_id(value: object) -> TypeGuard[str]:
    # JSON can name half of a surrogate pair, which SQLite cannot store.
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isascii()


def _is_revision(value: object) -> TypeGuard[int]:
    # `True` is an integer in Python, and SQLite has 64 bits.
    return type(value) is int and 0 < value < 2**63
