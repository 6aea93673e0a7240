"""A worker's consumer: while the broker starts, and how long it has the broker wait for messages."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

from uncia.processors.faust_runtime.consumer import (
    BACKLOG_WAIT_MS,
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


def waits_of(records: dict[str, object]) -> list[int]:
    """The longest waits that a fetcher asks for, first without messages and then with these."""
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
