"""A worker's consumer: while the broker starts, how it passes messages on, and how long the broker waits for others."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

from uncia.processors.faust_runtime.consumer import (
    BACKLOG_WAIT_MS,
    RewindingConsumer,
    fetch_promptly,
    repeat_coordinator_lookup,
)


class StartingClient:
    """As much of `AIOKafkaClient` as the search of a coordinator uses: its metadata name a broker from the third answer
    on.
    """

    def __init__(self) -> None:
        self.cluster = ClusterMetadata()
        self.answers = 0

    def get_random_node(self) -> int | None:
        return 1 if self.answers >= 2 else None

    async def coordinator_lookup(self, _kind: Any, _key: str) -> int:
        assert self.get_random_node() is not None, "Did we not perform bootstrap?"
        return 7

    async def force_metadata_update(self) -> None:
        self.answers += 1

    async def ready(self, _node: int, *, group: Any) -> bool:
        return True


async def coordinator_of(client: Any) -> int:
    found = GroupCoordinator(client, SubscriptionState(), group_id="uncia-predict", retry_backoff_ms=1)
    try:
        await found.ensure_coordinator_known()
        return int(found.coordinator_id)
    finally:
        found._coordination_task.cancel()


def test_the_coordinator_is_found_as_soon_as_a_broker_has_registered() -> None:
    client = StartingClient()
    repeat_coordinator_lookup(client)
    assert asyncio.run(coordinator_of(client)) == 7


def test_without_the_repetition_the_search_ends() -> None:
    with pytest.raises(AssertionError, match="bootstrap"):
        asyncio.run(coordinator_of(StartingClient()))


def consumer() -> Any:
    """As much of a consumer as waits."""
    made: Any = object.__new__(RewindingConsumer)
    made._stopped, made._crashed, made.loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    return made


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("turns", [0, 3])
def test_a_message_is_passed_on_whether_its_stream_has_a_place_at_once_or_later(turns: int) -> None:
    async def deliver() -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        return "delivered"

    async def passed_on() -> list[str]:
        return list((await consumer().wait_first(deliver(), asyncio.Event().wait())).results)

    assert asyncio.run(passed_on()) == ["delivered"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("turns", [0, 3])
def test_what_fails_while_a_message_is_passed_on_fails_the_consumer(turns: int) -> None:
    async def fail() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ValueError("no such stream")

    async def passed_on() -> None:
        await consumer().wait_first(fail(), asyncio.Event().wait())

    with pytest.raises(ValueError, match="no such stream"):
        asyncio.run(passed_on())


def test_a_message_that_waits_is_given_up_when_the_flow_is_suspended() -> None:
    async def suspended() -> bool:
        delivery = asyncio.ensure_future(asyncio.Event().wait())
        await consumer().wait_first(delivery, asyncio.sleep(0))
        await asyncio.wait({delivery}, timeout=5)
        return delivery.cancelled()

    assert asyncio.run(suspended())


def waits_of(records: dict[str, object]) -> list[int]:
    """The longest waits that a fetcher requests, first without messages and then with these."""
    fetcher: Any = SimpleNamespace(_fetch_max_wait_ms=1500, _records={})
    fetcher._get_actions_per_node = lambda _assignment: fetcher._fetch_max_wait_ms
    fetch_promptly(fetcher)
    before = fetcher._get_actions_per_node(None)
    fetcher._records = records
    return [before, fetcher._get_actions_per_node(None)]


def test_while_a_backlog_is_worked_off_the_broker_is_not_asked_to_wait_for_other_messages() -> None:
    assert waits_of({"predicted, partition 0": object()}) == [1500, BACKLOG_WAIT_MS]


def test_an_idle_worker_has_the_broker_wait() -> None:
    assert waits_of({}) == [1500, 1500]
