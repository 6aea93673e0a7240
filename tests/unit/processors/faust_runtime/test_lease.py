"""What a worker may write after it was suspended."""

import asyncio
from typing import Any

import pytest

from uncia.processors.faust_runtime.lease import Lease


class Moment:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Ended(Exception):
    """The process would be gone."""


def end() -> None:
    raise Ended


class Coordinator:
    """Accepts or refuses heartbeats, as the test sets it."""

    def __init__(self) -> None:
        self.member_id = "me"
        self.answer = True

    async def _do_heartbeat(self) -> bool:
        if not self.answer:
            self.member_id = ""
        return self.answer


class ProduceRequest:
    """A double of aiokafka's class."""


class Client:
    """Records what was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, node_id: int, request: Any, **_: Any) -> None:
        self.sent.append(request)


@pytest.fixture
def clock() -> Moment:
    return Moment()


@pytest.fixture
def lease(clock: Moment) -> Lease:
    return Lease(6, clock=clock, end=end)


def test_a_lease_holds_for_a_session_from_the_sending_of_the_heartbeat_that_was_answered(
    lease: Lease, clock: Moment
) -> None:
    lease.renew(100)
    clock.now = 105.9
    assert lease.holds
    clock.now = 106
    assert not lease.holds


def test_a_member_that_is_unknown_after_its_session_ends_at_once(lease: Lease, clock: Moment) -> None:
    coordinator = Coordinator()
    lease.renew(100)
    lease._follow_heartbeats(coordinator)
    clock.now, coordinator.answer = 130, False
    with pytest.raises(Ended):
        asyncio.run(coordinator._do_heartbeat())


def test_a_member_that_is_unknown_while_its_lease_holds_joins_again(lease: Lease, clock: Moment) -> None:
    coordinator = Coordinator()
    lease.renew(100)
    lease._follow_heartbeats(coordinator)
    clock.now, coordinator.answer = 102, False
    assert asyncio.run(coordinator._do_heartbeat()) is False


def test_nothing_is_produced_after_the_session_until_a_heartbeat_is_answered(lease: Lease, clock: Moment) -> None:
    client, coordinator = Client(), Coordinator()
    lease._follow_heartbeats(coordinator)
    lease._fence_producer(client)

    async def story() -> None:
        sending = asyncio.create_task(client.send(1, ProduceRequest()))
        await asyncio.sleep(0)
        assert client.sent == []
        await coordinator._do_heartbeat()
        await sending

    asyncio.run(story())
    assert len(client.sent) == 1


def test_other_requests_are_sent_regardless_of_the_lease(lease: Lease) -> None:
    client = Client()
    lease._fence_producer(client)
    asyncio.run(client.send(1, "metadata"))
    assert client.sent == ["metadata"]


def test_following_twice_wraps_once(lease: Lease) -> None:
    coordinator = Coordinator()
    lease._follow_heartbeats(coordinator)
    once = coordinator._do_heartbeat
    lease._follow_heartbeats(coordinator)
    assert coordinator._do_heartbeat is once
