"""The whole worker on a broker in memory: no public byte says what must not be known, and restarts change nothing."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.agents.harness import ALL_TOPICS, LIMIT_S, MemoryTopics, Outage, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.redact.simulated import burst, cell_of_cameras, review, simulated_year
from uncia.events import BurstCategory, BurstResolved, DeploymentChanged, PublicBurstResolved, ReviewDecision
from uncia.kafka.broker import Message
from uncia.processors.redact import worker as redact
from uncia.processors.redact.worker import RedactWorker, create
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, PUBLIC_BURST_RESOLVED, REDACT_STATE

CAMERAS = cell_of_cameras(5)


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryTopics]:
    """All topics, in memory, with the deployments of five cameras in one cell."""
    broker = MemoryBroker()
    install(monkeypatch, broker)
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path,
        public_delay_least_s=0,
        public_delay_most_s=0.2,
        public_interval_s=0.1,
        public_delay_from_day_end=False,
    )
    with closing_deployment_readers(monkeypatch):
        found = MemoryTopics(settings, broker)
        found.create(ALL_TOPICS)
        for one in CAMERAS:
            found.send(DEPLOYMENT_CHANGED, one.message_key, one.to_bytes())
        yield found


def publish(topics: MemoryTopics, *bursts: BurstResolved) -> None:
    for one in bursts:
        topics.send(BURST_RESOLVED, one.burst_id.encode(), one.to_bytes())


def public(topics: MemoryTopics) -> list[Message]:
    return topics.read(PUBLIC_BURST_RESOLVED)


def spellings(degrees: float) -> set[bytes]:
    """A coordinate as programs write it: decimal, with minutes, with seconds, with a comma, scaled."""
    whole, minutes = int(abs(degrees)), abs(degrees) % 1 * 60
    found = {f"{degrees:.{digits}f}" for digits in range(3, 16)}
    found |= {text.replace(".", ",") for text in found} | {text.replace(".", "") for text in found}
    found |= {f"{minutes:07.4f}", f"{minutes:.3f}", f"{whole}°{int(minutes)}", f"{whole}d{int(minutes)}"}
    found |= {f"{minutes % 1 * 60:.{digits}f}" for digits in (2, 3, 4)}
    return {text.encode() for text in found}


def forbidden(bursts: list[BurstResolved], cameras: list[DeploymentChanged]) -> set[bytes]:
    """What no public byte may contain."""
    words: set[bytes] = {
        b"ridge",
        b"cam-",
        b"IMG_",
        b".JPG",
        b"camera-uploads",
        b"aigul",
        b"rev-77",
        b"0.8731",
        b"0.91",
    }
    words |= {b"SN-HC600", b"8812734", b"species_classifier", b"log-odds", b"set-9d1f", b"a label", b"7.25", b"dep-"}
    for one in cameras:
        words |= {one.camera.encode(), one.deployment_id.encode(), *spellings(one.latitude), *spellings(one.longitude)}
    for each in bursts:
        words |= {each.burst_id.encode(), each.frames[0].image_id.encode(), each.frames[0].upload_id.encode()}
        words |= {
            each.frames[0].key.encode(),
            f"{each.started_at:%H:%M}".encode(),
            f"{each.started_at:%H%M%S}".encode(),
        }
        words |= {str(int(moment.timestamp())).encode() for moment in (each.started_at, each.ended_at)}
        assert each.closed_at is not None
        words |= {f"{each.closed_at:%H:%M}".encode(), str(int(each.closed_at.timestamp())).encode()}
    return words


def every_public_byte(messages: list[Message]) -> list[bytes]:
    """Keys, values, headers, timestamps in milliseconds and seconds, and partitions."""
    found = []
    for message in messages:
        found += [message.key or b"", message.value or b"", str(message.timestamp_ms).encode()]
        found += [part for name, data in message.headers for part in (name.encode(), data)]
    return found


def test_no_public_byte_says_what_must_not_be_known(topics: MemoryTopics) -> None:
    bursts = simulated_year(CAMERAS, seed=5, per_camera=12)
    bursts += [
        burst("bst-uncia", taxon="Panthera uncia"),
        burst("bst-person", category=BurstCategory.PERSON),
        burst("bst-reviewed", review=review(ReviewDecision.CORRECT, "Vulpes vulpes")),
        burst("bst-free", review=review(ReviewDecision.CORRECT, "ridge/cam-1 at 42.1171, IMG_7731")),
    ]

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, *bursts)
            await worker.wait_until(lambda: len(public(topics)) == len(bursts) - 2, "all public events")

    asyncio.run(scenario())
    messages = public(topics)
    assert {message.partition for message in messages} == {0}
    assert all(message.headers == [] for message in messages)
    assert all(message.timestamp_ms % 86_400_000 == 0 for message in messages)
    words, whole = forbidden(bursts, CAMERAS), every_public_byte(messages)
    # The ids are random hexadecimal digits, in which a short number can be found by chance.
    ids = {message.key for message in messages}
    texts = [text for text in whole if text not in ids]
    for message in messages:
        assert message.key is not None
        texts = [text.replace(message.key, b"") for text in texts]
    assert sorted({word for word, text in itertools.product(words, texts) if word in text}) == []
    for message in messages:
        assert message.key is not None
        event = PublicBurstResolved.from_bytes(message.value)
        assert event.public_id.encode() == message.key
        assert len(bytes.fromhex(event.public_id)) == 16


def test_the_order_of_the_verdicts_is_not_that_of_the_public_events(topics: MemoryTopics) -> None:
    bursts = [burst(f"bst-{day}", at=burst().started_at + timedelta(days=day)) for day in range(60)]

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, *bursts)
            await worker.wait_until(lambda: len(public(topics)) == len(bursts), "all public events")

    asyncio.run(scenario())
    periods = [PublicBurstResolved.from_bytes(message.value).period for message in public(topics)]
    assert periods != sorted(periods)


def test_a_correction_and_a_withdrawal_follow_under_the_same_id(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: len(public(topics)) == 1, "the event")
            publish(topics, burst(revision=2, taxon="Vulpes vulpes"))
            await worker.wait_until(lambda: len(public(topics)) == 2, "the correction")
        async with running(create, topics.settings) as worker:
            publish(topics, burst(revision=3, review=review(ReviewDecision.CORRECT, "Panthera uncia")))
            await worker.wait_until(lambda: len(public(topics)) == 3, "the withdrawal")

    asyncio.run(scenario())
    assert len({message.key for message in public(topics)}) == 1
    assert public(topics)[-1].value is None


def test_a_worker_that_ends_after_an_event_was_sent_withdraws_it_and_gives_no_burst_a_second_id(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    bursts = [burst(f"bst-{number}", camera=chance.choice(CAMERAS).camera) for number in range(20)]

    async def scenario() -> None:
        outage = Outage.of(PUBLIC_BURST_RESOLVED.full_name(topics.settings), monkeypatch)
        async with running(create, topics.settings) as worker:
            publish(topics, bursts[0])
            await worker.wait_until(lambda: outage.refused > 0, "a refused event")
        outage.active = False
        states = Outage.of(REDACT_STATE.full_name(topics.settings), monkeypatch)
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: states.refused > 0, "a state that is not stored")
        assert len(public(topics)) == 1
        states.active = False
        secret = review(ReviewDecision.CORRECT, "Panthera uncia")
        publish(topics, *bursts, bursts[0].model_copy(update={"revision": 2, "review": secret}))
        async with running(create, topics.settings) as worker:
            await worker.wait_until(lambda: None in {one.value for one in public(topics)}, "the withdrawal")
            await worker.wait_until(lambda: len({one.key for one in public(topics)}) == len(bursts), "all events")

    asyncio.run(scenario())
    values = {message.key: message.value for message in public(topics)}
    assert values[public(topics)[0].key] is None
    assert len(values) == len(bursts)
    assert len(set(values.values())) == len(bursts)


def test_publishing_ends_with_the_assignment_of_its_partitions(
    topics: MemoryTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.settings = topics.settings.model_copy(update={"public_interval_s": 3600, "public_delay_most_s": 0})
    workers: list[RedactWorker] = []

    class Recorded(RedactWorker):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            workers.append(self)

    monkeypatch.setattr(redact, "RedactWorker", Recorded)

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, *(burst(f"bst-{number}") for number in range(5)))
            await worker.wait_until(lambda: len(topics.read(REDACT_STATE)) == 5, "the states")
            outage = Outage.of(PUBLIC_BURST_RESOLVED.full_name(topics.settings), monkeypatch)
            publishing = asyncio.create_task(workers[0].publish_due())
            await worker.wait_until(lambda: outage.refused > 0, "a refused event")
            # As Faust's consumer does when another worker joins. The outage lasts: the event is sent again and again.
            await worker.app._on_partitions_revoked(worker.app.consumer.assignment())
            await asyncio.wait_for(publishing, LIMIT_S)
            outage.active = False
            await workers[0].publish_due()
            assert public(topics) == []

    asyncio.run(scenario())


def test_a_tombstone_withdraws_a_burst_and_its_photographs_can_be_published_again(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, burst(revision=3))
            await worker.wait_until(lambda: len(public(topics)) == 1, "the event")
            topics.send(BURST_RESOLVED, b"bst-1", None)
            await worker.wait_until(lambda: len(public(topics)) == 2, "the withdrawal")
            await worker.wait_until(lambda: topics.read(REDACT_STATE)[-1].value is None, "the end of the state")
            publish(topics, burst())
            await worker.wait_until(lambda: len(public(topics)) == 3, "the new event")

    asyncio.run(scenario())
    first, withdrawal, second = public(topics)
    assert withdrawal.key == first.key and withdrawal.value is None
    assert second.key != first.key


def test_nothing_is_published_before_it_is_due(topics: MemoryTopics) -> None:
    topics.settings = topics.settings.model_copy(update={"public_delay_least_s": 3600, "public_delay_most_s": 7200})

    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: topics.read(REDACT_STATE), "the state")
            await asyncio.sleep(0.5)  # several intervals
            assert public(topics) == []

    asyncio.run(scenario())


def test_what_is_due_waits_for_the_verdicts_that_are_on_the_topic(topics: MemoryTopics) -> None:
    at_once = topics.settings.model_copy(update={"public_delay_most_s": 0.0})
    foxes = [burst(f"bst-f{number}", taxon="Vulpes vulpes") for number in range(500)]

    async def scenario() -> None:
        async with running(create, at_once.model_copy(update={"public_interval_s": 3600.0})) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: topics.read(REDACT_STATE), "the state")
        # While the worker is down, the event becomes due, and a reviewer recognises a snow leopard.
        secret = review(ReviewDecision.CORRECT, "Panthera uncia")
        publish(topics, *foxes, burst(revision=2, review=secret))
        async with running(create, at_once) as worker:
            await worker.wait_until(lambda: len(public(topics)) >= len(foxes), "the other events")

    asyncio.run(scenario())
    assert not any(b"Capra" in message.value for message in public(topics) if message.value)


def test_an_event_whose_newer_verdict_cannot_be_read_is_withdrawn(topics: MemoryTopics) -> None:
    async def scenario() -> None:
        async with running(create, topics.settings) as worker:
            publish(topics, burst())
            await worker.wait_until(lambda: len(public(topics)) == 1, "the event")
            topics.send(BURST_RESOLVED, b"bst-1", b'{"schema": "of next year"}')
            await worker.wait_until(lambda: len(public(topics)) == 2, "the withdrawal")

    asyncio.run(scenario())
    first, second = public(topics)
    assert (second.key, second.value) == (first.key, None)
