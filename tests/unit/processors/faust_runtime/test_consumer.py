"""A worker's consumer while the broker starts."""

import asyncio
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

from uncia.processors.faust_runtime.consumer import repeat_coordinator_lookup


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
