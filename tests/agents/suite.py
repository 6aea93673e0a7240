"""What every worker's agent guarantees, on any broker. A subclass names its worker and the topics of it.

The classes are collected where they are subclassed: in tests/unit/processors/test_agents_in_memory.py, and in
tests/stack/test_agents_on_kafka.py. Each of these modules has the fixture `topics`.
"""

import asyncio
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.agents.harness import Outage, Topics, running
from uncia.kafka.broker import Message
from uncia.kafka.partitioning import partition_of
from uncia.processors.faust_runtime.app import group_name
from uncia.topics import DEAD_LETTER, Topic


def camera(number: int) -> str:
    """The camera of the photograph with that number."""
    return f"ridge/cam-{number}"


class AgentSuite:
    """The tests. Photographs are numbered, and each belongs to another camera."""

    worker: ModuleType
    """The module with `create(settings)`."""
    name: str
    reads: Topic
    writes: Topic
    dead_letters = True
    """False for a worker that reads a topic together with another one, which writes the dead letters of it."""

    def input(self, number: int) -> bytes:
        """A valid input message."""
        raise NotImplementedError

    def is_output_of(self, number: int, message: Message) -> bool:
        """Whether a message is an output for the input with this number."""
        raise NotImplementedError

    def outputs(self, topics: Topics, number: int) -> list[Message]:
        """The output messages for an input so far."""
        return [message for message in topics.read(self.writes) if self.is_output_of(number, message)]

    def send(self, topics: Topics, number: int) -> Message:
        """Send a valid message to the input topic."""
        return topics.send(self.reads, camera(number).encode(), self.input(number))

    def commits(self, topics: Topics, message: Message) -> Callable[[], bool]:
        """A condition: the group has committed the offset behind this message."""
        group = group_name(self.name, topics.settings)
        return lambda: topics.committed(group, self.reads, message.partition) > message.offset

    def test_the_output_is_in_the_partition_of_its_camera_and_the_input_is_committed(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                sent = self.send(topics, 1)
                await worker.wait_until(self.commits(topics, sent), "a commit")
                # Committed only after it was published: no further waiting.
                published = self.outputs(topics, 1)
            assert published
            assert {message.partition for message in published} == {partition_of(camera(1), topics.settings.partitions)}

        asyncio.run(scenario())

    def test_an_invalid_message_is_skipped_and_committed(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                topics.send(self.reads, camera(1).encode(), b"not an event", [("trace", b"17")])
                sent = self.send(topics, 1)
                await worker.wait_until(self.commits(topics, sent), "a commit")
                assert self.outputs(topics, 1)
            dead_letters = topics.read(DEAD_LETTER)
            assert len(dead_letters) == (1 if self.dead_letters else 0)
            for dead_letter in dead_letters:
                assert (dead_letter.key, dead_letter.value) == (camera(1).encode(), b"not an event")
                assert dict(dead_letter.headers)["trace"] == b"17"

        asyncio.run(scenario())

    def test_a_restarted_worker_resumes_at_the_committed_offset(self, topics: Topics) -> None:
        async def scenario() -> None:
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, self.send(topics, 1)), "a commit")
                before = len(self.outputs(topics, 1))
            second = self.send(topics, 2)
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, second), "a commit of the second run")
            assert self.outputs(topics, 2)
            assert len(self.outputs(topics, 1)) == before

        asyncio.run(scenario())

    def test_an_input_is_committed_only_after_its_output_is_published(
        self, topics: Topics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def scenario() -> None:
            outage = Outage.of(self.writes.full_name(topics.settings), monkeypatch)
            async with running(self.worker.create, topics.settings) as worker:
                sent = self.send(topics, 1)
                await worker.wait_until(lambda: outage.refused > 1, "a second attempt to publish")
                assert not self.commits(topics, sent)()
            assert not self.outputs(topics, 1)
            assert not self.commits(topics, sent)()

            outage.active = False
            async with running(self.worker.create, topics.settings) as worker:
                await worker.wait_until(self.commits(topics, sent), "a commit of the second run")
            assert self.outputs(topics, 1)

        asyncio.run(scenario())
