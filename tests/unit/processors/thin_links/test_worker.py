"""The worker on a broker in memory and a store that speaks S3: requests reach the list that a gateway reads."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.harness import ALL_TOPICS, MemoryTopics, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.predict.s3_double import S3Double, s3_double
from tests.unit.processors.thin_links.bursts import burst, frame
from uncia.events import BurstResolved, FetchReason, FetchRequested
from uncia.fetch_requests import FetchLine, build_request, fetch_id, parse_requests, request_list_key
from uncia.processors.thin_links.worker import create
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, FETCH_REQUESTED

LIST = request_list_key("ridge")
CAT = burst(frame(1, deciding=True), frame(2), taxon="Panthera uncia")


@pytest.fixture
def double() -> Iterator[S3Double]:
    with s3_double() as (server, _):
        yield server


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, double: S3Double) -> MemoryTopics:
    broker = MemoryBroker()
    install(monkeypatch, broker)
    addresses = double.settings().model_dump(include={"s3_endpoint", "s3_access_key", "s3_secret_key", "bucket"})
    found = MemoryTopics(Settings(_env_file=None, data_dir=tmp_path, fetch_taxa=("Felidae",), **addresses), broker)
    found.create(ALL_TOPICS)
    return found


def listed(double: S3Double) -> tuple[FetchLine, ...]:
    return parse_requests(double.objects.get(LIST, b""))


def request(event: BurstResolved, at: int, *, reason: FetchReason = FetchReason.PERSON) -> FetchRequested:
    return build_request(event, event.frames[at], reason, event.frames[at].predicted_at)


def publish(topics: MemoryTopics, *requests: FetchRequested) -> None:
    for one in requests:
        topics.send(FETCH_REQUESTED, one.camera.encode(), one.to_bytes())


def test_a_wanted_verdict_puts_its_best_frame_on_the_list_once(topics: MemoryTopics, double: S3Double) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            for revision in (1, 2):
                event = CAT.model_copy(update={"revision": revision})
                topics.send(BURST_RESOLVED, event.burst_id.encode(), event.to_bytes())
            publish(topics, request(CAT, 1))
            await worker.wait_until(lambda: len(listed(double)) == 2, "both requests on the list")

    asyncio.run(scenario())
    assert set(listed(double)) == {
        FetchLine(fetch_id(CAT.frames[0].key), by_person=False),
        FetchLine(fetch_id(CAT.frames[1].key), by_person=True),
    }
    assert len(topics.read(FETCH_REQUESTED)) == 2


def test_a_request_that_no_gateway_can_have_is_a_dead_letter(topics: MemoryTopics, double: S3Double) -> None:
    stranger = request(CAT, 0).model_copy(update={"key": "ridge/cam-07/2026/03/14/whole.jpg"})

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, stranger, request(CAT, 1))
            await worker.wait_until(lambda: listed(double), "the other request on the list")

    asyncio.run(scenario())
    assert len(listed(double)) == 1
    assert len(topics.read(DEAD_LETTER)) == 1


def test_a_list_that_another_process_replaced_keeps_both_requests(topics: MemoryTopics, double: S3Double) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            double.hold = 1  # the first PUT fails, and arrives after the second
            publish(topics, request(CAT, 0), request(CAT, 1))
            await worker.wait_until(lambda: len(listed(double)) == 2, "both requests on the list")
            assert double.carry_out_held() == [False]

    asyncio.run(scenario())
    assert len(listed(double)) == 2
