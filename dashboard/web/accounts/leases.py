"""Leases of bursts: of several reviewers, one at a time gets a burst."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine, delete, insert, or_, update
from sqlalchemy.exc import IntegrityError

from uncia.dashboard.web.accounts.tables import LEASE

__all__ = ["LeaseStore"]

LEASE_S = 300.0


class LeaseStore:
    """Leases in the database of the accounts, so that several web processes share them. Thread-safe.

    A lease ends by itself; a reviewer who is still at work renews it.
    """

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def take(self, account_id: int, bursts: Sequence[str], most: int) -> list[str]:
        """Lease up to `most` of these bursts, in their order, without those that another account holds."""
        taken: list[str] = []
        for burst in bursts:
            if len(taken) == most:
                break
            if self._take(account_id, burst):
                taken.append(burst)
        return taken

    def release(self, account_id: int, bursts: Sequence[str] | None = None) -> None:
        """End leases of an account: of these bursts, or all."""
        statement = delete(LEASE).where(LEASE.c.account_id == account_id)
        if bursts is not None:
            statement = statement.where(LEASE.c.burst_id.in_(bursts))
        with self._engine.begin() as connection:
            connection.execute(statement)

    def _take(self, account_id: int, burst: str) -> bool:
        now = self._now()
        with self._engine.begin() as connection:
            # One statement decides, so that of two at the same moment one wins.
            renewed = connection.execute(
                update(LEASE)
                .where(LEASE.c.burst_id == burst, or_(LEASE.c.account_id == account_id, LEASE.c.until <= now))
                .values(account_id=account_id, until=now + LEASE_S)
            )
            if renewed.rowcount:
                return True
            try:
                with connection.begin_nested():
                    connection.execute(insert(LEASE).values(burst_id=burst, account_id=account_id, until=now + LEASE_S))
            except IntegrityError:
                return False
            return True
