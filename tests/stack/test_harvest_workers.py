"""A harvest whose pictures are downloaded by workers in processes of their own, with the worker's key alone.

Servers on several addresses of the loopback interface play the hosts of pictures; their logs show the rate.
"""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.stack.conftest import KIND
from tests.temporary_stack import temporary_stack
from tests.unit.processors.delivery.http_receiver import Answer, Receiver, Request, receiving
from tests.unit.training.harvest.public_sources import as_json, as_picture, inaturalist_page, inaturalist_photo, picture
from tests.waiting import SCALE, wait_until
from uncia.events import FetchState, HarvestPictureFetched
from uncia.identities import PART_IDENTITIES
from uncia.infra.local.stack import Stack
from uncia.infra.local.stack_identity import environment_of
from uncia.kafka.broker import read_topics
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.telemetry import READY_FILE
from uncia.topics import HARVEST_PICTURE_FETCHED
from uncia.training.harvest.query import HarvestPlan, TargetTaxon, plan_queries
from uncia.training.harvest.store import HarvestStore, harvest_file

pytestmark = pytest.mark.skipif(KIND != "embedded", reason="runs commands on the host of the embedded stack")

LIMIT_S = 90
INTERVAL_S = 1.0
PAUSE_S = 4
HOSTS_OF_A_PARTITION = 2
PICTURES_OF_A_HOST = 7

ALL_PARTITIONS = '"partitions": [0, 1, 2, 3]'
"""In the log of a worker."""

HTML = Answer(200, {"Content-Type": "image/jpeg"}, b"<html>Sorry</html>")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Kafka and the object store alone."""
    with temporary_stack(Path(tempfile.mkdtemp(prefix="uncia harvest ")), {}) as running:
        running.up(["kafka", "seaweedfs"], timeout_s=SCALE * 120)
        yield running


@pytest.fixture(scope="module")
def settings(stack: Stack) -> Settings:
    return stack.settings()


def hosts(partitions: int) -> list[str]:
    """Addresses of the loopback interface, as many in each partition."""
    found: Counter[int] = Counter()
    chosen = []
    for number in count(2):
        host = f"127.0.0.{number}"
        if found[partition_of(host, partitions)] < HOSTS_OF_A_PARTITION:
            found[partition_of(host, partitions)] += 1
            chosen.append(host)
        if len(chosen) == partitions * HOSTS_OF_A_PARTITION:
            return chosen
    raise AssertionError("unreachable")


class PictureHosts:
    """Hosts of pictures, and the API that names them."""

    def __init__(self, addresses: list[str], open_server: Callable[..., Receiver]) -> None:
        self.busy_once: set[str] = set()
        self.servers = {one: open_server(respond=self._answer, address=one) for one in addresses}
        self.paths = {one: [f"/{one}/{number}/large.jpg" for number in range(PICTURES_OF_A_HOST)] for one in addresses}
        first, second = addresses[:2]
        self.html, self.cut, self.forbidden = self.paths[first][2], self.paths[first][3], self.paths[second][2]
        self.busy = self.paths[second][3]
        self.moved = self.paths[first][4]
        """Redirects to a picture of another host, which another worker may own."""
        self.target = f"{self.servers[second].url}/elsewhere.jpg"
        self.api = open_server(respond=self._list, address="127.0.0.1")

    @property
    def requests(self) -> list[Request]:
        return [one for server in self.servers.values() for one in server.requests]

    def pictures(self) -> int:
        """Requests of pictures so far."""
        return sum(not one.path.endswith("robots.txt") for one in self.requests)

    def good(self) -> int:
        """Pictures that a complete dataset has."""
        return sum(len(paths) for paths in self.paths.values()) - 3

    def _answer(self, request: Request) -> Answer:
        if request.path == "/robots.txt":
            return Answer(200, {}, f"User-agent: *\nDisallow: {self.forbidden}".encode())
        if request.path == self.busy and request.path not in self.busy_once:
            self.busy_once.add(request.path)
            return Answer(429, {"Retry-After": str(PAUSE_S)})
        data = picture(abs(hash(request.path)) % 2**32)
        special = {
            self.html: HTML,
            self.cut: as_picture(data[: len(data) // 2]),
            self.moved: Answer(302, {"Location": self.target}),
        }
        return special.get(request.path, as_picture(data))

    def _list(self, request: Request) -> Answer:
        urls = [self.servers[host].url + path for host, paths in self.paths.items() for path in paths]
        photos = [inaturalist_photo(n, url.replace("large", "square")) for n, url in enumerate(urls, 1)]
        return as_json(inaturalist_page(*photos))


@pytest.fixture
def source(settings: Settings) -> Iterator[PictureHosts]:
    with contextlib.ExitStack() as opened:

        def open_server(**options: object) -> Receiver:
            return opened.enter_context(receiving(**options))  # type: ignore[arg-type]

        yield PictureHosts(hosts(settings.partitions), open_server)


class WorkerProcess:
    """`uncia worker harvest` with the key of that worker."""

    def __init__(self, stack: Stack, source: PictureHosts, folder: Path, name: str) -> None:
        keys = stack.require_keys().environment(PART_IDENTITIES["harvest"])
        origins = [urlsplit(server.url).netloc for server in source.servers.values()]
        others = {key: value for key, value in os.environ.items() if not key.startswith("UNCIA_")}
        self._ready = folder / f"{name}.ready"
        environment = {
            **others,
            **environment_of(stack.require_identity()),
            **keys,
            "UNCIA_STACK_DIR": str(folder / "no stack"),
            "UNCIA_DATA_DIR": str(folder / name),
            "UNCIA_HARVEST_PRIVATE_ORIGINS": ",".join(origins),
            READY_FILE: str(self._ready),
        }
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "uncia", "worker", "harvest"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        wait_until(self._ready.exists, LIMIT_S, f"a worker that is ready: {self.output[-3000:]}")

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(SCALE * LIMIT_S)


@pytest.fixture
def start_worker(stack: Stack, source: PictureHosts, tmp_path: Path) -> Iterator[Callable[[str], WorkerProcess]]:
    started: list[WorkerProcess] = []

    def start(name: str) -> WorkerProcess:
        started.append(WorkerProcess(stack, source, tmp_path, name))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.end(signal.SIGKILL)


@pytest.fixture
def harvest(source: PictureHosts, tmp_path: Path) -> Path:
    """A planned harvest."""
    taxon = TargetTaxon("Panthera uncia", "snow leopard", gbif_key=5219426)
    plan = HarvestPlan(
        (taxon,), ("inaturalist",), 500, 0, licences=("cc-by",), contact="ada@example.org",
        endpoints={"inaturalist": source.api.url},
    )  # fmt: skip
    folder = tmp_path / "harvest"
    folder.mkdir()
    store = HarvestStore(harvest_file(folder), create=True)
    store.write_plan(plan, plan_queries(plan))
    store.close()
    return folder


@contextlib.contextmanager
def running(stack: Stack, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`uncia harvest run --on-workers`; killed at the end of the block if it has not ended."""
    command = [sys.executable, "-m", "uncia", "harvest", "run", str(folder), "--on-workers", "--quick"]
    environment = {**os.environ, **stack.environment()}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def outcomes(settings: Settings) -> list[HarvestPictureFetched]:
    messages = read_topics(settings, (HARVEST_PICTURE_FETCHED,), from_beginning=True, until_end=True)
    return [HarvestPictureFetched.from_bytes(message.value) for message in messages]


