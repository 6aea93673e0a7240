"""The live feed: every viewer gets every change after its position, however far back it begins."""

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from uncia.dashboard.catalogue.rows import BurstChange
from uncia.dashboard.web.change_feed import Change, ChangeFeed

WITHIN_S = 20


class Changes:
    """Stands for the catalogue."""

    def __init__(self) -> None:
        self.all: list[BurstChange] = []
        self.fail = False

    def read(self, after: int, limit: int) -> Sequence[BurstChange]:
        if self.fail:
            raise OSError("the database is away")
        found = [change for change in self.all if change.number > after]
        end = found[:limit][-1].number if found else 0
        return [change for change in found if change.number <= end]

    def newest(self) -> int:
        return self.all[-1].number if self.all else 0

    def add(self, number: int, *bursts: str) -> None:
        self.all += [BurstChange(number, burst) for burst in bursts]


async def take(feed: ChangeFeed, count: int, after: int | None) -> list[tuple[Change, int | None]]:
    found = []
    async with asyncio.timeout(WITHIN_S):
        async for pair in feed.follow(after):
            found.append(pair)
            if len(found) == count:
                break
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_each_viewer_gets_every_change_after_its_position(sizes: list[int], early: int, start: int) -> None:
    changes = Changes()
    groups = [[f"bst-{number}-{one}" for one in range(size)] for number, size in enumerate(sizes, 1)]
    for number, group in list(enumerate(groups, 1))[:early]:
        changes.add(number, *group)

    async def follow() -> None:
        feed = ChangeFeed(changes.read, changes.newest, interval_s=0.001)
        running = asyncio.create_task(feed.run())
        after = min(start, changes.newest())
        expected = [burst for number, group in enumerate(groups, 1) for burst in group if number > after]
        reader = asyncio.create_task(take(feed, len(expected), after)) if expected else None
        await asyncio.sleep(0)
        for number, group in list(enumerate(groups, 1))[early:]:
            changes.add(number, *group)
        if reader is not None:
            found = await reader
            assert [getattr(change, "burst_id", "") for change, _ in found] == expected
            # Only the last change of a number has a position.
            assert [position for _, position in found if position is not None] == [*range(after + 1, len(groups) + 1)]
        running.cancel()

    asyncio.run(follow())


def test_a_database_that_was_away_delays_changes_and_loses_none() -> None:
    changes = Changes()
    changes.add(1, "bst-old")

    async def follow() -> None:
        feed = ChangeFeed(changes.read, changes.newest, interval_s=0.001)
        running = asyncio.create_task(feed.run())
        reader = asyncio.create_task(take(feed, 2, 1))
        await feed._started.wait()
        changes.fail = True
        changes.add(2, "bst-a")
        changes.add(3, "bst-b")
        await asyncio.sleep(0.02)
        assert not reader.done()
        changes.fail = False
        assert [getattr(change, "burst_id", "") for change, _ in await reader] == ["bst-a", "bst-b"]
        running.cancel()

    asyncio.run(follow())


def test_a_viewer_that_reconnects_from_before_what_is_in_memory_reads_the_database() -> None:
    changes = Changes()

    async def follow() -> None:
        feed = ChangeFeed(changes.read, changes.newest, interval_s=0.001)
        running = asyncio.create_task(feed.run())
        await feed._started.wait()
        for number in range(1, 4001):
            changes.add(number, f"bst-{number}")
        found = await take(feed, 4000, 0)
        assert [change.number for change, _ in found] == list(range(1, 4001))
        again = await take(feed, 4000, 0)
        assert again == found
        running.cancel()

    asyncio.run(follow())
