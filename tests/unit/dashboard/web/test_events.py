"""The events of the topics as a stream: rights, positions, resuming, limits, the example."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.paths import ROOT
from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents
from tests.unit.dashboard.web.running_server import RunningServer
from tests.unit.dashboard.web.test_served import read_events, token
from uncia.dashboard.web import topic_stream
from uncia.dashboard.web.accounts.roles import Caller, Role
from uncia.dashboard.web.services import Services
from uncia.dashboard.web.topic_stream import STREAMED_TOPICS, KafkaReader, Position, TopicStreams
from uncia.dashboard.web.visible_events import visible_event
from uncia.errors import DependencyDown
from uncia.events import BurstResolved, DeploymentChanged, ImageUploaded, Lane, Sensitivity
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, Topic
from uncia.topology import PARTS

NAMES = {topic.name for topic in STREAMED_TOPICS}
PARTITIONS = 4
DEPLOYMENT = DeploymentChanged(
    deployment_id="dep-1",
    camera="ridge/cam-1",
    start=datetime(2026, 5, 1, tzinfo=UTC),
    utc_offset_minutes=360,
    latitude=42.12345,
    longitude=75.98765,
    coordinate_sensitivity=Sensitivity.HIGH,
)


class MemoryTopics:
    """Topics in memory; readers get three messages at a time."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.messages = list(messages)
        self.down = False
        self.open = 0
        self.changed = threading.Condition()

    def reader(self, topics: tuple[Topic, ...], position: Position | None) -> "MemoryReader":
        if self.down:
            raise DependencyDown("Kafka does not answer")
        self.open += 1
        return MemoryReader(self, {topic.name for topic in topics}, position)


class MemoryReader:
    def __init__(self, topics: MemoryTopics, names: set[str], position: Position | None) -> None:
        self._topics, self._names = topics, names
        known = {name for name, _ in position or ()}
        self._next = Position()
        for name in names:
            for partition in range(PARTITIONS):
                own = [one for one in topics.messages if (one.topic, one.partition) == (name, partition)]
                end = own[-1].offset + 1 if own else 0
                self._next[(name, partition)] = (
                    (position or Position()).get((name, partition), 0) if name in known else end
                )
        self._position = Position(self._next)

    def start(self) -> Position:
        return Position(self._next)

    def read(self) -> list[Message]:
        found = [
            one
            for one in self._topics.messages
            if one.topic in self._names and one.offset >= self._position[(one.topic, one.partition)]
        ][:3]
        for one in found:
            self._position[(one.topic, one.partition)] = one.offset + 1
        if not found:
            threading.Event().wait(0.02)
        return found

    def close(self) -> None:
        with self._topics.changed:
            self._topics.open -= 1
            self._topics.changed.notify_all()


def messages() -> list[Message]:
    log = Log()
    records = [log.append(event) for event in ProjectEvents(30)]
    return [
        Message(one.topic, one.partition, one.offset, one.timestamp_ms, one.key, one.value, [])
        for one in records
        if one.topic in NAMES
    ]


@pytest.fixture
def topics(services: Services) -> MemoryTopics:
    found = MemoryTopics(messages())
    services.topic_streams.close()
    services.topic_streams = TopicStreams(found.reader, at_once=3, of_an_account=2)
    return found


@pytest.fixture
def server(services: Services, topics: MemoryTopics) -> Iterator[RunningServer]:
    running = RunningServer(services)
    yield running
    running.stop()


