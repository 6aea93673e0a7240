"""Keeps in memory when cameras took photographs and had contact: pages would read each day of each camera."""

import time
from datetime import UTC, date, datetime

from sqlalchemy import Engine, func, select

from uncia.dashboard.catalogue.background import BackgroundThread
from uncia.dashboard.catalogue.camera_effort import CameraHistory, read_history
from uncia.dashboard.catalogue.tables import log_partitions

__all__ = ["HistoryCache"]

_INTERVAL_S = 20.0
_LONGEST_S = 120.0
"""A history that could not be checked for so long is not used."""


class HistoryCache:
    """The history of all cameras, up to 20 seconds old: it changes by the day. Thread-safe."""

    def __init__(self, engine: Engine, *, interval_s: float = _INTERVAL_S) -> None:
        self._engine = engine
        self._thread = BackgroundThread("camera-history", self.refresh, interval_s)
        self._history: CameraHistory | None = None
        self._state: object = None
        self._checked = float("-inf")
        self.start, self.stop = self._thread.start, self._thread.stop

    def current(self) -> CameraHistory | None:
        """The history; None: read the database instead."""
        return self._history if time.monotonic() - self._checked < _LONGEST_S else None

    def refresh(self) -> None:
        """Read the history, if anything was folded since. Raises SQLAlchemy's `DBAPIError`."""
        today = datetime.now(UTC).date()
        with self._engine.begin() as connection:
            offsets = select(func.sum(log_partitions.c.next_offset), func.sum(log_partitions.c.generation))
            state: tuple[date, tuple[object, ...]] = (today, tuple(connection.execute(offsets).one()))
            if state != self._state:
                self._history, self._state = read_history(connection, today), state
        self._checked = time.monotonic()
