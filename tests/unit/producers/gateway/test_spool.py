"""The spool's file: whose it is, and what it remembers."""

import sqlite3
from pathlib import Path

import pytest

from uncia.imaging.exif import Exif
from uncia.producers.gateway.completeness import Completeness, Shape
from uncia.producers.gateway.content import FileContent
from uncia.producers.gateway.spool import Spool
from uncia.producers.gateway.spool_database import SpoolError
from uncia.producers.gateway.spool_entry import FileState
from uncia.producers.gateway.spool_status import read_status
from uncia.producers.gateway.watcher import FoundFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.sqlite"


def spooled(spool: Spool, name: str, sha256: str = "s1") -> None:
    spool.add_found("ridge", "north", [FoundFile(Path(name), 10, 1)])
    entry = spool.next_to_read(0)
    assert entry
    content = FileContent(sha256, "m", Exif(), Completeness(Shape.OTHER, "", 10), 7)
    spool.mark_spooled(entry, content, key=f"k/{sha256}", copy=None, partial=None, stable_prefix=None, replaces=None)


def test_a_newer_spool_is_refused_and_left_as_it_is(path: Path) -> None:
    Spool(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="newer Uncia"):
        Spool(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name)")
    database.close()
    with pytest.raises(SpoolError, match="another program"):
        Spool(path)


def test_a_file_that_is_not_a_database_is_refused(path: Path) -> None:
    path.write_text("shopping list\n" * 100)
    with pytest.raises(SpoolError, match="--spool"):
        Spool(path)


def test_a_second_gateway_is_refused(path: Path) -> None:
    with Spool(path), pytest.raises(SpoolError, match="another gateway"):
        Spool(path)


def test_another_store_needs_another_spool_or_the_option_same_store(path: Path) -> None:
    Spool(path, destination="http://one/bucket").close()
    with pytest.raises(SpoolError, match="--same-store"):
        Spool(path, destination="http://two/bucket")
    Spool(path, destination="http://two/bucket", same_store=True).close()
    Spool(path, destination="http://two/bucket").close()


def test_an_interrupted_attempt_is_repeated(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        assert spool.claim_upload(0)
    with Spool(path) as spool:
        claim = spool.claim_upload(0)
    assert claim
    assert (claim[0].state, claim[0].attempts) == (FileState.UPLOADING, 2)


def test_two_files_with_one_content_are_never_uploaded_at_once(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG")
        first = spool.claim_upload(0)
        assert first
        assert spool.claim_upload(0) is None
        spool.mark_confirmed(first[0], etag="e", at="now")
        second = spool.claim_upload(0)
    assert second
    assert second[1]
    assert (second[0].state, second[1].source) == (FileState.DUPLICATE, Path("1.JPG"))


def test_the_duplicate_of_a_vanished_file_is_uploaded(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG")
        first = spool.claim_upload(0)
        assert first
        spool.mark_gone(first[0], "pulled out")
        second = spool.claim_upload(0)
    assert second
    assert (second[0].source, second[1]) == (Path("2.JPG"), None)


def test_a_waiting_file_is_not_claimed_before_its_time(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        claim = spool.claim_upload(0)
        assert claim
        spool.schedule_retry(claim[0], error="no answer", next_try=100)
        assert spool.claim_upload(99) is None
        assert spool.claim_upload(100)


def test_a_gone_file_that_is_found_again_is_read_again(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        claim = spool.claim_upload(0)
        assert claim
        spool.mark_gone(claim[0], "pulled out")
        assert spool.count_unfinished() == 0
        spool.add_found("ridge", "north", [FoundFile(Path("1.JPG"), 10, 1)])
        assert spool.next_to_read(0)


def test_only_an_uploading_file_can_be_confirmed(path: Path) -> None:
    with Spool(path) as spool:
        spooled(spool, "1.JPG")
        with pytest.raises(AssertionError):
            spool.mark_confirmed(spool.entry(1), etag="e", at="now")


def test_the_status_can_be_read_while_a_gateway_runs(path: Path) -> None:
    with Spool(path, destination="here") as spool:
        spooled(spool, "1.JPG")
        spooled(spool, "2.JPG", "s2")
        for _ in range(2):
            claim = spool.claim_upload(0)
            assert claim
            spool.schedule_retry(claim[0], error="no answer", next_try=100)
        status = read_status(path)
    assert (status.remaining, status.counts["waiting"], status.destination) == (2, 2, "here")
    assert [(problem.error, problem.files) for problem in status.problems] == [("no answer", 2)]


def test_the_status_of_a_missing_spool_is_an_error(path: Path) -> None:
    with pytest.raises(SpoolError, match="no spool"):
        read_status(path)
    assert not path.exists()