def workers_that_fetched(settings: Settings) -> set[str]:
    """The process ids of the workers that stored pictures."""
    return {one.worker.rpartition(":")[2] for one in outcomes(settings) if one.state is FetchState.STORED}


def states(folder: Path) -> Counter[tuple[str, str]]:
    store = HarvestStore(harvest_file(folder))
    try:
        return Counter({(state, reason): number for _, _, state, reason, number in store.counts()})
    finally:
        store.close()


def test_a_dataset_is_complete_and_the_rate_is_kept_although_a_worker_and_the_run_are_killed(
    stack: Stack,
    settings: Settings,
    source: PictureHosts,
    harvest: Path,
    start_worker: Callable[[str], WorkerProcess],
) -> None:
    killed, survivor = start_worker("killed"), start_worker("survivor")
    both = {str(worker.process.pid) for worker in (killed, survivor)}
    for worker in (killed, survivor):
        worker.wait_until_ready()
    with running(stack, harvest):
        wait_until(lambda: workers_that_fetched(settings) == both, LIMIT_S, "pictures of both workers")
        killed.end(signal.SIGKILL)
    seen = source.pictures()
    with running(stack, harvest) as run:
        output, _ = run.communicate(timeout=SCALE * LIMIT_S)

    assert run.returncode == 0, output + survivor.output[-3000:]
    assert source.pictures() > seen
    assert states(harvest) == {
        ("stored", ""): source.good(),
        ("failed", "image-unknown-kind"): 1,
        ("failed", "image-truncated"): 1,
        ("refused", "robots"): 1,
    }
    with (harvest / "pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({row["path"] for row in rows}) == len(rows) == source.good()
    assert source.forbidden not in {one.path for one in source.requests}
    assert_polite(source)


def test_a_worker_that_was_suspended_beyond_its_session_asks_nobody_when_it_resumes(
    stack: Stack,
    source: PictureHosts,
    harvest: Path,
    start_worker: Callable[[str], WorkerProcess],
) -> None:
    suspended, other = start_worker("suspended"), start_worker("other")
    for worker in (suspended, other):
        worker.wait_until_ready()
    with running(stack, harvest) as run:
        wait_until(lambda: "picture_fetched" in suspended.output, LIMIT_S, "a picture of the worker")
        suspended.process.send_signal(signal.SIGSTOP)
        before = len(other.output)
        wait_until(lambda: ALL_PARTITIONS in other.output[before:], LIMIT_S, "an owner of all partitions")
        suspended.process.send_signal(signal.SIGCONT)
        output, _ = run.communicate(timeout=SCALE * LIMIT_S)
    assert run.returncode == 0, output + other.output[-3000:]
    assert states(harvest)["stored", ""] == source.good()
    assert_polite(source)


def assert_polite(source: PictureHosts) -> None:
    """Each host got requests at its rate from all workers together, and the pause that it required."""
    for server in source.servers.values():
        times = sorted(one.at for one in server.requests)
        for (i, first), (j, second) in combinations(enumerate(times), 2):
            # An arrival may be late by less than an interval, on a busy machine.
            assert second - first > (j - i - 1) * INTERVAL_S
    # The host that required a pause got it.
    (host,) = (server for server in source.servers.values() if any(one.path == source.busy for one in server.requests))
    asked = next(one.at for one in host.requests if one.path == source.busy)
    assert not [one for one in host.requests if asked < one.at < asked + PAUSE_S]
