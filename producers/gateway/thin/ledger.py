"""The book of the bytes that a thin link has carried, in the spool's file."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import SpoolFull
from uncia.producers.gateway.thin.budget import DailyBudget, day_of
from uncia.producers.gateway.thin.plan import Spent

_LEASE_BYTES = 16 * 1024
_LEASES_A_DAY = 50
"""A lease is not larger than this fraction of a day's budget: what a crash leaves of one counts as spent."""


class BudgetUsedUp(Exception):
    """The budget of this day permits no further byte."""


class Purpose(StrEnum):
    """What the bytes were for."""

    THUMBNAIL = "thumbnail"
    PHOTOGRAPH = "photograph"
    POLL = "poll"


@dataclass
class _Lease:
    day: str
    purpose: Purpose
    left: int


class Ledger:
    """Grants bytes of a UTC day, never more than its budget. Safe for use by several threads.

    Bytes are leased: a lease is on disk as spent before its first byte moves, and the rest of it is given back when a
    transfer ends (`settle`). A day is that of this machine's clock when the byte moves.
    """

    def __init__(self, spool: Spool, budget: DailyBudget, clock: Callable[[], float]) -> None:
        self.budget = budget
        self._spool = spool
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: _Lease | None = None
        self._purpose = Purpose.POLL
        self._lease_bytes = max(1, min(_LEASE_BYTES, budget.limit // _LEASES_A_DAY))

    def begin(self, purpose: Purpose) -> None:
        """What follows is for this purpose. One transfer at a time."""
        self.settle()
        with self._lock:
            self._purpose = purpose

    def take(self, count: int) -> None:
        """Spend bytes that are about to move. Raises `BudgetUsedUp`; then none may move."""
        with self._lock:
            day = day_of(self._clock())
            if self._lease is not None and self._lease.day != day:
                self._give_back()
            lease = self._lease or _Lease(day, self._purpose, 0)
            if lease.left < count:
                wanted = count - lease.left
                granted = self._book(day, max(wanted, self._lease_bytes), repeated=False)
                lease.left += granted
                self._lease = lease
                if granted < wanted:
                    raise BudgetUsedUp
            lease.left -= count

    def put_back(self, count: int) -> None:
        """Return bytes that were taken a moment ago and did not move."""
        with self._lock:
            if self._lease is not None:
                self._lease.left += count

    def take_repeated(self, count: int) -> None:
        """Spend bytes that the kernel has sent once more. Raises `BudgetUsedUp` when even the margin is used up."""
        with self._lock:
            if count and self._book(day_of(self._clock()), count, repeated=True) < count:
                raise BudgetUsedUp

    def settle(self) -> None:
        """Give back what is left of the lease."""
        with self._lock:
            self._give_back()

    def spent(self, day: str | None = None) -> Spent:
        """What was spent or leased on a day; by default today."""
        rows = self._spool.rows("SELECT purpose, bytes FROM link_bytes WHERE day = ?", (day or day_of(self._clock()),))
        by_purpose = {row["purpose"]: row["bytes"] for row in rows}
        return Spent(sum(by_purpose.values()), by_purpose.get(Purpose.THUMBNAIL, 0), by_purpose.get(Purpose.POLL, 0))

    def _book(self, day: str, asked: int, *, repeated: bool) -> int:
        try:
            with self._spool.transaction() as database:
                row = database.execute("SELECT sum(bytes) FROM link_bytes WHERE day = ?", (day,)).fetchone()
                granted = self.budget.grant(asked, row[0] or 0, repeated=repeated)
                if granted:
                    self._add(database, day, self._purpose, granted)
                return granted
        except SpoolFull:
            return 0  # what cannot be booked must not move

    def _give_back(self) -> None:
        lease, self._lease = self._lease, None
        if lease is None or not lease.left:
            return
        try:
            with self._spool.transaction() as database:
                self._add(database, lease.day, lease.purpose, -lease.left)
        except SpoolFull:
            return  # it counts as spent

    @staticmethod
    def _add(database: sqlite3.Connection, day: str, purpose: Purpose, count: int) -> None:
        database.execute(
            "INSERT INTO link_bytes VALUES (?, ?, ?) ON CONFLICT (day, purpose) DO UPDATE SET bytes = bytes + ?",
            (day, purpose.value, count, count),
        )