def status(server: RunningServer, secret: str, path: str = "/events?after=0") -> int:
    """The status of a response."""
    request = urllib.request.Request(f"{server.address}{path}", headers={"Authorization": f"Bearer {secret}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_stream_has_the_events_of_the_topics_word_for_word(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    account = services.accounts.create("operator", None, Role.OPERATOR, None)
    secret = services.accounts.create_token(account.id, "test")
    events = read_events(server, secret, len(topics.messages), path="/events?after=0")
    assert [data for _, data in events] == [json.loads(one.value or b"") for one in topics.messages]


def test_a_client_that_reconnects_at_any_id_misses_nothing(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    secret = token(services)
    count = len(topics.messages)
    events = read_events(server, secret, count, path="/events?after=0")
    ids = [(at, position) for at, (position, _) in enumerate(events, 1) if position is not None]
    assert len(ids) > 5
    for at, position in (ids[0], ids[len(ids) // 2], ids[-2]):
        assert position is not None
        rest = read_events(server, secret, count - at, {"Last-Event-ID": position}, path="/events?after=0")
        assert [data for _, data in rest] == [data for _, data in events[at:]]


def test_one_topic_can_be_chosen_and_an_unknown_one_is_refused(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    own = [one for one in topics.messages if one.topic == BURST_RESOLVED.name]
    events = read_events(server, token(services), len(own), path=f"/events?after=0&topic={BURST_RESOLVED.name}")
    assert {data["event"] for _, data in events} == {BURST_RESOLVED.name}
    assert status(server, token(services, ["ridge"]), "/events?topic=uncia.dead-letter.v1") == 422


def test_a_viewer_of_one_station_gets_nothing_of_any_other(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    own = [one for one in topics.messages if json.loads(one.value or b"")["camera"].startswith("ridge/")]
    assert 0 < len(own) < len(topics.messages)
    events = read_events(server, token(services, ["ridge"]), len(own), path="/events?after=0")
    assert {str(data["camera"]).partition("/")[0] for _, data in events} == {"ridge"}


def test_positions_are_rounded_unless_the_role_may_have_them(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    topics.messages = [Message(DEPLOYMENT_CHANGED.name, 0, 0, 0, None, DEPLOYMENT.to_bytes(), [])]
    ((_, seen),) = read_events(server, token(services), 1, path="/events?after=0")
    assert (seen["latitude"], seen["longitude"]) == (42.0, 76.0)
    assert "42.1" not in json.dumps(seen)
    account = services.accounts.create("operator", None, Role.OPERATOR, None)
    ((_, exact),) = read_events(server, services.accounts.create_token(account.id, ""), 1, path="/events?after=0")
    assert (exact["latitude"], exact["longitude"]) == (42.12345, 75.98765)


def test_without_a_token_kafka_or_a_free_place_the_response_says_so(
    server: RunningServer, services: Services, topics: MemoryTopics
) -> None:
    secret = token(services)
    assert status(server, "uncia_wrong") == 401
    topics.down = True
    assert status(server, secret) == 503
    topics.down = False
    request = urllib.request.Request(f"{server.address}/events?after=0", headers={"Authorization": f"Bearer {secret}"})
    streams = [urllib.request.urlopen(request, timeout=20) for _ in range(2)]
    assert status(server, secret) == 429
    for stream in streams:
        stream.close()
    with topics.changed:
        assert topics.changed.wait_for(lambda: topics.open == 0, 20)
    assert status(server, secret) == 200


class FakeConsumer:
    """Stands for the connection to Kafka: two partitions that end at 5 and 7."""

    def __init__(self, settings: Settings, topics: tuple[Topic, ...], group: str) -> None:
        self.names = [topic.full_name(settings) for topic in topics]
        self.sought: dict[tuple[str, int], int] = {}
        self.closed = False

    def end_offsets(self) -> dict[tuple[str, int], int]:
        return {(name, partition): 5 + 2 * partition for name in self.names for partition in (0, 1)}

    def seek(self, offsets: dict[tuple[str, int], int]) -> None:
        self.sought = dict(offsets)

    def poll(self, _timeout_s: float) -> list[Message]:
        return [Message(self.names[0], 1, 7, 0, None, b"{}", [])]

    def __exit__(self, *_: object) -> None:
        self.closed = True


def test_a_reader_begins_at_the_end_or_where_it_was_and_names_topics_without_their_namespace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[FakeConsumer] = []

    def consumer(settings: Settings, topics: tuple[Topic, ...], group: str) -> FakeConsumer:
        made.append(FakeConsumer(settings, topics, group))
        return made[-1]

    monkeypatch.setattr(topic_stream, "OffsetConsumer", consumer)
    settings, burst, moved = Settings(namespace="ns"), BURST_RESOLVED.name, DEPLOYMENT_CHANGED.name
    reader = KafkaReader(settings, (BURST_RESOLVED, DEPLOYMENT_CHANGED), None)
    assert reader.start() == {(burst, 0): 5, (burst, 1): 7, (moved, 0): 5, (moved, 1): 7}
    assert [message.topic for message in reader.read()] == [burst]
    reader.close()
    assert made[0].closed
    KafkaReader(settings, (BURST_RESOLVED, DEPLOYMENT_CHANGED), Position({(burst, 0): 3}))
    # A partition that the position lacks is read from its beginning, a topic that it lacks from its end.
    assert made[1].sought == {
        (f"ns.{burst}", 0): 3,
        (f"ns.{burst}", 1): 0,
        (f"ns.{moved}", 0): 5,
        (f"ns.{moved}", 1): 7,
    }
    KafkaReader(settings, (DEPLOYMENT_CHANGED,), Position.parse("0"))
    assert set(made[2].sought.values()) == {0}


def test_the_example_prints_verdicts(server: RunningServer, services: Services) -> None:
    environment = {**os.environ, "UNCIA_TOKEN": token(services), "UNCIA_DASHBOARD": server.address}
    command = [sys.executable, str(ROOT / "examples" / "dashboard_events.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.terminate()
    assert all(line.count("\t") == 3 and "cam-" in line for line in lines)


def test_a_key_of_another_station_is_left_out_of_a_move() -> None:
    moved = ImageUploaded(
        upload_id="u",
        station="ridge",
        camera="ridge/cam-1",
        bucket="b",
        key="ridge/cam-1/1.JPG",
        etag="e",
        size=1,
        uploaded_at=datetime(2026, 5, 1, tzinfo=UTC),
        announced_at=datetime(2026, 5, 1, tzinfo=UTC),
        moved_to="secret/cam-9/1.JPG",
        lane=Lane.LIVE,
    )
    seen = visible_event(moved, Caller(1, "a", Role.VIEWER, ("ridge",)))
    assert isinstance(seen, ImageUploaded)
    assert seen.moved_to is None
    assert visible_event(moved, Caller(1, "a", Role.VIEWER)) == moved


def test_an_event_whose_station_and_camera_differ_is_of_both() -> None:
    (event,) = [one for one in ProjectEvents(1) if isinstance(one, BurstResolved)][-1:]
    forged = event.model_copy(update={"station": "ridge", "camera": "pass/cam-1"})
    for station in ("ridge", "pass"):
        assert visible_event(forged, Caller(1, "a", Role.VIEWER, (station,))) is None
    assert visible_event(forged, Caller(1, "a", Role.VIEWER, ("ridge", "pass"))) == forged


@given(st.sets(st.sampled_from(STREAMED_TOPICS), min_size=1), st.integers(1, 5), st.integers(0, 2**62))
def test_positions_are_read_as_they_were_written(chosen: set[Topic], partitions: int, offset: int) -> None:
    position = Position(
        {(topic.name, number): offset // (number + 1) % 10**18 for topic in chosen for number in range(partitions)}
    )
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize("text", ["", "1", "0:", "x", "0:1;", "99", "0:1,-2", "0:" + "9" * 19, "1;2:3"])
def test_what_is_no_position_is_ignored(text: str) -> None:
    assert Position.parse(text) is None


def test_the_row_of_the_topology_lists_every_topic_of_the_stream() -> None:
    """The broker of a stack permits the dashboard no other."""
    (row,) = (part for part in PARTS if part.name == "dashboard")
    assert set(STREAMED_TOPICS) <= set(row.follows)
