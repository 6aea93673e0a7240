"""The spool's file: whose it is, and what it remembers."""

import sqlite3
from pathlib import Path

import pytest

from uncia.producers.gateway.completeness import Completeness, Shape
from uncia.producers.gateway.content import Content
from uncia.producers.gateway.spool import Spool, State
from uncia.producers.gateway.spool_file import SpoolError
from uncia.producers.gateway.status import read_status
from uncia.producers.gateway.watcher import Seen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def spooled(spool: Spool, name: str, sha256: str = "s1") -> None:
    spool.add("ridge", "north", [Seen(Path(name), 10, 1)])
    entry = spool.found(0)
    assert entry
    told = Content(sha256, "m", b"", Completeness(Shape.OTHER, "", 10), 7)
    spool.spooled(entry, told, key=f"k/{sha256}", copy=None, partial=None, certain=None, replaces=None)


def test_a_newer_spool_is_refused_and_left_as_it_is(path: Path) -> None:
    Spool(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="newer Uncia"):
        Spool(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name)")
    database.close()
    with pytest.raises(SpoolError, match="another program"):
        Spool(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("shopping list\n" * 100)
    with pytest.raises(SpoolError, match="--spool"):
        Spool(path)


def test_a_second_gateway_is_told_who_has_the_spool(path: Path) -> None:
    with Spool(path), pytest.raises(SpoolError, match="another gateway"):
        Spool(path)


def test_another_store_needs_another_spool_or_a_word(path: Path) -> None:
    Spool(path, destination="http://one/bucket").close()
    with pytest.raises(SpoolError, match="--same-store"):
        Spool(path, destination="http://two/bucket")
    Spool(path, destination="http://two/bucket", same_store=True).close()
    Spool(path, destination="http://two/bucket").close()


def test_an_attempt_that_was_cut_off_is_made_again(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        assert spool.claim(0)
    with Spool(path) as spool:
        claim = spool.claim(0)
    assert claim
    assert (claim[0].state, claim[0].attempts) == (State.UPLOADING, 2)


def test_two_files_of_one_content_are_never_uploaded_at_once(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG")
        first = spool.claim(0)
        assert first
        assert spool.claim(0) is None
        spool.confirmed(first[0], etag="e", at="now")
        second = spool.claim(0)
    assert second
    assert second[1]
    assert (second[0].state, second[1].source) == (State.DUPLICATE, Path("1.JPG"))


def test_the_twin_of_a_file_that_vanished_is_uploaded_itself(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG")
        first = spool.claim(0)
        assert first
        spool.gone(first[0], "pulled out")
        second = spool.claim(0)
    assert second
    assert (second[0].source, second[1]) == (Path("2.JPG"), None)


def test_a_file_that_waits_is_not_tried_before_its_time(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        claim = spool.claim(0)
        assert claim
        spool.failed(claim[0], error="no answer", next_try=100)
        assert spool.claim(99) is None
        assert spool.claim(100)


def test_a_file_that_was_gone_and_is_seen_again_is_found_again(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        claim = spool.claim(0)
        assert claim
        spool.gone(claim[0], "pulled out")
        assert spool.remaining() == 0
        spool.add("ridge", "north", [Seen(Path("1.JPG"), 10, 1)])
        assert spool.found(0)


def test_only_what_is_uploading_can_be_confirmed(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        with pytest.raises(AssertionError):
            spool.confirmed(spool.entry(1), etag="e", at="now")


def test_the_status_can_be_read_while_a_gateway_works(path: Path) -> None:
    with Spool(path, destination="here") as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG", "s2")
        for _ in range(2):
            claim = spool.claim(0)
            assert claim
            spool.failed(claim[0], error="no answer", next_try=100)
        told = read_status(path)
    assert (told.remaining, told.counts["waiting"], told.destination) == (2, 2, "here")
    assert [(problem.error, problem.files) for problem in told.problems] == [("no answer", 2)]


def test_the_status_of_no_spool_says_so(path: Path) -> None:
    with pytest.raises(SpoolError, match="no spool"):
        read_status(path)
    assert not path.exists()
