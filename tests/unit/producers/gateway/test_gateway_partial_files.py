"""Files that are written while the gateway looks on: half a photograph is never all that is stored of it."""

import contextlib
import itertools
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.producers.gateway.gateway_making import (
    Crash,
    Fate,
    Store,
    Told,
    jpeg,
    rows,
    run,
)
from uncia.producers.gateway import watcher
from uncia.producers.gateway.settling import Patience, Settling, Stamp, open_for_writing
from uncia.producers.gateway.watcher import Left, Seen, photographs

WHOLE = jpeg(1, side=120)
HALF = WHOLE[: len(WHOLE) // 2]
RESERVED = HALF + bytes(len(WHOLE) - len(HALF))
WAITS = Patience(grace_s=60)
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
def test_a_file_that_rests_and_goes_on_is_uploaded_once_and_whole(
    card: Path, spool: Path, first: bytes, mtime: float | None, copy: bool
) -> None:
    path = put(card / "1.JPG", first, mtime)
    store = Store()
    summary = run(card, spool, store, writer=[(30, lambda: put(path, WHOLE, mtime))], patience=WAITS, copy=copy)
    assert (list(store.objects.values()), len(store.sent)) == ([WHOLE], 1)
    assert (summary.complete, summary.partial) == (True, 0)


def test_a_file_that_is_never_completed_is_uploaded_as_it_is_and_said_to_be_so(card: Path, spool: Path) -> None:
    put(card / "1.JPG", HALF)
    store, told = Store(), Told()
    summary = run(card, spool, store, told, patience=WAITS)
    assert (list(store.objects.values()), summary.partial, summary.complete) == ([HALF], 1, True)
    assert told.of("incomplete")[0]["error"] == "the JPEG has no end yet"
    assert told.of("uploaded")[0]["partial"] == "the JPEG has no end yet"
    assert "1 partial" in summary.sentence()


@pytest.mark.parametrize("first", [HALF, RESERVED, b""], ids=["half", "room reserved", "empty"])
def test_a_file_that_is_completed_after_it_was_uploaded_takes_its_objects_place(
    card: Path, spool: Path, first: bytes
) -> None:
    path = put(card / "1.JPG", first, LONG_AGO)
    store, told = Store(), Told()
    run(card, spool, store, patience=WAITS)
    put(path, WHOLE, LONG_AGO)
    run(card, spool, store, told, patience=WAITS)
    assert list(store.objects.values()) == [WHOLE]
    assert [row["state"] for row in rows(spool)] == ["superseded", "confirmed"]
    assert told.of("uploaded")[0]["replaces"]


def test_a_whole_photograph_that_grows_takes_its_objects_place(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE)
    store = Store()
    run(card, spool, store)
    put(path, WHOLE + jpeg(2))
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE + jpeg(2)]


def test_what_follows_a_whole_photograph_may_arrive_late(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE + bytes(8), LONG_AGO)
    store = Store()
    run(card, spool, store)
    put(path, WHOLE + b"serial 7", LONG_AGO)
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE + b"serial 7"]


