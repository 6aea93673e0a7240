"""Downloads by workers, on topics and a store in memory: whichever side is killed at whatever step, nothing is lost."""

import hashlib
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.harvest.public_sources import picture
from uncia.events import FetchState, HarvestPictureFetched, HarvestPictureRequested
from uncia.harvest_requests import interleave_hosts, picture_key
from uncia.kafka.broker import Message
from uncia.polite_http.client import FetchStopped
from uncia.settings import Settings
from uncia.storage.object_store import ObjectMissing
from uncia.topics import HARVEST_PICTURE_FETCHED
from uncia.training.harvest import worker_fetching
from uncia.training.harvest.fetching import FetchOutcome
from uncia.training.harvest.licence import parse_licence
from uncia.training.harvest.query import HarvestPlan, Query, QueryKind
from uncia.training.harvest.record import PictureRecord
from uncia.training.harvest.store import HarvestStore, harvest_file
from uncia.training.harvest.worker_fetching import WorkerFetcher, WorkersOnKafka

TOPIC = HARVEST_PICTURE_FETCHED.name
URLS = [f"http://host-{number % 2}.example.org/{number}.jpg" for number in range(5)]
HTML = URLS[3]
GONE = URLS[4]
GOOD = URLS[:3]
CONTENT = {url: picture(number) for number, url in enumerate(GOOD)} | {HTML: b"<html>Sorry</html>"}


class Killed(BaseException):
    """The process ends here."""


class World:
    """The topics, the store and the hosts of pictures; a worker that carries out requests when the run waits."""

    def __init__(self) -> None:
        self.requests: list[HarvestPictureRequested] = []
        self.outcomes: list[HarvestPictureFetched] = []
        self.objects: dict[str, bytes] = {}
        self.fetched: Counter[str] = Counter()
        self.committed = 0
        self.run_steps: int | None = None
        """Steps until the run is killed."""
        self.worker_steps: list[int] = []
        """Steps until each of the worker's processes is killed; the last one lives."""

    def step(self) -> None:
        if self.run_steps is not None:
            self.run_steps -= 1
            if self.run_steps < 0:
                raise Killed

    def work(self) -> None:
        """A worker, from the offset that was committed; another one where it is killed."""
        left = self.worker_steps.pop(0) if self.worker_steps else None

        def step() -> bool:
            nonlocal left
            left = None if left is None else left - 1
            return left is not None and left < 0

        while self.committed < len(self.requests):
            request = self.requests[self.committed]
            key = picture_key(request.harvest_id, request.request_id)
            if request.url in CONTENT and key not in self.objects:
                self.fetched[request.url] += 1
                if step():
                    return self.work()
                self.objects[key] = CONTENT[request.url]
            if step():
                return self.work()
            self.outcomes.append(outcome_of(request, self.objects.get(key)))
            if step():
                return self.work()
            self.committed += 1
        return None


def outcome_of(request: HarvestPictureRequested, data: bytes | None) -> HarvestPictureFetched:
    stored = {} if data is None else {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return HarvestPictureFetched(
        harvest_id=request.harvest_id,
        request_id=request.request_id,
        host=request.host,
        worker="test:1",
        state=FetchState.FAILED if data is None else FetchState.STORED,
        reason="http-404" if data is None else None,
        ended_at=datetime(2026, 5, 14, tzinfo=UTC),
        **stored,
    )


def clients(world: World) -> dict[str, Any]:
    """What stands for the clients of the broker and the store."""

    class Consumer:
        def __init__(self, *_: object) -> None:
            self._next = 0

        def __enter__(self) -> "Consumer":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def end_offsets(self) -> dict[tuple[str, int], int]:
            return {(TOPIC, 0): len(world.outcomes)}

        def seek(self, offsets: Mapping[tuple[str, int], int]) -> None:
            self._next = offsets[TOPIC, 0]

        def poll(self, _: float) -> list[Message]:
            world.step()
            world.work()
            found = world.outcomes[self._next : self._next + 2]
            messages = [
                Message(TOPIC, 0, self._next + number, 0, None, one.to_bytes(), []) for number, one in enumerate(found)
            ]
            self._next += len(found)
            return messages

    def send(_: Settings, topic: object, messages: Sequence[tuple[str, bytes, bytes]]) -> None:
        for _host, _key, value in messages:
            world.step()
            world.requests.append(HarvestPictureRequested.from_bytes(value))

    class Store:
        def __init__(self, _: Settings) -> None:
            pass

        def close(self) -> None:
            pass

        def download(self, bucket: str, key: str, file: BinaryIO, *, max_bytes: int) -> SimpleNamespace:
            world.step()
            if key not in world.objects:
                raise ObjectMissing("object-missing", key)
            file.write(world.objects[key])
            return SimpleNamespace(sha256=hashlib.sha256(world.objects[key]).hexdigest())

    return {"OffsetConsumer": Consumer, "send_to_cameras": send, "ObjectStore": Store}


class KillableStore(HarvestStore):
    """The state of a harvest, before and after each write to which the run may be killed."""

    world: World

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        self.world.step()
        with super()._transaction() as database:
            yield database
        self.world.step()


def planned(folder: Path, urls: Sequence[str]) -> None:
    query = Query(QueryKind.POSITIVE, "gbif", "cat", "Felis catus", 100, "Felis catus")
    store = HarvestStore(harvest_file(folder), create=True)
    store.write_plan(HarvestPlan((), ("gbif",), 100, 0), [query])
    licence = parse_licence("cc0")
    records = [
        PictureRecord("gbif", str(number), url, url, "Ada", "cc0", licence, "", "", "", "Felis catus", "", "")
        for number, url in enumerate(urls)
    ]
    store.add_page(1, [(record, None) for record in records], None, 100)
    store.close()


def run(folder: Path, world: World, patch: pytest.MonkeyPatch, stop: threading.Event | None = None) -> FetchOutcome:
    for name, client in clients(world).items():
        patch.setattr(worker_fetching, name, client)
    store = KillableStore(harvest_file(folder))
    store.world = world
    try:
        fetcher = WorkerFetcher(
            store, folder, WorkersOnKafka(Settings(_env_file=None)), "ada@example.org", {}, stop or threading.Event()
        )
        return fetcher.fetch_all(store.wanted_pictures(), 2)
    finally:
        store.close()


def states(folder: Path) -> Counter[tuple[str, str]]:
    store = HarvestStore(harvest_file(folder))
    try:
        return Counter({(state, reason): count for _, _, state, reason, count in store.counts()})
    finally:
        store.close()


def files(folder: Path) -> list[bytes]:
    """The content of the pictures of the dataset."""
    store = HarvestStore(harvest_file(folder))
    try:
        return sorted((folder / one.file).read_bytes() for one in store.stored_pictures())
    finally:
        store.close()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.lists(st.integers(0, 12), max_size=4))
