"""Files that are written while the gateway reads: an incomplete upload is completed later."""

import contextlib
import itertools
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.producers.gateway.builders import (
    Crash,
    CrashPlan,
    FakeStore,
    RecordingReporter,
    jpeg,
    rows,
    run,
)
from uncia.producers.gateway import watcher
from uncia.producers.gateway.incomplete_files import FileStamp, GracePeriod, IncompleteFiles, is_open_for_writing
from uncia.producers.gateway.watcher import FoundFile, SkippedFiles, find_photographs

WHOLE = jpeg(1, side=120)
HALF = WHOLE[: len(WHOLE) // 2]
RESERVED = HALF + bytes(len(WHOLE) - len(HALF))
GRACE = GracePeriod(grace_s=60)
LONG_AGO = 1_500_000_000


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def put(path: Path, data: bytes, mtime: float | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(data)
        file.truncate()
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


@pytest.mark.parametrize(
    ("first", "mtime"),
    [(HALF, None), (b"", None), (HALF[:2], None), (RESERVED, LONG_AGO), (bytes(len(WHOLE)), LONG_AGO)],
    ids=["half", "empty", "two bytes", "room reserved, time set", "zeros, time set"],
)
@pytest.mark.parametrize("copy", [False, True])
def test_a_paused_transfer_is_uploaded_once_and_completely(
    card: Path, spool: Path, first: bytes, mtime: float | None, copy: bool
) -> None:
    path = put(card / "1.JPG", first, mtime)
    store = FakeStore()
    summary = run(card, spool, store, writer=[(30, lambda: put(path, WHOLE, mtime))], grace=GRACE, copy=copy)
    assert (list(store.objects.values()), len(store.sent)) == ([WHOLE], 1)
    assert (summary.complete, summary.partial) == (True, 0)


def test_a_file_that_is_never_completed_is_uploaded_and_reported_as_partial(card: Path, spool: Path) -> None:
    put(card / "1.JPG", HALF)
    store, reporter = FakeStore(), RecordingReporter()
    summary = run(card, spool, store, reporter, grace=GRACE)
    assert (list(store.objects.values()), summary.partial, summary.complete) == ([HALF], 1, True)
    assert reporter.of("incomplete")[0]["error"] == "the JPEG has no end yet"
    assert reporter.of("uploaded")[0]["partial"] == "the JPEG has no end yet"
    assert "1 partial" in summary.sentence()


@pytest.mark.parametrize("first", [HALF, RESERVED, b""], ids=["half", "room reserved", "empty"])
def test_a_file_completed_after_its_upload_replaces_its_object(card: Path, spool: Path, first: bytes) -> None:
    path = put(card / "1.JPG", first, LONG_AGO)
    store, reporter = FakeStore(), RecordingReporter()
    run(card, spool, store, grace=GRACE)
    put(path, WHOLE, LONG_AGO)
    run(card, spool, store, reporter, grace=GRACE)
    assert list(store.objects.values()) == [WHOLE]
    assert [row["state"] for row in rows(spool)] == ["superseded", "confirmed"]
    assert reporter.of("uploaded")[0]["replaces"]


def test_a_complete_photograph_that_grows_replaces_its_object(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE)
    store = FakeStore()
    run(card, spool, store)
    put(path, WHOLE + jpeg(2))
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE + jpeg(2)]


def test_bytes_after_a_complete_photograph_may_arrive_late(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE + bytes(8), LONG_AGO)
    store = FakeStore()
    run(card, spool, store)
    put(path, WHOLE + b"serial 7", LONG_AGO)
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE + b"serial 7"]


