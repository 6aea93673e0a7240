"""kill -9 of the web server: a reader of the stream that reconnects with its last id has every change."""

import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from tests.paths import ROOT
from tests.unit.dashboard.catalogue.catalogue_data import Log, ProjectEvents
from tests.unit.dashboard.web.running_server import environment_of
from tests.waiting import wait_until
from uncia.dashboard.catalogue.changes import LogRecord
from uncia.dashboard.catalogue.queries import Catalogue
from uncia.dashboard.catalogue.store import CatalogueStore, PartitionState
from uncia.dashboard.web.accounts.roles import Role
from uncia.dashboard.web.services import Services
from uncia.events import BurstResolved
from uncia.settings import Settings


class Server:
    """`uncia dashboard` as a process of its own, always on the same port."""

    def __init__(self, config: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._environment = environment_of(config, self.port)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uncia", "dashboard"],
            env=self._environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert any(line.startswith("The dashboard is on") for line in self._process.stdout)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Reader(threading.Thread):
    """Reads `/events/bursts` as a browser's EventSource does: reconnects by itself, with the last id that it got."""

    def __init__(self, port: int, secret: str, after: int) -> None:
        super().__init__(daemon=True)
        self._address, self._secret = f"http://127.0.0.1:{port}/events/bursts?after={after}", secret
        self._last: str | None = None
        self._ended = threading.Event()
        self.revisions: dict[str, int] = {}
        self.connections = 0

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._read()
            except (OSError, urllib.error.URLError):
                self._ended.wait(0.05)

    def stop(self) -> None:
        self._ended.set()

    def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self._secret}"}
        if self._last is not None:
            headers["Last-Event-ID"] = self._last
        fields: dict[str, str] = {}
        with urllib.request.urlopen(urllib.request.Request(self._address, headers=headers), timeout=30) as stream:
            self.connections += 1
            for raw in stream:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                # An event that was cut off has no empty line behind it, and does not count.
                if name or "data" not in fields:
                    fields[name] = value
                    continue
                burst = json.loads(fields["data"])
                self.revisions[burst["burst_id"]] = burst["revision"]
                self._last, fields = fields.get("id", self._last), {}


@pytest.fixture
def server(config: Settings) -> Iterator[Server]:
    made = Server(config)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def fold_some(writable_catalogue: Engine) -> Callable[[int], int]:
    """Folds revisions of so many bursts, each in a transaction of its own; returns how many bursts there are."""
    bursts = [event for event in ProjectEvents(150, seed=77) if isinstance(event, BurstResolved)]
    waiting = iter(bursts)
    store, log, folded = CatalogueStore(writable_catalogue), Log(), set[str]()
    records: dict[str, LogRecord] = {}
    for event in bursts:
        record = log.append(event)
        records[f"{event.burst_id} {event.revision}"] = LogRecord(
            record.topic, record.partition, record.offset, record.timestamp_ms, record.key, record.value, 1
        )
    store.set_partitions({place: PartitionState("again", 1, 0) for place in log.partitions()})

    def fold(count: int) -> int:
        for _ in range(count):
            event = next(waiting)
            store.apply([records[f"{event.burst_id} {event.revision}"]])
            folded.add(event.burst_id)
        return len(folded)

    return fold


def test_readers_of_the_stream_miss_nothing_over_kills(
    server: Server, services: Services, catalogue: Catalogue, fold_some: Callable[[int], int]
) -> None:
    account = services.accounts.create("program", None, Role.VIEWER)
    secret = services.accounts.create_token(account.id, "test")
    start = catalogue.newest_change()
    readers = [Reader(server.port, secret, start) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(2):
        count = fold_some(20)
        wait_until(lambda count=count: all(len(one.revisions) > count - 15 for one in readers), 60)  # type: ignore[misc]
        writing = threading.Thread(target=fold_some, args=(30,))
        writing.start()
        server.kill()
        writing.join()
        server.start()
    fold_some(20)
    changed = {one.burst_id for one in catalogue.changes(start, 1000)}
    expected = {name: found.burst.revision for name in changed if (found := catalogue.burst(name))}
    assert len(expected) > 80
    wait_until(lambda: all(one.revisions == expected for one in readers), 60, "all changes at all readers")
    assert {one.connections for one in readers} == {3}
    for reader in readers:
        reader.stop()