def test_a_kill_of_either_side_at_any_step_loses_nothing_and_doubles_nothing(
    run_kills: list[int], worker_kills: list[int]
) -> None:
    world = World()
    world.worker_steps = list(worker_kills)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        planned(folder, URLS)
        for kill in run_kills:
            world.run_steps = kill
            with suppress(Killed):
                run(folder, world, patch)
        world.run_steps = None
        run(folder, world, patch)
        assert states(folder) == {("stored", ""): 3, ("failed", "image-unknown-kind"): 1, ("failed", "http-404"): 1}
        assert files(folder) == sorted(CONTENT[url] for url in GOOD)
    for url in CONTENT:
        assert world.fetched[url] <= 1 + len(worker_kills)


@pytest.fixture
def world() -> World:
    return World()


def test_what_the_store_holds_must_be_what_the_worker_stored(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, URLS[:1])
    work = world.work

    def replaced() -> None:
        work()
        world.objects = dict.fromkeys(world.objects, b"something else")

    monkeypatch.setattr(world, "work", replaced)
    assert run(tmp_path, world, monkeypatch) == FetchOutcome(postponed=1)
    assert files(tmp_path) == []


def test_a_copy_that_was_deleted_is_requested_again_by_the_next_run(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, URLS[:1])
    with monkeypatch.context() as patch:
        work = world.work

        def deleted() -> None:
            work()
            world.objects.clear()

        patch.setattr(world, "work", deleted)
        assert run(tmp_path, world, patch) == FetchOutcome(postponed=1)
    assert run(tmp_path, world, monkeypatch) == FetchOutcome(stored=1)
    assert len({one.request_id for one in world.requests}) == 2


def test_outcomes_of_another_harvest_are_left_alone(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, URLS[:1])
    work = world.work

    def with_strangers() -> None:
        for one in world.requests[world.committed :]:
            world.outcomes.append(outcome_of(one.model_copy(update={"harvest_id": "b" * 32}), None))
            world.outcomes.append(outcome_of(one.model_copy(update={"request_id": "c" * 32}), None))
        work()

    monkeypatch.setattr(world, "work", with_strangers)
    assert run(tmp_path, world, monkeypatch) == FetchOutcome(stored=1)


def test_an_address_that_is_none_is_left_out_and_never_requested(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, ["ftp://example.org/a.jpg", "http://example.org/" + "a" * 9000, URLS[0]])
    assert run(tmp_path, world, monkeypatch) == FetchOutcome(stored=1, left_out=2)
    assert [one.url for one in world.requests] == URLS[:1]


def test_a_stopped_run_ends_and_the_next_one_collects_what_workers_stored_meanwhile(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path, GOOD)
    stop = threading.Event()
    stop.set()
    with pytest.raises(FetchStopped):
        run(tmp_path, world, monkeypatch, stop)
    world.work()
    assert run(tmp_path, world, monkeypatch) == FetchOutcome(stored=3)
    assert max(world.fetched.values()) == 1


def test_requests_alternate_between_hosts() -> None:
    items = [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)]
    assert list(interleave_hosts(items)) == [1, 4, 5, 2, 6, 3]