def test_another_photograph_under_the_name_of_a_partial_one_replaces_nothing(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = FakeStore()
    run(card, spool, store)
    put(path, jpeg(2))
    run(card, spool, store)
    assert sorted(store.objects.values()) == sorted([HALF, jpeg(2)])


def test_files_of_zeros_that_are_filled_later_are_separate_photographs(card: Path, spool: Path) -> None:
    for number in range(3):
        put(card / f"{number}.JPG", bytes(len(WHOLE)), LONG_AGO)
    store = FakeStore()
    assert run(card, spool, store).duplicates == 0
    assert len(store.objects) == 3
    for number in range(3):
        put(card / f"{number}.JPG", jpeg(number, side=120)[: len(WHOLE)], LONG_AGO)
    run(card, spool, store)
    assert sorted(store.objects.values()) == sorted(jpeg(number, side=120)[: len(WHOLE)] for number in range(3))


def test_a_partial_file_is_never_removed_from_the_card(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = FakeStore()
    for _ in range(2):
        assert run(card, spool, store, remove=True).removed == 0
    put(path, WHOLE)
    assert run(card, spool, store, remove=True).removed == 1
    assert list(store.objects.values()) == [WHOLE]


def test_a_file_with_only_a_new_change_time_is_not_uploaded_again(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE)
    store = FakeStore()
    run(card, spool, store)
    path.chmod(0o600)
    summary = run(card, spool, store)
    assert (len(store.sent), summary.duplicates, len(rows(spool))) == (1, 0, 1)


def test_untrusted_change_times_return_no_file_again(tmp_path: Path) -> None:
    path = put(tmp_path / "1.JPG", WHOLE)
    scanner = watcher.Watcher(tmp_path, settle_s=0)
    assert len(scanner.scan(0)) == 1
    path.chmod(0o600)
    assert len(scanner.scan(1)) == 1
    scanner.trusts_change_times = False
    path.chmod(0o644)
    assert scanner.scan(2) == []
    put(path, WHOLE + b"more")
    assert len(scanner.scan(3)) == 1


def test_changed_bytes_without_change_times_are_found_by_reading_again(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeless = lambda folder, left, extensions: (  # noqa: E731
        FoundFile(seen.path, seen.size, seen.mtime_ns) for seen in find_photographs(folder, left, extensions)
    )
    monkeypatch.setattr(watcher, "find_photographs", timeless)
    path = put(card / "1.JPG", RESERVED, LONG_AGO)
    store = FakeStore()
    run(card, spool, store)
    put(path, WHOLE, LONG_AGO)
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE]


def test_a_waiting_partial_copy_is_replaced_by_the_complete_one(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = FakeStore(*[OSError("down")] * 3)
    run(card, spool, store, copy=True, give_up_after_s=1)
    put(path, WHOLE)
    run(card, spool, store, copy=True)
    assert list(store.objects.values()) == [WHOLE]
    assert list(spool.with_name("spool.sqlite.files").iterdir()) == []


@settings(max_examples=25, deadline=None)
@example(steps=[(0.0, True, 1.0), (0.0, False, 65.0)], crash_steps=[], copy=False, remove=False, keep_time=True)
@given(
    steps=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 200)), max_size=6),
    crash_steps=st.lists(st.integers(1, 80), max_size=3),
    copy=st.booleans(),
    remove=st.booleans(),
    keep_time=st.booleans(),
)
def test_after_any_writes_and_crashes_the_complete_photograph_is_stored_under_one_key(
    steps: list[tuple[float, bool, float]], crash_steps: list[int], copy: bool, remove: bool, keep_time: bool
) -> None:
    """Each step: so much of it has arrived, room for the rest is reserved or not, and then the writer rests."""
    with tempfile.TemporaryDirectory() as place:
        folder, spool = Path(place, "card"), Path(place, "spool.sqlite")
        path, store, reporter = folder / "1.JPG", FakeStore(), RecordingReporter()
        contents, rests, arrived = [], [0.0], 0
        for share, reserve, rest in steps:
            arrived = max(arrived, int(share * (len(WHOLE) - 2)))
            contents.append(WHOLE[:arrived] + bytes(len(WHOLE) - arrived if reserve else 0))
            rests.append(rest)
        contents.append(WHOLE)

        def write() -> None:
            put(path, contents.pop(0), LONG_AGO if keep_time else None)
            rests.pop(0)

        folder.mkdir()
        for crash_step in [*crash_steps, None]:
            deeds = [(when, write) for when in itertools.accumulate(rests)]
            with contextlib.suppress(Crash):
                run(
                    folder,
                    spool,
                    store,
                    reporter,
                    crashes=CrashPlan(crash_step),
                    copy=copy,
                    remove=remove,
                    writer=deeds,
                    grace=GRACE,
                )
        while contents:
            write()
        run(folder, spool, store, reporter, copy=copy, remove=remove, grace=GRACE)
        assert list(store.objects.values()) == [WHOLE]
        assert path.exists() is not remove


