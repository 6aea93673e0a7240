"""Changes of the catalogue in the order in which bursts were revised, as the live feed reads them."""

import threading
from collections.abc import Sequence

from uncia.dashboard.catalogue.filters import BurstFilter, BurstOrder
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.rows import BurstRow
from uncia.dashboard.web.change_feed import FeedChange

__all__ = ["CatalogueChanges"]

_OVERLAP_MS = 60_000
"""A partition that is folded later than another has revisions that are older than the newest one."""
_PAGE = 100
_KEPT = 20_000

_ALL = BurstFilter(statuses=("provisional", "final", "revised", "superseded"))


class CatalogueChanges:
    """Numbers the revisions of the catalogue. Thread-safe; one per process.

    The number is the time of the revision in milliseconds, so that it means the same after a restart. A revision that
    becomes visible late has a number below the newest one; it is then numbered as if it were new.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, str | None], int] = {}
        self._last = 0

    def newest(self) -> int:
        """The number of the newest change; 0 in an empty catalogue."""
        rows = self._catalogue.bursts(_ALL, BurstOrder.UPDATED, 1).rows
        with self._lock:
            if rows and not self._last:
                self._last = _moment(rows[0])
                self._note(self._rows_since(self._last - _OVERLAP_MS))
            return self._last

    def read(self, after: int, limit: int) -> Sequence[FeedChange]:
        """Changes after a number, in order."""
        with self._lock:
            self._note(self._rows_since(after - _OVERLAP_MS))
            found = sorted((number, key[0]) for key, number in self._seen.items() if number > after)
            while len(self._seen) > _KEPT:
                del self._seen[next(iter(self._seen))]
        return [FeedChange(number, burst_id) for number, burst_id in found[:limit]]

    def _note(self, rows: list[BurstRow]) -> None:
        newest, starting = self._last, not self._seen
        for row in reversed(rows):
            key = (row.burst_id, row.revision, row.reviewer if row.reviewed else None)
            if key not in self._seen:
                first = starting and _moment(row) <= newest
                self._seen[key] = _moment(row) if first or _moment(row) > self._last else self._last + 1
                self._last = max(self._last, self._seen[key])

    def _rows_since(self, moment: int) -> list[BurstRow]:
        rows: list[BurstRow] = []
        after = None
        while len(rows) < _KEPT:
            page = self._catalogue.bursts(_ALL, BurstOrder.UPDATED, _PAGE, after)
            recent = [row for row in page.rows if _moment(row) > moment]
            rows += recent
            after = page.after
            if after is None or len(recent) < len(page.rows):
                break
        return rows


def _moment(row: BurstRow) -> int:
    return int(row.updated_at.timestamp() * 1000)
