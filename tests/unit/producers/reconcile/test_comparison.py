"""Whatever is stored, announced, answered, lost or stopped, in whatever order: nothing is forgotten for ever."""

import contextlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from uncia.errors import UnciaError
from uncia.producers.reconcile import comparison as comparison_module
from uncia.producers.reconcile.comparison import BucketComparison, ComparisonProgress, Scope
from uncia.producers.reconcile.ledger import Ledger, MovedUpload, UploadFact
from uncia.producers.reconcile.object_state import ObjectState
from uncia.producers.reconcile.upload_facts import object_keys, report_key
from uncia.storage.object_store import StoredObject

AGAIN_S, FRESH_S, UNANSWERED_S = 100.0, 10.0, 50.0
START = 1_800_000_000.0


MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Thousands of small files are written and forgotten."""


class Stopped(Exception):
    """The power went."""


class World:
    """A bucket and its topics, a clock, and a comparison that may be stopped anywhere."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.sqlite"
        self.now = START
        self.objects: dict[str, StoredObject] = {}
        self.log: list[UploadFact] = []
        self.announced: dict[str, list[float]] = {}
        self.listed = 0
        self.stop_after: int | None = None
        self.lose_announcements = False
        self.reported: list[tuple[ObjectState, str]] = []
        self.moved: list[MovedUpload] = []

    def store(self, *keys: str) -> None:
        for key in keys:
            self.objects[key] = StoredObject(key, f"etag-{key}", 1, datetime.fromtimestamp(self.now, UTC))

    def upload(self, key: str) -> bytes:
        return object_keys("b", key, f"etag-{key}")[0]

    def announce(self, key: str) -> None:
        self.log.append(UploadFact(self.upload(key), announced=self.now))

    def fact_of_prediction(self, key: str) -> None:
        self.log.append(UploadFact(self.upload(key), answered=self.now))

    def run(self, scope: Scope | None = None) -> ComparisonProgress:
        """With a ledger opened anew, as after a restart."""
        ledger = Ledger(self.path, "same")
        try:
            comparison = BucketComparison(
                ledger, "b", lambda: self._catch_up(ledger), self._list, self._announce,
                self.moved.extend, self._etag_at, FRESH_S, UNANSWERED_S, AGAIN_S, lambda: self.now,
            )  # fmt: skip
            return comparison.run(scope or Scope(), "test", lambda state, key: self.reported.append((state, key)))
        finally:
            ledger.close()

    def _catch_up(self, ledger: Ledger) -> None:
        start = ledger.positions().get(("t", 0), 0)
        ledger.apply(self.log[start:], {("t", 0): len(self.log)})

    def _etag_at(self, key: str) -> str | None:
        return self.objects[key].etag if key in self.objects else None

    def _list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                if self.stop_after is not None and self.listed >= self.stop_after:
                    raise Stopped
                self.listed += 1
                yield self.objects[key]

    def _announce(self, objects: list[StoredObject]) -> None:
        for stored in objects:
            self.announced.setdefault(stored.key, []).append(self.now)
            if not self.lose_announcements:
                self.announce(stored.key)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison_module, "PAGE_SIZE", 2)
    monkeypatch.setattr(comparison_module, "_MAX_PENDING", 3)


def test_an_unreadable_object_is_not_missing_and_retried_ever_more_rarely(world: World) -> None:
    world.store("a.jpg")
    world.announce("a.jpg")
    world.log.append(UploadFact(world.upload("a.jpg"), refused=world.now))
    for _ in range(24 * 6):
        world.now += 600
        assert world.run().is_zero
        if world.announced.get("a.jpg", [0])[-1] == world.now:
            world.log.append(UploadFact(world.upload("a.jpg"), refused=world.now))
    assert 3 <= len(world.announced["a.jpg"]) <= 10
    gaps = [later - earlier for earlier, later in pairwise(world.announced["a.jpg"])]
    assert gaps == sorted(gaps)
    world.fact_of_prediction("a.jpg")
    world.now += 30 * 24 * 3600
    assert world.run().count(ObjectState.ANSWERED) == 1


KEYS = st.sampled_from([f"s/c/{number}.jpg" for number in range(6)])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["store", "announce", "fact_of_prediction"]), KEYS),
        st.tuples(st.just("pass"), st.integers(1, 150)),
        st.tuples(st.just("round"), st.one_of(st.none(), st.integers(0, 6))),
        st.tuples(st.just("lossy round"), st.none()),
    ),
    max_size=25,
)