def test_another_photograph_under_the_name_of_half_a_one_takes_nobodys_place(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = Store()
    run(card, spool, store)
    put(path, jpeg(2))
    run(card, spool, store)
    assert sorted(store.objects.values()) == sorted([HALF, jpeg(2)])


def test_files_of_zeros_that_are_filled_later_stay_as_many_as_they_are(card: Path, spool: Path) -> None:
    for number in range(3):
        put(card / f"{number}.JPG", bytes(len(WHOLE)), LONG_AGO)
    store = Store()
    assert run(card, spool, store).duplicates == 0
    assert len(store.objects) == 3
    for number in range(3):
        put(card / f"{number}.JPG", jpeg(number, side=120)[: len(WHOLE)], LONG_AGO)
    run(card, spool, store)
    assert sorted(store.objects.values()) == sorted(jpeg(number, side=120)[: len(WHOLE)] for number in range(3))


def test_half_a_photograph_is_never_removed_from_the_card(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = Store()
    for _ in range(2):
        assert run(card, spool, store, remove=True).removed == 0
    put(path, WHOLE)
    assert run(card, spool, store, remove=True).removed == 1
    assert list(store.objects.values()) == [WHOLE]


def test_a_file_that_is_touched_is_not_uploaded_again(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", WHOLE)
    store = Store()
    run(card, spool, store)
    path.chmod(0o600)
    summary = run(card, spool, store)
    assert (len(store.sent), summary.duplicates, len(rows(spool))) == (1, 0, 1)


def test_change_times_that_are_not_trusted_make_no_file_new(tmp_path: Path) -> None:
    path = put(tmp_path / "1.JPG", WHOLE)
    looks = watcher.Watcher(tmp_path, settle_s=0)
    assert len(looks.look(0)) == 1
    path.chmod(0o600)
    assert len(looks.look(1)) == 1
    looks.trusts_change_times = False
    path.chmod(0o644)
    assert looks.look(2) == []
    put(path, WHOLE + b"more")
    assert len(looks.look(3)) == 1


def test_bytes_that_change_where_change_times_are_not_known_are_found_by_reading_again(
    card: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeless = lambda folder, left, extensions: (  # noqa: E731
        Seen(seen.path, seen.size, seen.mtime_ns) for seen in photographs(folder, left, extensions)
    )
    monkeypatch.setattr(watcher, "photographs", timeless)
    path = put(card / "1.JPG", RESERVED, LONG_AGO)
    store = Store()
    run(card, spool, store)
    put(path, WHOLE, LONG_AGO)
    run(card, spool, store)
    assert list(store.objects.values()) == [WHOLE]


def test_a_copy_of_half_a_photograph_that_waits_gives_way_to_the_whole_one(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", HALF)
    store = Store(*[OSError("down")] * 3)
    run(card, spool, store, copy=True, give_up_after_s=1)
    put(path, WHOLE)
    run(card, spool, store, copy=True)
    assert list(store.objects.values()) == [WHOLE]
    assert list(spool.with_name("spool.sqlite.files").iterdir()) == []


@settings(max_examples=25, deadline=None)
@example(steps=[(0.0, True, 1.0), (0.0, False, 65.0)], strikes=[], copy=False, remove=False, keep_time=True)
@given(
    steps=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 200)), max_size=6),
    strikes=st.lists(st.integers(1, 80), max_size=3),
    copy=st.booleans(),
    remove=st.booleans(),
    keep_time=st.booleans(),
)
def test_however_a_file_is_written_and_whenever_the_power_is_cut_the_whole_is_stored_under_one_key(
    steps: list[tuple[float, bool, float]], strikes: list[int], copy: bool, remove: bool, keep_time: bool
) -> None:
    """Each step: so much of it has arrived, room for the rest is reserved or not, and then the writer rests."""
    with tempfile.TemporaryDirectory() as place:
        folder, spool = Path(place, "card"), Path(place, "spool.sqlite")
        path, store, told = folder / "1.JPG", Store(), Told()
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
        for strike in [*strikes, None]:
            deeds = [(when, write) for when in itertools.accumulate(rests)]
            with contextlib.suppress(Crash):
                run(
                    folder,
                    spool,
                    store,
                    told,
                    fate=Fate(strike),
                    copy=copy,
                    remove=remove,
                    writer=deeds,
                    patience=WAITS,
                )
        while contents:
            write()
        run(folder, spool, store, told, copy=copy, remove=remove, patience=WAITS)
        assert list(store.objects.values()) == [WHOLE]
        assert path.exists() is not remove


def test_times_of_a_card_end_the_wait_and_those_of_a_watched_file_only_after_a_while() -> None:
    old = Stamp(1, LONG_AGO * 10**9, LONG_AGO * 10**9)
    now = LONG_AGO + 1000.0
    assert Settling(Patience.once(None)).waits(1, old, "half", now) is None
    watched = Settling(Patience.watching(None))
    assert watched.waits(1, old, "half", now)
    assert watched.waits(1, old, "half", now + 29)
    assert watched.waits(1, old, "half", now + 31) is None


def test_a_change_begins_the_wait_anew_and_so_does_a_clock_that_is_set_back() -> None:
    settling = Settling(Patience(60))
    first, second = Stamp(1, 5 * 10**18, 0), Stamp(2, 5 * 10**18, 0)
    assert settling.waits(1, first, "half", 1000)
    assert settling.waits(1, second, "half", 1059)
    assert settling.waits(1, second, "half", 1118)
    assert settling.waits(1, second, "half", 500)
    assert settling.waits(1, second, "half", 559)
    assert settling.waits(1, second, "half", 560) is None


def test_a_file_that_a_program_writes_is_known_as_such(tmp_path: Path) -> None:
    path = put(tmp_path / "1.JPG", HALF)
    assert not open_for_writing(path)
    with path.open("rb"):
        assert not open_for_writing(path)
    with path.open("ab"):
        assert open_for_writing(path)
    assert not open_for_writing(tmp_path / "none.JPG")


def test_a_file_that_a_program_holds_open_is_waited_for_longer(card: Path, spool: Path) -> None:
    path = put(card / "1.JPG", b"\x89PNG, and nothing tells where it ends")
    store = Store()
    with path.open("ab") as file:

        def finish() -> None:
            file.write(b" but here")
            file.close()

        run(card, spool, store, writer=[(100, finish)], patience=Patience(10))
    assert list(store.objects.values()) == [path.read_bytes()]
    assert len(store.sent) == 1


def test_names_that_programs_give_to_unfinished_files_are_waited_for(tmp_path: Path) -> None:
    for name in ("~1.JPG", "1.part.JPG", "2.tmp.jpg", "part.JPG", "camp-part.JPG"):
        put(tmp_path / name, WHOLE)
    looks = watcher.Watcher(tmp_path, settle_s=0, temporary_s=60)
    assert [seen.path.name for seen in looks.look(0)] == ["camp-part.JPG", "part.JPG"]
    assert looks.unsettled == 3
    assert len(looks.look(60)) == 3


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
    left = Left()
    assert [seen.path.name for seen in photographs(tmp_path, left)] == ["1.JPG"]
    assert left.kinds == {"link or device": 1}
    assert left.unreadable == {tmp_path / "b": "Permission denied"}
