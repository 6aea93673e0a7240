"""A thread that does something again and again while the dashboard runs."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import DBAPIError

__all__ = ["BackgroundThread"]

log = structlog.get_logger(__name__)


class BackgroundThread:
    """Calls a function, waits, and calls it again, until stopped. An unavailable database is logged once."""

    def __init__(self, name: str, step: Callable[[], None], interval_s: float) -> None:
        self._name, self._step, self._interval_s = name, step, interval_s
        self.stopping = threading.Event()
        """For steps that take long: set when they should return."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self.stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, if it runs, and wait for its end."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        available = True
        while not self.stopping.is_set():
            try:
                self._step()
                available = True
            except DBAPIError as error:
                # There is no catalogue yet, or its server is away: pages say so, too.
                if available:
                    log.info("background_waits", thread=self._name, error=str(error.orig))
                available = False
            self.stopping.wait(self._interval_s)