@example_settings(max_examples=40)
@given(steps=STEPS)
def test_every_object_is_announced_and_none_twice_within_the_wait(steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        world = World(Path(folder))
        for kind, what in steps:
            if kind == "store":
                if str(what) not in world.objects:
                    world.store(str(what))
            elif kind in ("announce", "fact_of_prediction"):
                if str(what) in world.objects:
                    getattr(world, kind)(str(what))
            elif kind == "pass":
                world.now += float(str(what))
            else:
                world.listed, world.stop_after = 0, None if what is None else int(str(what))
                world.lose_announcements = kind == "lossy round"
                with contextlib.suppress(Stopped):
                    world.run()

        world.stop_after, world.lose_announcements = None, False
        for _ in range(3):  # what a stopped round had passed over comes with the next one
            world.now += AGAIN_S + 1
            world.run()
        ids = {fact.id for fact in world.log}
        assert all(world.upload(key) in ids for key in world.objects)
        for times in world.announced.values():
            assert all(later - earlier >= AGAIN_S for earlier, later in pairwise(times))


def test_an_interrupted_comparison_resumes(world: World) -> None:
    world.store(*(f"k{number}" for number in range(8)))
    for number in range(8):
        world.fact_of_prediction(f"k{number}")
    world.stop_after = 5
    with pytest.raises(Stopped):
        world.run()
    world.listed, world.stop_after = 0, None

    progress = world.run()

    assert world.listed == 4
    assert progress.count(ObjectState.ANSWERED) == 8


def test_a_comparison_of_another_scope_starts_at_the_beginning(world: World) -> None:
    world.store("a1", "a2", "a3", "b1")
    world.stop_after = 3
    with pytest.raises(Stopped):
        world.run()
    world.stop_after = None
    assert sum(world.run(Scope(prefix="a")).counts.values()) == 3


def test_a_prefix_matches_keys_in_every_unicode_form(world: World) -> None:
    world.store("ho\u0308he/1", "h\u00f6he/2", "hohe/3", "hut/4", "ridge/5")
    assert sum(world.run(Scope(prefix="h\u00f6he/")).counts.values()) == 2
    assert sum(world.run(Scope(prefix="ho\u0308he/")).counts.values()) == 2
    assert world.listed == 8  # what begins with an h, twice


def test_crops_and_explanations_are_no_lost_photographs(world: World) -> None:
    digest = "0123456789abcdef01234567"
    world.store(f"crops/r/c/crp-{digest}.jpg", f"crops/r/c/bst-{digest}.json", f"explanations/r/c/img-{digest}.png")
    world.store("crops/c/1.jpg")
    world.now += FRESH_S + 1
    world.run()
    assert list(world.announced) == ["crops/c/1.jpg"]


def test_a_status_report_whose_notification_was_lost_is_announced_once(world: World) -> None:
    lost, known = (f"status/r/c/sts-{digit * 24}.json" for digit in "ab")
    world.store(lost, known)
    world.log.append(UploadFact(report_key("r/c", f"sts-{'b' * 24}"), announced=world.now, answered=world.now))
    world.now += FRESH_S + 1
    world.run()
    assert list(world.announced) == [lost]
    world.log.append(UploadFact(report_key("r/c", f"sts-{'a' * 24}"), announced=world.now, answered=world.now))
    world.now += AGAIN_S + 1
    assert world.run().is_zero
    assert world.announced[lost] == world.announced[lost][:1]


def test_unanswered_objects_are_reported_and_announced_again_only_on_request(world: World) -> None:
    world.store("k")
    world.announce("k")
    world.now += UNANSWERED_S + 1
    assert world.run().count(ObjectState.UNANSWERED) == 1
    assert world.announced == {}

    world.run(Scope(again=True))

    assert list(world.announced) == ["k"]
    assert world.reported == [(ObjectState.UNANSWERED, "k")] * 2
    assert world.run().is_zero


def test_dates_refer_to_the_clock_of_the_store(world: World) -> None:
    world.store("old")
    world.now += 3600
    world.store("new")
    world.now += 60
    moment = datetime.fromtimestamp(START + 1800, UTC)
    world.run(Scope(since=moment))
    world.run(Scope(until=moment))
    assert world.reported == [(ObjectState.MISSED, "new"), (ObjectState.MISSED, "old")]


def test_recreated_topics_clear_the_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l", "one")
    ledger.apply([UploadFact(b"x" * 12, answered=1.0)], {("t", 0): 9})
    ledger.close()
    assert Ledger(tmp_path / "l", "one").positions() == {("t", 0): 9}
    assert Ledger(tmp_path / "l", "two").positions() == {}


def test_a_ledger_of_a_newer_version_is_refused_unchanged(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l", "one")
    ledger._db.execute("UPDATE meta SET value='99' WHERE name='version'")
    ledger.close()
    with pytest.raises(UnciaError, match="newer version"):
        Ledger(tmp_path / "l", "two")


def test_a_file_that_is_not_a_ledger_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"not a database" * 100)
    with pytest.raises(UnciaError, match="remove it"):
        Ledger(tmp_path / "l", "one")
