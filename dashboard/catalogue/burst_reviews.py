"""Which reviews a burst has: its own, and one of an earlier burst that had some of its photographs.

A burst that is regrouped, or promoted from a replay with other groups, can get another id. Its event then names the
review that it takes over (`bursts.event_review_id`), while that review itself names the earlier burst.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from uncia.dashboard.catalogue.changes import Row
from uncia.dashboard.catalogue.tables import bursts, reviews
from uncia.events import ReviewDecision

__all__ = ["bursts_of_reviews", "reviews_of", "select_in"]

_CHUNK = 500


def reviews_of(connection: Connection, named: Mapping[str, str | None]) -> dict[str, list[Row]]:
    """The reviews of bursts, by burst; without those that have none. A function of the tables alone.

    `named`: the bursts, with the review that the newest event of each names.

    A burst has the reviews of its id, the one that its event names, and those that these name in `supersedes`: undoing
    an undo brings such a one back. A review of an earlier burst can also be undone under the id of that burst. An undo
    under the id of one part of a burst that was split leaves the other part as it is.
    """
    own = select_in(connection, select(reviews), reviews.c.burst_id, named)
    linked = _Links(connection, own, {review for review in named.values() if review is not None})
    found: dict[str, list[Row]] = {}
    starts: dict[str, list[Row]] = defaultdict(list)
    for review in own:
        starts[review["burst_id"]].append(review)
    for burst, review_id in named.items():
        start = [*starts.get(burst, ()), *linked.by_id(review_id)]
        if start:
            found[burst] = linked.of_burst(burst, start)
    return found


def bursts_of_reviews(connection: Connection, review_ids: Iterable[str]) -> set[str]:
    """The bursts whose reviews depend on these ones."""
    linked = _Links(connection, (), set(review_ids)).reviews
    named = select_in(connection, select(bursts.c.burst_id), bursts.c.event_review_id, linked)
    return {review["burst_id"] for review in linked.values()} | {row["burst_id"] for row in named}


class _Links:
    """Reviews, with all that are linked to them by `supersedes` in either direction."""

    def __init__(self, connection: Connection, known: Iterable[Row], wanted: set[str]) -> None:
        self.reviews: dict[str, Row] = {review["review_id"]: review for review in known}
        self._undoing: dict[str, list[Row]] = defaultdict(list)
        new: Sequence[Row] = list(self.reviews.values())
        while new or wanted:
            wanted |= {review["supersedes"] for review in new if review["supersedes"] is not None}
            ids = {review["review_id"] for review in new} | wanted
            before = set(self.reviews)
            rows = [
                *select_in(connection, select(reviews), reviews.c.review_id, wanted - before),
                *select_in(connection, select(reviews), reviews.c.supersedes, ids),
            ]
            self.reviews |= {row["review_id"]: row for row in rows}
            new = [self.reviews[review_id] for review_id in self.reviews.keys() - before]
            wanted = set()
        for review in self.reviews.values():
            if review["decision"] == ReviewDecision.UNDO.value and review["supersedes"] is not None:
                self._undoing[review["supersedes"]].append(review)

    def by_id(self, review_id: str | None) -> tuple[Row, ...]:
        """The review of an id, if it was read."""
        return (self.reviews[review_id],) if review_id in self.reviews else ()

    def of_burst(self, burst: str, start: Iterable[Row]) -> list[Row]:
        """What a burst has, from its own reviews and the one that its event names; see `reviews_of`."""
        found: dict[str, Row] = {}
        waiting = list(start)
        while waiting:
            review = waiting.pop()
            if review["review_id"] in found:
                continue
            found[review["review_id"]] = review
            waiting += self.by_id(review["supersedes"])
            if review["burst_id"] != burst:
                undoing = self._undoing.get(review["review_id"], ())
                waiting += [other for other in undoing if other["burst_id"] == review["burst_id"]]
        return list(found.values())


def select_in(connection: Connection, statement: Any, column: Any, values: Iterable[str]) -> list[Row]:
    """The rows of a statement in which a column has one of these values, a part of the values at a time."""
    ordered = sorted(values)
    return [
        row
        for start in range(0, len(ordered), _CHUNK)
        for row in connection.execute(statement.where(column.in_(ordered[start : start + _CHUNK]))).mappings()
    ]