def test_old_times_end_the_wait_for_a_card_at_once_and_for_a_watched_file_after_observation() -> None:
    old = FileStamp(1, LONG_AGO * 10**9, LONG_AGO * 10**9)
    now = LONG_AGO + 1000.0
    assert IncompleteFiles(GracePeriod.once(None)).seconds_to_wait(1, old, "half", now) is None
    watched = IncompleteFiles(GracePeriod.watching(None))
    assert watched.seconds_to_wait(1, old, "half", now)
    assert watched.seconds_to_wait(1, old, "half", now + 29)
    assert watched.seconds_to_wait(1, old, "half", now + 31) is None


def test_a_change_or_a_clock_set_back_restarts_the_wait() -> None:
    incomplete = IncompleteFiles(GracePeriod(60))
    first, second = FileStamp(1, 5 * 10**18, 0), FileStamp(2, 5 * 10**18, 0)
    assert incomplete.seconds_to_wait(1, first, "half", 1000)
    assert incomplete.seconds_to_wait(1, second, "half", 1059)
    assert incomplete.seconds_to_wait(1, second, "half", 1118)
    assert incomplete.seconds_to_wait(1, second, "half", 500)
    assert incomplete.seconds_to_wait(1, second, "half", 559)
    assert incomplete.seconds_to_wait(1, second, "half", 560) is None


def test_a_file_that_a_program_writes_is_known_as_such(tmp_path: Path) -> None:
    path = put(tmp_path / "1.JPG", HALF)
    assert not is_open_for_writing(path)
    with path.open("rb"):
        assert not is_open_for_writing(path)
    with path.open("ab"):
        assert is_open_for_writing(path)
    assert not is_open_for_writing(tmp_path / "none.JPG")


def test_a_file_that_a_program_holds_open_is_waited_for_longer(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", b"\x89PNG, and nothing tells where it ends")
    store = FakeStore()
    with path.open("ab") as file:

        def finish() -> None:
            file.write(b" but here")
            file.close()

        run(card, spool, store, writer=[(100, finish)], grace=GracePeriod(10))
    assert list(store.objects.values()) == [path.read_bytes()]
    assert len(store.sent) == 1


def test_names_that_programs_give_to_unfinished_files_are_waited_for(tmp_path: Path) -> None:
    for name in ("~1.JPG", "1.part.JPG", "2.tmp.jpg", "part.JPG", "camp-part.JPG"):
        put(tmp_path / name, WHOLE)
    scanner = watcher.Watcher(tmp_path, settle_s=0, temporary_s=60)
    assert [seen.path.name for seen in scanner.scan(0)] == ["camp-part.JPG", "part.JPG"]
    assert scanner.unsettled == 3
    assert len(scanner.scan(60)) == 3


def test_links_and_unreadable_folders_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "1.JPG", WHOLE)
    put(tmp_path / "b" / "2.JPG", WHOLE)
    (tmp_path / "link.JPG").symlink_to(tmp_path / "a" / "1.JPG")
    scandir = os.scandir

    def torn(path: Path) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", torn)
    left = SkippedFiles()
    assert [seen.path.name for seen in find_photographs(tmp_path, left)] == ["1.JPG"]
    assert left.kinds == {"link or device": 1}
    assert left.unreadable == {tmp_path / "b": "Permission denied"}
