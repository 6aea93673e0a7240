"""The worker on a broker in memory, a store that speaks S3, and servers on loopback that play the hosts of pictures."""

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.agents.harness import ALL_TOPICS, MemoryTopics, RunningWorker, closing_deployment_readers, running
from tests.agents.memory_broker import MemoryBroker
from tests.agents.memory_clients import install
from tests.unit.processors.delivery.http_receiver import Answer, Receiver, Request, receiving
from tests.unit.processors.predict.s3_double import S3Double, s3_double
from uncia.events import FetchState, HarvestHostPaused, HarvestPictureFetched, HarvestPictureRequested
from uncia.harvest_requests import picture_key
from uncia.processors.harvest import worker as harvest_worker
from uncia.processors.harvest.worker import create
from uncia.settings import Settings
from uncia.topics import DEAD_LETTER, HARVEST_HOST_PAUSED, HARVEST_PICTURE_FETCHED, HARVEST_PICTURE_REQUESTED

HARVEST = "a" * 32
BYTES = b"bytes of a picture"
OTHER = "127.0.0.2"


@pytest.fixture
def double() -> Iterator[S3Double]:
    with s3_double() as (server, _):
        yield server


@pytest.fixture
def server() -> Iterator[Receiver]:
    def respond(request: Request) -> Answer:
        return Answer(404) if request.path == "/robots.txt" else Answer(200, {}, BYTES)

    with receiving(respond=respond) as server:
        yield server


@pytest.fixture
def topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, double: S3Double, server: Receiver
) -> Iterator[MemoryTopics]:
    broker = MemoryBroker()
    install(monkeypatch, broker)
    addresses = double.settings().model_dump(include={"s3_endpoint", "s3_access_key", "s3_secret_key", "bucket"})
    origins = (urlsplit(server.url).netloc,)
    settings = Settings(_env_file=None, data_dir=tmp_path, harvest_private_origins=origins, **addresses)
    found = MemoryTopics(settings, broker)
    found.create(ALL_TOPICS)
    monkeypatch.setattr("uncia.polite_http.client._ATTEMPTS", 1)
    # The servers are ours: an interval of seconds would test the clock.
    monkeypatch.setattr("uncia.polite_http.rate_limit.DEFAULT_INTERVAL_S", 0.0)
    with closing_deployment_readers(monkeypatch):
        yield found


def request(url: str, **changes: object) -> HarvestPictureRequested:
    values = {
        "harvest_id": HARVEST,
        "request_id": uuid.uuid4().hex,
        "url": url,
        "host": urlsplit(url).hostname or "",
        "contact": "ada@example.org",
        "interval_s": 0.0,
        "requested_at": datetime.now(UTC),
    }
    return HarvestPictureRequested.model_validate({**values, **changes})


def publish(topics: MemoryTopics, *requests: HarvestPictureRequested) -> None:
    for one in requests:
        topics.send(HARVEST_PICTURE_REQUESTED, one.host.encode(), one.to_bytes())


def outcomes(topics: MemoryTopics) -> list[HarvestPictureFetched]:
    return [HarvestPictureFetched.from_bytes(message.value) for message in topics.read(HARVEST_PICTURE_FETCHED)]


