"""What the loops of a channel have in common where something fails that is not the receiver."""

import sqlite3
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import structlog

from uncia.backoff import Backoff

__all__ = ["STORAGE_BACKOFF", "described", "write_until_stored"]

STORAGE_BACKOFF = Backoff(first_s=0.5, max_s=30)

log = structlog.get_logger("uncia")


def write_until_stored(write: Callable[[], None], channel: str, stop: threading.Event) -> None:
    """Write what became of something that was sent, until it works or `stop` is set.

    A full disk must not have it sent again and again.
    """
    failures = 0
    while True:
        try:
            write()
            return
        except sqlite3.Error as error:
            failures += 1
            log.warning("outbox_unavailable", channel=channel, error=str(error))
            if stop.wait(STORAGE_BACKOFF.delay_s(failures)):
                return


def described(error: Exception) -> str:
    """Where an error came from, without its text and without local values: they could contain a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"internal error {type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
