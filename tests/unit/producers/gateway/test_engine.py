"""One run of the gateway over a folder."""

import os
import shutil
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.predict.reconyx_notes import hyperfire
from tests.unit.producers.gateway.builders import FakeStore, RecordingReporter, photograph, rows, run
from tests.unit.uncia.imaging.exif_builders import DATE_TIME_ORIGINAL, MAKER_NOTE, exif_segment, jpeg, segment
from uncia.errors import DependencyDown
from uncia.imaging.capture_time import TimeOrigin
from uncia.imaging.exif import Exif
from uncia.producers.gateway import content
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import SpoolFull
from uncia.producers.gateway.uploader import StoreMismatch
from uncia.storage.object_store import AccessRefused


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tmp_path / "card"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def test_sub_folders_are_cameras(card: Path, spool: Path) -> None:
    photograph(card / "north" / "1.JPG", "one")
    photograph(card / "2.JPG", "two")
    store = FakeStore()
    run(card, spool, store)
    assert {key.rsplit("/", 4)[0] for key in store.objects} == {"ridge/north", "ridge/card"}


def test_a_file_that_is_not_a_photograph_inside_is_uploaded(card: Path, spool: Path) -> None:
    photograph(card / "notes.jpg", "a text")
    store = FakeStore()
    run(card, spool, store)
    assert list(store.objects.values()) == [b"a text"]


