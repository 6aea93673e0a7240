"""The sliding window: many at once, settled in order."""

import asyncio
from collections.abc import Sequence

import pytest

from uncia.processors.predict.ordered_pipeline import OrderedPipeline


class Bench:
    """Work that finishes when the test says so."""

    def __init__(self, size: int) -> None:
        self.done: dict[int, asyncio.Future[str]] = {}
        self.settled: list[int] = []
        self.failures: list[Exception] = []
        self.pipeline: OrderedPipeline[int, str] = OrderedPipeline(size, self._work, self._settle, self._failed)

    async def _work(self, item: int) -> str:
        self.done[item] = asyncio.get_running_loop().create_future()
        return await self.done[item]

    async def _settle(self, finished: Sequence[tuple[int, str]]) -> None:
        self.settled += [item for item, _ in finished]

    async def _failed(self, error: Exception) -> None:
        self.failures.append(error)


async def quiet() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_finishes_early_waits_for_those_before_it() -> None:
    async def scene() -> None:
        bench = Bench(3)
        for item in (1, 2, 3):
            await bench.pipeline.add(item)
        await quiet()
        bench.done[2].set_result("")
        bench.done[3].set_result("")
        await quiet()
        assert bench.settled == []
        bench.done[1].set_result("")
        await quiet()
        assert bench.settled == [1, 2, 3]
        await bench.pipeline.close()

    asyncio.run(scene())


def test_no_more_than_its_size_are_in_work() -> None:
    async def scene() -> None:
        bench = Bench(2)
        for item in (1, 2):
            await bench.pipeline.add(item)
        third = asyncio.create_task(bench.pipeline.add(3))
        await quiet()
        assert sorted(bench.done) == [1, 2]
        bench.done[1].set_result("")
        await third
        await quiet()
        assert sorted(bench.done) == [1, 2, 3]
        await bench.pipeline.close()

    asyncio.run(scene())


def test_a_failure_ends_the_window_and_settles_nothing_behind_it() -> None:
    async def scene() -> None:
        bench = Bench(2)
        for item in (1, 2):
            await bench.pipeline.add(item)
        await quiet()
        bench.done[2].set_result("")
        bench.done[1].set_exception(ValueError("broken"))
        await quiet()
        assert bench.settled == []
        assert [str(error) for error in bench.failures] == ["broken"]
        with pytest.raises(ValueError, match="broken"):
            await bench.pipeline.add(3)
        await bench.pipeline.close()

    asyncio.run(scene())


def test_closing_drops_what_is_not_settled() -> None:
    async def scene() -> None:
        bench = Bench(2)
        await bench.pipeline.add(1)
        await quiet()
        await bench.pipeline.close()
        assert bench.settled == []
        assert bench.done[1].cancelled()

    asyncio.run(scene())