def run(topics: MemoryTopics, scenario: Callable[[RunningWorker], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with running(create, topics.settings) as worker:
            await scenario(worker)

    asyncio.run(whole())


def run_until_ended(topics: MemoryTopics, *requests: HarvestPictureRequested, count: int = 0) -> None:
    """Publish requests, and wait for as many outcomes."""

    async def scenario(worker: RunningWorker) -> None:
        publish(topics, *requests)
        await worker.wait_until(lambda: len(outcomes(topics)) == (count or len(requests)), "all outcomes")

    run(topics, scenario)


def fetched(server: Receiver) -> list[str]:
    return [one.path for one in server.requests if one.path != "/robots.txt"]


def test_a_picture_is_in_the_store_when_its_outcome_is_published(
    topics: MemoryTopics, double: S3Double, server: Receiver
) -> None:
    one = request(f"{server.url}/a.jpg")
    run_until_ended(topics, one)
    (outcome,) = outcomes(topics)
    assert (outcome.state, outcome.request_id, outcome.size) == (FetchState.STORED, one.request_id, len(BYTES))
    assert outcome.sha256 == hashlib.sha256(BYTES).hexdigest()
    assert double.objects[picture_key(HARVEST, one.request_id)] == BYTES
    assert server.requests[-1].headers["User-Agent"].endswith("(training data for camera traps; ada@example.org)")


def test_a_repeated_request_is_answered_and_not_fetched_again(topics: MemoryTopics, server: Receiver) -> None:
    one = request(f"{server.url}/a.jpg")
    run_until_ended(topics, one, one)
    assert len(fetched(server)) == 1


def test_what_a_killed_worker_has_stored_is_not_fetched_again(topics: MemoryTopics, server: Receiver) -> None:
    one = request(f"{server.url}/a.jpg")
    run_until_ended(topics, one)
    run_until_ended(topics, one, count=2)  # by another process, which remembers nothing
    first, second = outcomes(topics)
    assert second == first
    assert len(fetched(server)) == 1


@pytest.mark.parametrize(
    ("answer", "reason", "temporary"),
    [(Answer(404), "http-404", False), (Answer(503), "http-503", True), (Answer(drop=True), "connection", True)],
    ids=["gone", "busy", "dropped"],
)
def test_a_failure_is_an_outcome_with_its_reason(
    topics: MemoryTopics, double: S3Double, server: Receiver, answer: Answer, reason: str, temporary: bool
) -> None:
    server.respond = lambda one: Answer(404) if one.path == "/robots.txt" else answer
    run_until_ended(topics, request(f"{server.url}/a.jpg"))
    (outcome,) = outcomes(topics)
    assert (outcome.state, outcome.reason, outcome.temporary) == (FetchState.FAILED, reason, temporary)
    assert double.written == []


def test_the_rules_for_robots_are_kept(topics: MemoryTopics, server: Receiver) -> None:
    server.respond = lambda _: Answer(200, {}, b"User-agent: *\nDisallow: /")
    run_until_ended(topics, request(f"{server.url}/a.jpg"))
    assert [outcome.reason for outcome in outcomes(topics)] == ["robots"]
    assert fetched(server) == []


def test_rules_that_another_host_has_are_not_read_there(topics: MemoryTopics, server: Receiver) -> None:
    server.respond = lambda _: Answer(302, {"Location": f"http://{OTHER}/robots.txt"})
    run_until_ended(topics, request(f"{server.url}/a.jpg"))
    assert [outcome.reason for outcome in outcomes(topics)] == ["robots-elsewhere"]


def test_a_private_address_that_no_setting_names_is_refused(topics: MemoryTopics) -> None:
    run_until_ended(topics, request(f"http://{OTHER}/a.jpg"))
    assert [outcome.reason for outcome in outcomes(topics)] == ["address-forbidden"]


def test_a_redirect_to_another_host_is_a_request_for_the_owner_of_that_host(
    topics: MemoryTopics, server: Receiver
) -> None:
    server.respond = lambda one: (
        Answer(404) if one.path == "/robots.txt" else Answer(302, {"Location": f"http://{OTHER}/b.jpg"})
    )
    one = request(f"{server.url}/a.jpg")
    run_until_ended(topics, one)
    requests = [HarvestPictureRequested.from_bytes(message.value) for message in topics.read(HARVEST_PICTURE_REQUESTED)]
    (moved,) = (found for found in requests if found != one)
    assert (moved.url, moved.host, moved.redirects) == (f"http://{OTHER}/b.jpg", OTHER, 1)
    assert (moved.harvest_id, moved.request_id) == (one.harvest_id, one.request_id)
    # Its owner, which is this worker again, refuses the private address.
    assert [outcome.reason for outcome in outcomes(topics)] == ["address-forbidden"]


def test_redirects_from_host_to_host_end(topics: MemoryTopics, server: Receiver) -> None:
    server.respond = lambda one: (
        Answer(404) if one.path == "/robots.txt" else Answer(302, {"Location": f"http://{OTHER}/b.jpg"})
    )
    run_until_ended(topics, request(f"{server.url}/a.jpg", redirects=5))
    assert [outcome.reason for outcome in outcomes(topics)] == ["redirects"]


def test_a_host_that_asks_for_a_long_pause_is_left_alone_and_others_learn_of_it(
    topics: MemoryTopics, server: Receiver
) -> None:
    server.respond = lambda one: Answer(404) if one.path == "/robots.txt" else Answer(429, {"Retry-After": "3600"})
    run_until_ended(topics, request(f"{server.url}/a.jpg"), request(f"{server.url}/b.jpg"))
    assert len(fetched(server)) == 1
    assert {outcome.reason for outcome in outcomes(topics)} == {"http-429", "paused"}
    (pause,) = (HarvestHostPaused.from_bytes(message.value) for message in topics.read(HARVEST_HOST_PAUSED))
    assert pause.host == "127.0.0.1"
    assert pause.until > datetime.now(UTC) + timedelta(minutes=50)


def test_a_pause_that_another_worker_published_is_kept(topics: MemoryTopics, server: Receiver) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    pause = HarvestHostPaused(host="127.0.0.1", until=until, reason="retry-after")
    topics.send(HARVEST_HOST_PAUSED, b"127.0.0.1", pause.to_bytes())
    run_until_ended(topics, request(f"{server.url}/a.jpg"))
    assert [outcome.reason for outcome in outcomes(topics)] == ["paused"]
    assert server.requests == []


def test_a_host_that_keeps_failing_is_left_alone(topics: MemoryTopics, server: Receiver) -> None:
    server.respond = lambda one: Answer(404) if one.path == "/robots.txt" else Answer(500)
    run_until_ended(topics, *(request(f"{server.url}/{number}.jpg") for number in range(6)))
    assert len(fetched(server)) == harvest_worker.FAILURES_OF_HOST
    reasons = [outcome.reason for outcome in outcomes(topics)]
    assert sorted(filter(None, reasons)) == ["http-500"] * 3 + ["paused"] * 3


def test_while_the_store_is_down_nothing_is_lost(topics: MemoryTopics, double: S3Double, server: Receiver) -> None:
    one = request(f"{server.url}/a.jpg")
    double.hold = 2  # PUTs that fail
    run_until_ended(topics, one)
    assert double.objects[picture_key(HARVEST, one.request_id)] == BYTES
    assert len(fetched(server)) == 1


def test_a_request_in_the_partition_of_another_host_is_a_dead_letter(topics: MemoryTopics, server: Receiver) -> None:
    stray, good = request(f"{server.url}/a.jpg"), request(f"{server.url}/b.jpg")

    async def scenario(worker: RunningWorker) -> None:
        # The two addresses are in different partitions.
        topics.send(HARVEST_PICTURE_REQUESTED, OTHER.encode(), stray.to_bytes())
        topics.send(HARVEST_PICTURE_REQUESTED, b"127.0.0.1", b"no request")
        publish(topics, good)
        await worker.wait_until(
            lambda: len(topics.read(DEAD_LETTER)) == 2 and len(outcomes(topics)) == 1, "two dead letters and an outcome"
        )

    run(topics, scenario)
    assert fetched(server) == ["/b.jpg"]
