"""The catalogue on a real Kafka: whatever is killed in mid-stream, its rows are those of a quiet day."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, func, make_url, select
from sqlalchemy.exc import DBAPIError

from tests.postgres import PostgresServer, postgres_server
from tests.stack.containers import ContainerStack
from tests.stack.photographs import photograph
from tests.unit.dashboard.catalogue.catalogue_data import ProjectEvents
from tests.unit.dashboard.catalogue.contents import Contents, contents
from tests.unit.dashboard.catalogue.test_store import fold_all
from tests.waiting import SCALE
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import catalogue_url, open_database
from uncia.dashboard.catalogue.fold import FOLDED_TOPICS
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.tables import bursts, log_partitions
from uncia.events import BurstResolved, DeploymentChanged
from uncia.infra.local.stack import Stack
from uncia.kafka.broker import create_topics, read_topics
from uncia.kafka.connection import connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.telemetry import READY_FILE

BURSTS = 400
LIMIT_S = 120

Running = Stack | ContainerStack


@pytest.fixture
def namespaced(stack: Running, settings: Settings) -> Settings:
    """Settings with topics that no worker of the stack reads."""
    own = settings.model_copy(update={"namespace": f"replay-catalogue-{uuid.uuid4().hex[:8]}"})
    create_topics(own, FOLDED_TOPICS)
    return own


def publish(settings: Settings, project: ProjectEvents) -> int:
    """Write all events to their topics, as the workers would; returns their number."""
    names = {topic.name: topic.full_name(settings) for topic in FOLDED_TOPICS}
    producer = connect_producer(settings, acks="all", linger_ms=20)
    count = 0
    for event in project:
        camera: str = event.camera  # type: ignore[attr-defined]
        key = event.message_key if isinstance(event, DeploymentChanged) else camera.encode()
        if isinstance(event, BurstResolved):
            key = event.burst_id.encode()
        producer.send(
            names[event.topic], key=key, value=event.to_bytes(), partition=partition_of(camera, settings.partitions)
        )
        count += 1
    producer.flush(LIMIT_S)
    producer.close()
    return count


def quiet_day(settings: Settings, folder: Path) -> Contents:
    """The rows of all topics, folded in this process in one go."""
    names = {topic.full_name(settings): topic.name for topic in FOLDED_TOPICS}
    log = [
        LogRecord(
            names[message.topic], message.partition, message.offset, message.timestamp_ms, message.key, message.value
        )
        for message in read_topics(settings, FOLDED_TOPICS, from_beginning=True, until_end=True)
    ]
    engine = open_database(make_url(f"sqlite:///{folder}/quiet.sqlite"))
    migrate(engine)
    fold_all(engine, log)
    return contents(engine)


class Worker:
    """`uncia catalogue run` as a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = Path(environment[READY_FILE])

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uncia", "catalogue", "run"], env=self._environment, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + SCALE * LIMIT_S
        while not self._ready.exists():
            assert time.monotonic() < deadline, self.output[-2000:]
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(LIMIT_S)

    @property
    def output(self) -> str:
        return self._log.read_text()


@pytest.fixture
def start_worker(stack: Running, namespaced: Settings, tmp_path: Path) -> Iterator[Callable[[URL], Worker]]:
    """Starts a worker that folds the namespace into a database."""
    started: list[Worker] = []

    def start(url: URL) -> Worker:
        environment = {
            **os.environ,
            **stack.environment(),
            "UNCIA_NAMESPACE": namespaced.namespace,
            READY_FILE: str(tmp_path / "ready"),
            "UNCIA_CATALOGUE_URL": url.render_as_string(hide_password=False),
        }
        worker = Worker(environment, tmp_path / "worker.log")
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.stop(signal.SIGKILL)


def folded(engine: Engine) -> int:
    """How many messages the database has; -1 while it does not answer or has no tables."""
    try:
        with engine.connect() as connection:
            return int(connection.execute(select(func.sum(log_partitions.c.next_offset))).scalar() or 0)
    except DBAPIError:
        return -1


def wait_until_folded(engine: Engine, count: int, worker: Worker) -> None:
    deadline = time.monotonic() + SCALE * LIMIT_S
    while (found := folded(engine)) < count:
        assert time.monotonic() < deadline, f"{found} of {count} messages are folded: {worker.output[-2000:]}"
        time.sleep(0.05)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[URL, PostgresServer | None]]:
    """The address of an empty database, and its server."""
    if kind == "sqlite":
        yield make_url(f"sqlite:///{folder}/catalogue.sqlite"), None
        return
    with postgres_server() as server:
        yield server.url, server


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_in_mid_stream_lose_and_double_nothing(
    kind: str, namespaced: Settings, start_worker: Callable[[URL], Worker], tmp_path: Path
) -> None:
    with database(kind, tmp_path) as (url, server):
        engine = open_database(url)
        worker = start_worker(url)
        wait_until_folded(engine, 0, worker)
        halves = [ProjectEvents(BURSTS // 2, seed=seed) for seed in (1, 2)]
        count = publish(namespaced, halves[0])
        wait_until_folded(engine, 1, worker)
        worker.stop(signal.SIGKILL)
        assert folded(engine) < count
        worker.start()
        wait_until_folded(engine, count // 2, worker)
        count += publish(namespaced, halves[1])
        if server is not None:
            server.kill()
            server.start()
        wait_until_folded(engine, 3 * count // 4, worker)
        worker.stop(signal.SIGKILL)
        worker.start()
        wait_until_folded(engine, count, worker)
        worker.wait_until_ready()
        assert worker.stop() == 0
        assert contents(engine) == quiet_day(namespaced, tmp_path)
        engine.dispose()


def test_a_burst_is_in_the_catalogue_of_the_stack(
    stack: Running,
    upload: Callable[[str, bytes], str],
    settled: Callable[..., list[BurstResolved]],
    station: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not isinstance(stack, Stack):
        pytest.skip("the database is in a volume of the containers")
    monkeypatch.setenv("UNCIA_STACK_DIR", str(stack.folder))
    upload(f"{station}/cam-1/IMG_0001.JPG", photograph(1))
    (burst,) = settled(f"{station}/cam-1")
    catalogue = Catalogue(open_database(catalogue_url(stack.settings()), read_only=True))
    deadline = time.monotonic() + SCALE * 30
    while (found := catalogue.burst(burst.burst_id)) is None or found.burst.revision < burst.revision:
        assert time.monotonic() < deadline, "the burst is not in the catalogue"
        time.sleep(0.05)
    assert [frame.image_id for frame in found.frames] == [frame.image_id for frame in burst.frames]
    assert found.frames[0].size
    assert found.burst.status == burst.status.value
    with open_database(catalogue_url(stack.settings()), read_only=True).connect() as connection:
        assert connection.execute(select(func.count()).select_from(bursts)).scalar_one() >= 1
