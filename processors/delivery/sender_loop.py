"""The thread of a channel: one step after the other until it is stopped, and a wait after a failure."""

import sqlite3
import threading
from abc import ABC, abstractmethod

import structlog

from uncia.backoff import Backoff
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.loop_failures import STORAGE_BACKOFF, described

__all__ = ["BACKOFF", "IDLE_S", "SenderLoop"]

BACKOFF = Backoff(first_s=1, max_s=900)
"""With 100 tries, the default, a message is given up after about 16 hours."""
IDLE_S = 5.0
"""Interval in which the outbox is read without a reason: `uncia channels retry` is another process."""

log = structlog.get_logger("uncia")


class SenderLoop(ABC):
    """A thread that repeats `step`. What it waits for delays no other channel."""

    def __init__(self, channel: Channel, what: str) -> None:
        """`what`: what is sent, `channel` or `pictures`, for the log."""
        self.channel = channel
        self._what = what
        self._stop, self._wake = threading.Event(), threading.Event()
        # A daemon: what it sends at a stop may take as long as the channel's limit. Sending again later is harmless.
        self._thread = threading.Thread(target=self._run, name=f"{what} {channel.name}", daemon=True)

    @abstractmethod
    def step(self) -> float:
        """Send one thing if one is due. Returns the seconds until the next one may be, 0 for now."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look into the outbox now."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing further."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end of what is being sent. Returns whether the thread has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                wait_s = self.step()
                failures = 0
            except sqlite3.Error as error:
                failures += 1
                wait_s = STORAGE_BACKOFF.delay_s(failures)
                log.warning("outbox_unavailable", channel=self.channel.name, error=str(error))
            except Exception as error:
                # Such as a row that cannot be read: the thread must not end without a word.
                failures += 1
                wait_s = BACKOFF.delay_s(failures)
                log.error(f"{self._what}_failed", channel=self.channel.name, error=described(error))
            if wait_s > 0:
                self._wake.wait(min(wait_s, IDLE_S))
                self._wake.clear()
