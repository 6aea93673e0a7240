"""One run of the gateway over a folder."""

import os
import shutil
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.predict.reconyx_notes import hyperfire
from tests.unit.producers.gateway.gateway_making import Store, Told, photograph, rows, run
from tests.unit.uncia.imaging.exif_builders import DATE_TIME_ORIGINAL, MAKER_NOTE, exif_segment, jpeg, segment
from uncia.errors import DependencyDown
from uncia.imaging.capture_time import TimeOrigin
from uncia.imaging.exif import Exif
from uncia.producers.gateway import content
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_file import SpoolFull
from uncia.producers.gateway.uploader import StoreDisagrees
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
    store = Store()
    run(card, spool, store)
    assert {key.rsplit("/", 4)[0] for key in store.objects} == {"ridge/north", "ridge/card"}


def test_what_is_no_photograph_inside_is_uploaded_all_the_same(card: Path, spool: Path) -> None:
    photograph(card / "notes.jpg", "a text")
    store = Store()
    run(card, spool, store)
    assert list(store.objects.values()) == [b"a text"]


def test_an_exact_copy_is_reported_and_not_sent(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG", "same")
    photograph(card / "2.JPG", "same")
    store, told = Store(), Told()
    summary = run(card, spool, store, told)
    assert (len(store.sent), summary.uploaded, summary.duplicates) == (1, 1, 1)
    assert told.of("duplicate")[0]["duplicate_of"] == str(card / "1.JPG")


def test_the_same_content_of_two_cameras_is_two_photographs(card: Path, spool: Path) -> None:
    photograph(card / "north" / "1.JPG", "same")
    photograph(card / "south" / "1.JPG", "same")
    assert run(card, spool, Store()).uploaded == 2


def test_a_second_run_sends_nothing_again(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = Store()
    run(card, spool, store)
    assert run(card, spool, store).uploaded == 0
    assert len(store.sent) == 1


def test_a_new_file_under_an_old_name_is_another_photograph(card: Path, spool: Path) -> None:
    photograph(card / "RCNX0001.JPG", "first card")
    store = Store()
    run(card, spool, store)
    photograph(card / "RCNX0001.JPG", "second card")
    run(card, spool, store)
    assert set(store.objects.values()) == {b"first card", b"second card"}


def test_while_the_store_is_down_the_waits_grow(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store, told = Store(*(DependencyDown("down") for _ in range(7))), Told()
    assert run(card, spool, store, told).complete
    waits = [line["seconds"] for line in told.of("waiting")]
    assert len(waits) == 7
    assert waits[0] <= 1 < 30 <= waits[-1] <= 60


def test_attempts_that_were_on_their_way_when_the_store_went_count_as_one(card: Path, spool: Path) -> None:
    for number in range(4):
        photograph(card / f"{number}.JPG", str(number))
    store, told = Store(*(DependencyDown("down") for _ in range(100))), Told()
    run(card, spool, store, give_up_after_s=30)
    store.troubles = [DependencyDown("down")] * 4
    assert run(card, spool, store, told).complete
    assert len(told.of("waiting")) == 1


def test_wrong_credentials_are_told_and_tried_slowly(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    told = Told()
    assert run(card, spool, Store(AccessRefused("check UNCIA_S3_SECRET_KEY")), told).complete
    assert "UNCIA_S3_SECRET_KEY" in told.of("waiting")[0]["text"]
    assert told.of("waiting")[0]["seconds"] >= 7


def test_one_file_that_the_store_disputes_holds_up_no_other(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG", "one")
    photograph(card / "2.JPG", "two")
    told = Told()
    assert run(card, spool, Store(StoreDisagrees("other bytes")), told).complete
    assert [line["path"] for line in told.of("uploaded")] == [str(card / "2.JPG"), str(card / "1.JPG")]


def test_giving_up_leaves_the_rest_for_the_next_run(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = Store(*(DependencyDown("down") for _ in range(50)))
    summary = run(card, spool, store, give_up_after_s=60)
    assert (summary.remaining, summary.complete) == (1, False)
    store.troubles.clear()
    assert run(card, spool, store).complete


def test_a_file_that_vanishes_before_it_was_read_is_told_and_makes_the_run_incomplete(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store, told = Store(DependencyDown("down")), Told()
    send = store.send
    store.send = lambda upload: (path.unlink(missing_ok=True), send(upload))[1]  # type: ignore[method-assign]
    store.troubles = [DependencyDown("down"), content.SourceMissing("1.JPG is not there any more")]
    assert not run(card, spool, store, told).complete
    assert told.of("vanished")[0]["path"] == str(path)


def test_a_file_that_vanished_and_came_back_is_uploaded(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store = Store(content.SourceMissing("gone"))
    path_kept = shutil.copy2(path, card.parent / "elsewhere")
    store_send, store.send = store.send, lambda upload: (path.unlink(), store_send(upload))[1]  # type: ignore[method-assign]
    run(card, spool, store)
    store.send = store_send  # type: ignore[method-assign]
    shutil.copy2(path_kept, path)
    assert run(card, spool, store).uploaded == 1


def test_a_file_that_changed_after_it_was_spooled_is_uploaded_as_it_is_now(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG", "half")
    store, told = Store(), Told()
    send = store.send

    def grow_once(upload: object) -> object:
        store.send = send  # type: ignore[method-assign]
        photograph(path, "half and half")
        raise content.SourceChanged("it changed before it was sent")

    store.send = grow_once  # type: ignore[method-assign,assignment]
    assert run(card, spool, store, told).complete
    assert (list(store.objects.values()), len(told.of("changed"))) == ([b"half and half"], 1)


def test_copied_files_are_uploaded_though_the_card_was_pulled_out(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    store = Store(*(DependencyDown("down") for _ in range(50)))
    run(card, spool, store, copy=True, give_up_after_s=30)
    (card / "1.JPG").unlink()
    store.troubles.clear()
    assert run(card, spool, store, copy=True).uploaded == 1


def test_copies_leave_the_spool_once_the_store_has_them(card: Path, spool: Path) -> None:
    photograph(card / "1.JPG")
    run(card, spool, Store(), copy=True)
    assert list((spool.parent / "spool.sqlite.files").iterdir()) == []


def test_without_room_for_a_copy_the_file_stays_on_the_card_and_that_is_told(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(card / "1.JPG")
    monkeypatch.setattr(content, "RESERVE", 1 << 60)
    told = Told()
    assert run(card, spool, Store(), told, copy=True).uploaded == 1
    assert "do not pull the card out" in told.of("kept")[0]["text"]


def test_nothing_is_removed_from_the_card_unless_asked(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    run(card, spool, Store())
    assert path.exists()


def test_files_are_removed_on_demand_also_those_of_an_earlier_run(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store = Store()
    run(card, spool, store)
    assert run(card, spool, store, remove=True).removed == 1
    assert not path.exists()


def test_a_file_that_the_store_does_not_show_any_more_stays_on_the_card(card: Path, spool: Path) -> None:
    path = photograph(card / "1.JPG")
    store, told = Store(), Told()
    run(card, spool, store)
    store.objects.clear()
    run(card, spool, store, told, remove=True)
    assert path.exists()
    assert "does not show it" in told.of("kept")[0]["text"]


def test_a_file_whose_bytes_changed_behind_its_size_and_time_is_uploaded_anew_before_it_is_removed(
    card: Path, spool: Path
) -> None:
    path = photograph(card / "1.JPG", "light")
    store = Store()
    run(card, spool, store)
    before = path.stat()
    path.write_bytes(b"LIGHT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(card, spool, store, remove=True).uploaded == 1
    assert set(store.objects.values()) == {b"light", b"LIGHT"}
    assert not path.exists()


def test_a_file_name_that_is_not_unicode_is_uploaded(card: Path, spool: Path) -> None:
    photograph(card / os.fsdecode(b"caf\xe9.JPG"))
    assert run(card, spool, Store()).uploaded == 1


def key_of(card: Path, spool: Path, name: str, data: bytes) -> str:
    """The key that one file gets."""
    path = card / "north" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    run(card, spool, Store())
    return str(rows(spool)[0]["key"]).removeprefix("ridge/north/").rpartition("/")[2].rpartition("-")[0]


def test_the_files_time_is_the_last_resort_and_the_key_says_so(card: Path, spool: Path) -> None:
    written = datetime.fromtimestamp(1_700_000_000)
    assert key_of(card, spool, "1.JPG", b"no EXIF in here") == f"{written:%Y%m%dT%H%M%S}-file-time"


def test_the_file_names_time_comes_before_the_files_and_the_key_says_so(card: Path, spool: Path) -> None:
    assert key_of(card, spool, "IMG_20260514_213600.JPG", b"no EXIF in here") == "20260514T213600-file-name"


def test_the_maker_notes_time_is_the_photographs_own(card: Path, spool: Path) -> None:
    note = hyperfire(time=(0, 36, 21, 5, 14, 2026))
    assert key_of(card, spool, "RCNX0001.JPG", jpeg(exif_segment(exif={MAKER_NOTE: note}))) == "20260514T213600"


def test_exif_behind_megabytes_of_other_segments_is_found(card: Path, spool: Path) -> None:
    profile = segment(0xE2, bytes(65_000)) * 40
    exif = exif_segment(exif={DATE_TIME_ORIGINAL: "2026:05:14 21:36:00"})
    assert key_of(card, spool, "1.JPG", jpeg(profile, exif)) == "20260514T213600"


@pytest.mark.parametrize("mtime_ns", [2**63 - 1, -(2**63), 10**21])
def test_a_files_time_that_no_calendar_has_stops_nothing(mtime_ns: int) -> None:
    assert content.time_of_capture(Exif(), "1.JPG", mtime_ns).origin is TimeOrigin.FILE_TIME


def test_what_was_found_while_the_spools_disk_was_full_is_found_again(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(card / "1.JPG")
    add, refused = Spool.add, []

    def full_once(self: Spool, *told: Any) -> int:
        if not refused:
            refused.append(told)
            raise SpoolFull("no room")
        return add(self, *told)

    monkeypatch.setattr(Spool, "add", full_once)
    monkeypatch.setattr(threading.Event, "wait", lambda *_: False)
    assert run(card, spool, Store()).uploaded == 1
