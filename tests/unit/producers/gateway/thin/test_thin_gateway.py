"""A gateway behind a thin link: a thumbnail first, the photograph on request, and nothing lost."""

import contextlib
import errno
import io
import sqlite3
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.producers.gateway.builders import Clock, Crash, CrashPlan, RecordingReporter, rows
from tests.unit.producers.gateway.thin.builders import SIDE, MeteredStore, ThinStore, exposure, run_thin
from uncia.errors import DependencyDown
from uncia.fetch_requests import fetch_id
from uncia.producers.gateway.content import SourceMissing
from uncia.producers.gateway.spool_entry import NOT_STORED
from uncia.producers.gateway.thin import link
from uncia.storage.durable import replace_durably

TAKEN = datetime(2026, 3, 14, 7, 15, 30)
DAY_S = 86_400


def fill(folder: Path, count: int = 1) -> list[bytes]:
    """Photographs of one camera, a second apart."""
    return [
        exposure(folder / "north" / f"IMG_{at:04d}.JPG", TAKEN + timedelta(seconds=at), seed=at) for at in range(count)
    ]


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "card", tmp_path / "spool.sqlite"


def test_the_store_gets_a_thumbnail_with_the_exif_and_the_file_name_of_the_photograph(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store = ThinStore()
    summary = run_thin(*place, store)
    (key,) = store.objects
    assert key.startswith("ridge/north/2026/03/14/thumbnail-")
    with Image.open(io.BytesIO(store.objects[key])) as image:
        assert image.size == (SIDE, 48)
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2026:03:14 07:15:30"
    assert (summary.thumbnails, summary.held, summary.uploaded, summary.complete) == (1, 1, 0, False)


def test_a_requested_photograph_is_stored_beside_its_thumbnail_under_the_same_file_name(
    place: tuple[Path, Path],
) -> None:
    (data,) = fill(place[0])
    store = ThinStore()
    run_thin(*place, store)
    store.request_all()
    summary = run_thin(*place, store)
    assert store.photographs == [data]
    assert len({key.rpartition("/")[2] for key in store.objects}) == 1
    assert (summary.uploaded, summary.held, summary.complete) == (1, 0, True)


def test_the_copy_of_a_held_photograph_outlives_its_source(place: tuple[Path, Path]) -> None:
    (data,) = fill(place[0])
    store = ThinStore()
    run_thin(*place, store)
    (place[0] / "north" / "IMG_0000.JPG").unlink()
    store.request_all()
    run_thin(*place, store)
    assert store.photographs == [data]


@pytest.mark.parametrize(("taken", "size"), [(None, (256, 192)), (TAKEN, (SIDE, 48))], ids=["no time", "small already"])
def test_a_photograph_that_no_thumbnail_can_stand_for_is_sent_whole(
    place: tuple[Path, Path], taken: datetime | None, size: tuple[int, int]
) -> None:
    data = exposure(place[0] / "north" / "IMG_0000.JPG", taken, size=size)
    store, reporter = ThinStore(), RecordingReporter()
    assert run_thin(*place, store, reporter).complete
    assert list(store.objects.values()) == [data]
    assert reporter.of("no-thumbnail")


def test_the_same_photograph_twice_is_held_once(place: tuple[Path, Path]) -> None:
    fill(place[0])
    (place[0] / "north" / "copy.JPG").write_bytes((place[0] / "north" / "IMG_0000.JPG").read_bytes())
    store = ThinStore()
    summary = run_thin(*place, store)
    assert (len(store.thumbnails), summary.held, summary.duplicates) == (1, 1, 1)


def repeat(folder: Path) -> None:
    """Copy the photograph under another name."""
    (folder / "north" / "copy.JPG").write_bytes((folder / "north" / "IMG_0000.JPG").read_bytes())


def test_a_requested_photograph_is_sent_although_the_same_one_was_held_meanwhile(place: tuple[Path, Path]) -> None:
    (data,) = fill(place[0])
    store = ThinStore()
    run_thin(*place, store, daily_bytes=60_000)
    store.request_all()
    repeat(place[0])
    run_thin(*place, store, daily_bytes=60_000)  # it is too large for that
    assert [row["state"] for row in rows(place[1])] == ["spooled", "held"]
    run_thin(*place, store)
    assert store.photographs == [data]


def test_what_repeats_a_held_photograph_that_vanishes_is_held_itself(place: tuple[Path, Path]) -> None:
    fill(place[0])
    repeat(place[0])
    store = ThinStore()
    run_thin(*place, store)
    store.request_all()
    (place[0] / "north" / "IMG_0000.JPG").unlink()
    store.failures = [SourceMissing("its copy cannot be read")]
    run_thin(*place, store)
    assert [row["state"] for row in rows(place[1])] == ["gone", "held"]


def test_what_repeats_a_held_photograph_expires_with_it(place: tuple[Path, Path]) -> None:
    fill(place[0])
    repeat(place[0])
    store = ThinStore()
    run_thin(*place, store, keep_days=2)
    summary = run_thin(*place, store, keep_days=2, clock=at(Clock().now + 3 * DAY_S))
    assert [row["state"] for row in rows(place[1])] == ["expired", "expired"]
    assert summary.expired == 2


def test_of_a_photograph_that_repeats_a_held_one_it_is_not_said_that_it_is_stored(place: tuple[Path, Path]) -> None:
    fill(place[0])
    repeat(place[0])
    reporter = RecordingReporter()
    run_thin(*place, ThinStore(), reporter)
    (event,) = reporter.of("duplicate")
    assert "copy.JPG repeats IMG_0000.JPG, of which the store has the thumbnail" in event["text"]
    assert event["key"] is None


def answers(reporter: RecordingReporter) -> list[str]:
    return [line["answer"] for line in reporter.of("fetch")]


def test_a_request_of_an_unknown_photograph_is_answered_once_and_changes_nothing(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store, reporter = ThinStore(), RecordingReporter()
    store.request("ridge/north/2026/03/14/thumbnail-0/unknown.jpg")
    for _ in range(2):
        run_thin(*place, store, reporter)
    assert answers(reporter) == ["unknown"]
    assert "knows no such thumbnail" in reporter.of("fetch")[0]["text"]
    assert [row["state"] for row in rows(place[1])] == ["held"]


def test_a_request_of_a_photograph_that_was_sent_is_answered_and_sends_nothing(place: tuple[Path, Path]) -> None:
    fill(place[0], 2)
    store, reporter = ThinStore(), RecordingReporter()
    run_thin(*place, store, reporter)
    first = store.thumbnails[0]
    store.request(first, by_person=False)
    run_thin(*place, store, reporter)
    sent = len(store.sent)
    store.requests.clear()
    store.request(first)
    run_thin(*place, store, reporter)
    assert answers(reporter) == ["sending", "sent"]
    assert len(store.sent) == sent


def test_an_unchanged_list_is_not_read_again(place: tuple[Path, Path]) -> None:
    fill(place[0], 2)
    store = ThinStore()
    store.request("unknown/1")
    run_thin(*place, store)
    run_thin(*place, store)
    assert store.read[0] == ""
    assert store.read[-1] != ""


def test_what_nobody_requests_in_time_expires_and_is_named(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store, reporter = ThinStore(), RecordingReporter()
    run_thin(*place, store, reporter, keep_days=2)
    (place[0] / "north" / "IMG_0000.JPG").unlink()
    later = Clock()
    later.now += 3 * DAY_S
    run_thin(*place, store, reporter, keep_days=2, clock=later)
    assert "IMG_0000.JPG was not requested in 2 days" in reporter.of("expired")[0]["text"]
    assert list(place[1].with_name("spool.sqlite.files").iterdir()) == []
    fill(place[0], 2)  # another photograph is held, so that requests are looked up
    (place[0] / "north" / "IMG_0000.JPG").unlink()
    store.request_all()
    run_thin(*place, store, reporter, keep_days=2, clock=later)
    assert answers(reporter) == ["gone"]


def at(seconds: float) -> Clock:
    """A clock that shows this Unix time."""
    clock = Clock()
    clock.now = seconds
    return clock


def test_what_was_requested_in_time_is_sent_although_the_link_was_out_until_later(place: tuple[Path, Path]) -> None:
    (data,) = fill(place[0])
    store = ThinStore()
    run_thin(*place, store, keep_days=2)
    store.request_all()
    run_thin(*place, store, keep_days=2, clock=at(Clock().now + 3 * DAY_S))
    assert store.photographs == [data]


def test_nothing_expires_while_requests_cannot_be_looked_up(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store = ThinStore()
    run_thin(*place, store, keep_days=2)
    store.list_error = DependencyDown("the link is gone")
    run_thin(*place, store, keep_days=2, clock=at(Clock().now + 3 * DAY_S))
    assert [row["state"] for row in rows(place[1])] == ["held"]


def test_one_run_ends_the_time_of_all_that_expire(place: tuple[Path, Path]) -> None:
    fill(place[0], 3)
    store = ThinStore()
    run_thin(*place, store, keep_days=2)
    run_thin(*place, store, keep_days=2, clock=at(Clock().now + 3 * DAY_S))
    assert [row["state"] for row in rows(place[1])] == ["expired"] * 3


def test_a_run_is_not_complete_where_the_store_has_only_thumbnails_of_what_expired(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store, later = ThinStore(), at(Clock().now + 3 * DAY_S)
    run_thin(*place, store, keep_days=2)
    for _ in range(2):
        summary = run_thin(*place, store, keep_days=2, clock=later)
        assert (summary.held, summary.expired, summary.complete) == (0, 1, False)
        assert "1 expired, of which the store has the thumbnail only" in summary.sentence()


def test_what_is_held_since_before_the_clock_was_set_is_held_since_then(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store = ThinStore()
    run_thin(*place, store, keep_days=2, clock=at(100))
    for days, state in ((0, "held"), (1, "held"), (3, "expired")):
        run_thin(*place, store, keep_days=2, clock=at(1_800_000_000 + days * DAY_S))
        assert [row["state"] for row in rows(place[1])] == [state]


def test_nothing_expires_because_the_clock_is_set_during_a_run(place: tuple[Path, Path]) -> None:
    fill(place[0], 2)
    store = ThinStore(None, OSError("a reason to wait"))
    clock = Clock([(3, lambda: setattr(clock, "now", clock.now + 100 * DAY_S))])
    clock.began = clock.now = 1_800_000_000
    run_thin(*place, store, keep_days=2, clock=clock)
    assert clock.now > clock.began + 99 * DAY_S
    assert [row["state"] for row in rows(place[1])] == ["held", "held"]


def test_an_edited_photograph_replaces_its_thumbnail_and_keeps_its_request(place: tuple[Path, Path]) -> None:
    fill(place[0])
    path = place[0] / "north" / "IMG_0000.JPG"
    store = ThinStore()
    run_thin(*place, store)
    (key,) = store.thumbnails
    edited = path.read_bytes() + b"a caption behind the end of the image"
    path.write_bytes(edited)
    run_thin(*place, store)
    assert store.thumbnails == [key]
    store.request(key)
    run_thin(*place, store)
    assert store.photographs == [edited]


def test_the_day_that_is_used_up_is_reported_and_the_next_one_continues(place: tuple[Path, Path]) -> None:
    originals = fill(place[0], 8)
    store, reporter, clock = MeteredStore(), RecordingReporter(), Clock()
    limit = 18_000
    run_thin(*place, store, reporter, daily_bytes=limit, clock=clock, give_up_after_s=60)
    assert len(store.thumbnails) < len(originals)
    assert "wait for the next UTC day" in reporter.of("budget")[0]["text"]
    for _ in range(6):
        clock.now += DAY_S
        run_thin(*place, store, reporter, daily_bytes=limit, clock=clock, give_up_after_s=60)
    assert len(store.thumbnails) == len(originals)


def test_a_photograph_larger_than_any_day_permits_stays_and_is_named(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store, reporter = ThinStore(), RecordingReporter()
    run_thin(*place, store, reporter, daily_bytes=60_000)
    store.request_all()
    summary = run_thin(*place, store, reporter, daily_bytes=60_000)  # and ends, although it waits for nothing else
    assert "IMG_0000.JPG needs" in reporter.of("too-large")[0]["text"]
    assert (summary.remaining, summary.too_large, store.photographs) == (1, 1, [])
    assert "1 remain for the next run, 1 of them too large for any day of the link" in summary.sentence()


def test_requests_are_looked_up_each_day_however_small_the_budget_is(place: tuple[Path, Path]) -> None:
    fill(place[0])
    store = MeteredStore()
    run_thin(*place, store, daily_bytes=18_000)
    store.request_all()
    reads = len(store.read)
    run_thin(*place, store, daily_bytes=18_000, clock=at(Clock().now + DAY_S))
    assert len(store.read) == reads + 1


def test_a_thumbnail_too_large_for_any_day_is_made_smaller(place: tuple[Path, Path]) -> None:
    path = place[0] / "north" / "IMG_0000.JPG"
    exposure(path, TAKEN, maker_note=20_000)
    store = ThinStore()
    run_thin(*place, store, daily_bytes=18_000)
    (key,) = store.thumbnails
    assert len(store.objects[key]) < 5_000


def test_where_no_thumbnail_is_small_enough_it_is_named_and_the_others_are_sent(place: tuple[Path, Path]) -> None:
    exposure(place[0] / "north" / "IMG_0000.JPG", TAKEN, artist=20_000)
    exposure(place[0] / "north" / "IMG_0001.JPG", TAKEN + timedelta(seconds=1), seed=1)
    store, reporter = ThinStore(), RecordingReporter()
    summary = run_thin(*place, store, reporter, daily_bytes=18_000)
    assert "IMG_0000.JPG" in reporter.of("too-large")[0]["text"]
    assert "its smallest thumbnail has" in reporter.of("no-thumbnail")[0]["text"]
    assert (len(store.thumbnails), summary.held, summary.too_large) == (1, 1, 1)


def test_a_larger_budget_gives_a_thumbnail_to_what_was_too_large_before(place: tuple[Path, Path]) -> None:
    exposure(place[0] / "north" / "IMG_0000.JPG", TAKEN, artist=20_000)
    store = ThinStore()
    run_thin(*place, store, daily_bytes=18_000)
    summary = run_thin(*place, store, daily_bytes=60_000)
    assert (len(store.thumbnails), summary.held, summary.too_large) == (1, 1, 0)


def test_a_disk_without_space_for_a_thumbnail_delays_it(
    place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(errno.ENOSPC, "No space left on device")] * 2

    def replace(new: Path, path: Path) -> None:
        if failures:
            raise failures.pop()
        replace_durably(new, path)

    monkeypatch.setattr(link, "replace_durably", replace)
    fill(place[0])
    store, reporter = ThinStore(), RecordingReporter()
    assert run_thin(*place, store, reporter).held == 1
    assert "No space left on device" in reporter.of("waiting")[0]["text"]


@settings(max_examples=12, deadline=None)
@given(
    count=st.integers(1, 3),
    crash_steps=st.lists(st.integers(1, 90), max_size=4),
    failures=st.lists(st.booleans(), max_size=4),
    wanted=st.sets(st.integers(0, 2)),
    copy=st.booleans(),
)
def test_after_crashes_every_photograph_is_held_or_stored_and_every_request_is_met(
    count: int, crash_steps: list[int], failures: list[bool], wanted: set[int], copy: bool
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, spool = Path(scratch, "card"), Path(scratch, "spool.sqlite")
        originals = fill(folder, count)
        store = ThinStore(*(DependencyDown("the link is gone") if failed else None for failed in failures))
        names = {path.name: at for at, path in enumerate(sorted((folder / "north").iterdir()))}
        reporter = RecordingReporter()
        for step in [*crash_steps, None]:
            with contextlib.suppress(Crash):
                run_thin(folder, spool, store, reporter, crashes=CrashPlan(step), copy=copy)
            _check_nothing_lost(originals, spool, store, folder)
        if copy:
            for path in folder.rglob("*.JPG"):
                path.unlink()  # from now on the copies are the only ones
        requested = {at for row in rows(spool) if (at := names[Path(row["source"].decode()).name]) in wanted}
        by_id = _thumbnail_ids(spool)
        for at in requested:
            key = next(key for key in store.thumbnails if fetch_id(key) == by_id[at + 1])
            store.request(key)
        for step in [*crash_steps, None]:
            with contextlib.suppress(Crash):
                run_thin(folder, spool, store, reporter, crashes=CrashPlan(step), copy=copy)
            _check_nothing_lost(originals, spool, store, folder)
        assert sorted(store.photographs) == sorted(originals[at] for at in requested)
        assert len(store.thumbnails) == count


def _thumbnail_ids(spool: Path) -> dict[int, str]:
    with contextlib.closing(sqlite3.connect(spool)) as database:
        return dict(database.execute("SELECT file, fetch_id FROM thumbnails").fetchall())


def _check_nothing_lost(originals: list[bytes], spool: Path, store: ThinStore, folder: Path) -> None:
    """Each photograph is in the store, in the folder, or in the spool as a copy that its row keeps."""
    kept = [path.read_bytes() for path in folder.rglob("*.JPG")]
    for row in rows(spool) if spool.exists() else []:
        copy = spool.with_name("spool.sqlite.files") / row["copy"] if row["copy"] else None
        if row["state"] in NOT_STORED and copy is not None:
            kept.append(copy.read_bytes())
        if row["state"] == "held":
            assert _thumbnail_ids(spool)[row["id"]] in {fetch_id(key) for key in store.thumbnails}
    assert all(data in kept or data in store.photographs for data in originals)