def test_an_exact_copy_is_reported_and_not_sent(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG", "same")
    photograph(card / "2.JPG", "same")
    store, reporter = FakeStore(), RecordingReporter()
    summary = run(card, spool, store, reporter)
    assert (len(store.sent), summary.uploaded, summary.duplicates) == (1, 1, 1)
    assert reporter.of("duplicate")[0]["duplicate_of"] == str(card / "1.JPG")


def test_the_same_content_of_two_cameras_is_two_photographs(card: Path, spool: Path) -> None:
    photograph(card / "north" / "1.JPG", "same")
    photograph(card / "south" / "1.JPG", "same")
    assert run(card, spool, FakeStore()).uploaded == 2


def test_a_second_run_sends_nothing_again(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = FakeStore()
    run(card, spool, store)
    assert run(card, spool, store).uploaded == 0
    assert len(store.sent) == 1


def test_a_new_file_under_an_old_name_is_another_photograph(card: Path, spool: Path) -> None:
    photograph(card / "RCNX0001.JPG", "first card")
    store = FakeStore()
    run(card, spool, store)
    photograph(card / "RCNX0001.JPG", "second card")
    run(card, spool, store)
    assert set(store.objects.values()) == {b"first card", b"second card"}


def test_while_the_store_is_down_the_waits_grow(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store, reporter = FakeStore(*(DependencyDown("down") for _ in range(7))), RecordingReporter()
    assert run(card, spool, store, reporter).complete
    waits = [line["seconds"] for line in reporter.of("waiting")]
    assert len(waits) == 7
    assert waits[0] <= 1 < 30 <= waits[-1] <= 60


def test_concurrent_attempts_at_an_outage_count_as_one_failure(card: Path, spool: Path) -> None:
    for number in range(4):
        photograph(card / f"{number}.JPG", str(number))
    store, reporter = FakeStore(*(DependencyDown("down") for _ in range(100))), RecordingReporter()
    run(card, spool, store, give_up_after_s=30)
    store.failures = [DependencyDown("down")] * 4
    assert run(card, spool, store, reporter).complete
    assert len(reporter.of("waiting")) == 1


def test_wrong_credentials_are_reported_and_retried_slowly(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    reporter = RecordingReporter()
    assert run(card, spool, FakeStore(AccessRefused("check UNCIA_S3_SECRET_KEY")), reporter).complete
    assert "UNCIA_S3_SECRET_KEY" in reporter.of("waiting")[0]["text"]
    assert reporter.of("waiting")[0]["seconds"] >= 7


def test_a_file_that_the_store_disputes_does_not_delay_others(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG", "one")
    photograph(card / "2.JPG", "two")
    reporter = RecordingReporter()
    assert run(card, spool, FakeStore(StoreMismatch("other bytes")), reporter).complete
    assert [line["path"] for line in reporter.of("uploaded")] == [str(card / "2.JPG"), str(card / "1.JPG")]


def test_giving_up_leaves_the_rest_for_the_next_run(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = FakeStore(*(DependencyDown("down") for _ in range(50)))
    summary = run(card, spool, store, give_up_after_s=60)
    assert (summary.remaining, summary.complete) == (1, False)
    store.failures.clear()
    assert run(card, spool, store).complete


def test_a_vanished_file_is_reported_and_makes_the_run_incomplete(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store, reporter = FakeStore(DependencyDown("down")), RecordingReporter()
    send = store.send

    def send_after_removal(upload: Any) -> Any:
        path.unlink(missing_ok=True)
        return send(upload)

    store.send = send_after_removal  # type: ignore[method-assign]
    store.failures = [DependencyDown("down"), content.SourceMissing("1.JPG is not there any more")]
    assert not run(card, spool, store, reporter).complete
    assert reporter.of("vanished")[0]["path"] == str(path)


def test_a_file_that_vanished_and_came_back_is_uploaded(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store = FakeStore(content.SourceMissing("gone"))
    path_saved = shutil.copy2(path, card.parent / "elsewhere")
    store_send = store.send

    def send_after_removal(upload: Any) -> Any:
        path.unlink()
        return store_send(upload)

    store.send = send_after_removal  # type: ignore[method-assign]
    run(card, spool, store)
    store.send = store_send  # type: ignore[method-assign]
    shutil.copy2(path_saved, path)
    assert run(card, spool, store).uploaded == 1


def test_a_file_that_changed_after_it_was_spooled_is_uploaded_with_its_new_content(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG", "half")
    store, reporter = FakeStore(), RecordingReporter()
    send = store.send

    def grow_once(upload: object) -> object:
        store.send = send  # type: ignore[method-assign]
        photograph(path, "half and half")
        raise content.SourceChanged("it changed before it was sent")

    store.send = grow_once  # type: ignore[method-assign,assignment]
    assert run(card, spool, store, reporter).complete
    assert (list(store.objects.values()), len(reporter.of("changed"))) == ([b"half and half"], 1)


def test_copied_files_are_uploaded_though_the_card_was_pulled_out(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = FakeStore(*(DependencyDown("down") for _ in range(50)))
    run(card, spool, store, copy=True, give_up_after_s=30)
    (card / "1.JPG").unlink()
    store.failures.clear()
    assert run(card, spool, store, copy=True).uploaded == 1


def test_copies_leave_the_spool_once_the_store_has_them(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    run(card, spool, FakeStore(), copy=True)
    assert list((spool.parent / "spool.sqlite.files").iterdir()) == []


def test_without_space_for_a_copy_the_file_is_uploaded_from_the_card_with_a_warning(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(card / "1.JPG")
    monkeypatch.setattr(content, "RESERVE", 1 << 60)
    reporter = RecordingReporter()
    assert run(card, spool, FakeStore(), reporter, copy=True).uploaded == 1
    assert "do not pull the card out" in reporter.of("kept")[0]["text"]


def test_nothing_is_removed_from_the_card_unless_requested(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    run(card, spool, FakeStore())
    assert path.exists()


def test_files_are_removed_on_request_including_those_of_an_earlier_run(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store = FakeStore()
    run(card, spool, store)
    assert run(card, spool, store, remove=True).removed == 1
    assert not path.exists()


def test_a_file_that_the_store_no_longer_confirms_stays_on_the_card(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store, reporter = FakeStore(), RecordingReporter()
    run(card, spool, store)
    store.objects.clear()
    run(card, spool, store, reporter, remove=True)
    assert path.exists()
    assert "does not confirm it" in reporter.of("kept")[0]["text"]


def test_a_file_with_changed_bytes_but_the_same_size_and_time_is_uploaded_again_before_it_is_removed(
    card: Path, spool: Path
) -> None:
    path = photograph(card / "1.JPG", "light")
    store = FakeStore()
    run(card, spool, store)
    before = path.stat()
    path.write_bytes(b"LIGHT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(card, spool, store, remove=True).uploaded == 1
    assert set(store.objects.values()) == {b"light", b"LIGHT"}
    assert not path.exists()


def test_a_file_name_that_is_not_unicode_is_uploaded(card: Path, spool: Path) -> None:
    photograph(card / os.fsdecode(b"caf\xe9.JPG"))
    assert run(card, spool, FakeStore()).uploaded == 1


def key_of(card: Path, spool: Path, name: str, data: bytes) -> str:
    """The key that one file gets."""
    path = card / "north" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    run(card, spool, FakeStore())
    return str(rows(spool)[0]["key"]).removeprefix("ridge/north/").rpartition("/")[2].rpartition("-")[0]


def test_the_modification_time_is_the_last_resort_and_named_in_the_key(card: Path, spool: Path) -> None:
    written = datetime.fromtimestamp(1_700_000_000)
    assert key_of(card, spool, "1.JPG", b"no EXIF in here") == f"{written:%Y%m%dT%H%M%S}-file-time"


def test_the_time_in_the_file_name_precedes_the_modification_time_and_is_named_in_the_key(
    card: Path, spool: Path
) -> None:
    assert key_of(card, spool, "IMG_20260514_213600.JPG", b"no EXIF in here") == "20260514T213600-file-name"


def test_the_time_in_the_maker_note_counts_as_embedded(card: Path, spool: Path) -> None:
    note = hyperfire(time=(0, 36, 21, 5, 14, 2026))
    assert key_of(card, spool, "RCNX0001.JPG", jpeg(exif_segment(exif={MAKER_NOTE: note}))) == "20260514T213600"


def test_exif_after_megabytes_of_other_segments_is_found(card: Path, spool: Path) -> None:
    profile = segment(0xE2, bytes(65_000)) * 40
    exif = exif_segment(exif={DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"})
    assert key_of(card, spool, "1.JPG", jpeg(profile, exif)) == "20260514T213600"


@pytest.mark.parametrize("mtime_ns", [2**63 - 1, -(2**63), 10**21])
def test_a_modification_time_outside_of_the_calendar_is_tolerated(mtime_ns: int) -> None:
    assert content.gateway_capture_time(Exif(), "1.JPG", mtime_ns).origin is TimeOrigin.FILE_TIME


def test_files_found_while_the_disk_of_the_spool_was_full_are_found_again(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(card / "1.JPG")
    add = Spool.add_found
    refused: list[Any] = []

    def full_once(self: Spool, *reporter: Any) -> int:
        if not refused:
            refused.append(reporter)
            raise SpoolFull("no room")
        return add(self, *reporter)

    monkeypatch.setattr(Spool, "add_found", full_once)
    monkeypatch.setattr(threading.Event, "wait", lambda *_: False)
    assert run(card, spool, FakeStore()).uploaded == 1
