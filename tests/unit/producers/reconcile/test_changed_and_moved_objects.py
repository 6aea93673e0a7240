"""Content that was replaced, put back, moved or deleted: what reconcile announces, and what it leaves alone."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.producers.reconcile.world import BUCKET, START, World
from uncia.events import (
    OBJECT_CHANGED,
)
from uncia.ids import upload_id
from uncia.kafka.broker import Message
from uncia.producers.reconcile.ledger import Ledger
from uncia.producers.reconcile.notifications import notification_of
from uncia.producers.reconcile.object_state import ObjectState
from uncia.producers.reconcile.upload_facts import fact_of_upload, object_keys
from uncia.storage.object_store import StoredObject

WRONG, RIGHT = "ridge/wrong/IMG_0001.JPG", "ridge/right/IMG_0001.JPG"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_replaced_photograph_with_a_lost_notification_is_announced(world: World) -> None:
    world.put(WRONG, "aaa", answered=OBJECT_CHANGED)
    world.put(WRONG, "bbb", lost=True)
    assert not world.reconcile().is_zero
    assert world.announced == [WRONG]
    assert world.reconcile().is_zero
    assert world.announced == []


def test_a_restored_photograph_with_a_lost_notification_is_announced(world: World) -> None:
    world.put(WRONG, "aaa", answered=OBJECT_CHANGED)
    world.put(WRONG, "bbb")
    world.put(WRONG, "aaa", lost=True)
    world.reconcile()
    assert world.announced == [WRONG]
    assert world.reconcile().is_zero


@pytest.mark.parametrize("between", ["predicted", OBJECT_CHANGED])
def test_a_restored_predicted_content_is_the_newest_again(world: World, between: str) -> None:
    world.put(WRONG, "aaa")
    world.put(WRONG, "bbb", answered=between)
    world.put(WRONG, "aaa", lost=True)
    world.reconcile()
    assert world.announced == [WRONG]
    for _ in range(2):
        assert world.reconcile().is_zero
        assert world.announced == []


def test_a_bucket_restored_from_a_backup_is_not_announced_again(world: World) -> None:
    world.put(WRONG, "aaa")
    world.put(WRONG, "bbb")
    world.put(RIGHT, "ccc")
    world.later(1_000_000)
    world.objects = {key: StoredObject(key, one.etag, one.size, world.now) for key, one in world.objects.items()}
    assert world.reconcile().is_zero
    assert world.announced == []


def test_deleting_a_newer_version_does_not_restore_an_older_one(world: World) -> None:
    world.put(WRONG, "aaa")
    before = world.objects[WRONG]
    world.put(WRONG, "bbb")
    world.objects[WRONG] = before
    assert world.reconcile().is_zero
    assert world.announced == []


def test_an_object_with_a_future_time_is_not_announced_repeatedly(world: World) -> None:
    world.put(WRONG)
    world.objects[WRONG] = StoredObject(WRONG, "aaa", 7, START + timedelta(days=3650))
    assert world.reconcile().is_zero
    assert world.announced == []


def test_a_store_whose_listing_and_content_disagree_is_reported_and_not_retried_endlessly(world: World) -> None:
    world.put(WRONG, "aaa", lost=True)
    world.later(5)
    world.announce(world.objects[WRONG])
    world.fact_of_prediction(world.objects[WRONG], OBJECT_CHANGED)
    for _ in range(3):
        assert world.reconcile().count(ObjectState.UNANSWERED) == 1
        assert world.announced == []


def test_a_photograph_that_was_moved_to_another_camera_is_withdrawn_once(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, RIGHT)
    progress = world.reconcile()
    assert [(move.location.key, move.new_key) for move in world.moved] == [(WRONG, RIGHT)]
    assert world.reported == [(ObjectState.MOVED, WRONG)]
    assert progress.is_zero
    for _ in range(2):
        assert world.reconcile().is_zero
        assert world.moved == []


def test_a_move_whose_notification_was_lost_is_announced_first_and_then_withdrawn(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, RIGHT, lost=True)  # type: ignore[arg-type]
    world.reconcile()
    assert (world.announced, world.moved) == ([RIGHT], [])
    world.reconcile()
    assert [move.location.key for move in world.moved] == [WRONG]


def test_a_photograph_that_is_moved_repeatedly_is_withdrawn_each_time(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, "ridge/other/IMG_0001.JPG")
    world.move("ridge/other/IMG_0001.JPG", RIGHT)
    world.reconcile()
    assert [move.location.key for move in world.moved] == ["ridge/other/IMG_0001.JPG", WRONG]


def test_a_photograph_that_is_moved_back_is_valid_again(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, RIGHT)
    world.reconcile()
    world.move(RIGHT, WRONG)
    world.reconcile()
    assert [move.location.key for move in world.moved] == [RIGHT]
    assert world.reconcile().is_zero


def test_a_deletion_withdraws_nothing(world: World) -> None:
    world.put(WRONG)
    del world.objects[WRONG]
    world.reconcile()
    assert world.moved == []


def test_a_deletion_of_one_of_several_photographs_withdraws_nothing(world: World) -> None:
    world.put(WRONG, "aaa")
    world.put(RIGHT, "bbb")
    del world.objects[WRONG]
    world.reconcile()
    assert world.moved == []


def test_a_copy_with_another_etag_is_a_move(world: World) -> None:
    world.bytes_of = {"aaa": "the same", "encrypted anew": "the same"}
    world.put(WRONG, "aaa")
    world.put(RIGHT, "encrypted anew")
    del world.objects[WRONG]
    world.reconcile()
    assert [(move.location.key, move.new_key) for move in world.moved] == [(WRONG, RIGHT)]


def test_nothing_is_withdrawn_before_the_copy_is_predicted(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, RIGHT, answered=OBJECT_CHANGED)
    world.reconcile()
    assert world.moved == []


def test_copies_under_two_cameras_are_not_a_move(world: World) -> None:
    world.put(WRONG)
    world.put(RIGHT)
    world.reconcile()
    assert world.moved == []


def test_a_renamed_file_of_the_same_camera_is_not_a_move(world: World) -> None:
    world.put(WRONG)
    world.move(WRONG, "ridge/wrong/a.jpg")
    world.reconcile()
    assert world.moved == []


def test_a_key_with_another_photograph_was_replaced_and_not_moved(world: World) -> None:
    world.put(WRONG, "aaa")
    world.move(WRONG, RIGHT)
    world.put(WRONG, "bbb")
    world.reconcile()
    assert world.moved == []


def test_a_comparison_of_one_prefix_checks_the_store_for_moves(world: World) -> None:
    world.put(WRONG)
    world.put(RIGHT)
    world.reconcile("ridge/wrong")
    assert world.moved == []
    del world.objects[WRONG]
    world.reconcile("ridge/right")
    assert world.moved == []
    world.reconcile()
    assert [move.location.key for move in world.moved] == [WRONG]


@pytest.mark.parametrize(
    "fields",
    [
        {"etag": 7},
        {"size": "7"},
        {"size": -1},
        {"uploaded_at": "yesterday"},
        {"uploaded_at": "2026-01-01"},
        {"key": None},
    ],
)
def test_an_announcement_without_an_etag_counts(fields: dict[str, object]) -> None:
    body = {
        "upload_id": "upl-1",
        "bucket": "b",
        "camera": "c",
        "key": "k",
        "etag": "e",
        "size": 1,
        "uploaded_at": "2026-01-01T00:00:00Z",
    }
    whole = fact_of_upload(Message("t", 0, 0, 5000, None, json.dumps(body).encode(), []))
    odd = fact_of_upload(Message("t", 0, 0, 5000, None, json.dumps({**body, **fields}).encode(), []))
    assert whole is not None and odd is not None
    assert whole.location is not None
    assert odd.location is None
    assert odd.announced == whole.announced == 5.0


def test_a_ledger_of_an_earlier_version_is_cleared(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l", "one")
    ledger.apply([], {("t", 0): 9})
    ledger._db.execute("UPDATE meta SET value='1' WHERE name='version'")
    ledger.close()
    assert Ledger(tmp_path / "l", "one").positions() == {}
    assert Ledger(tmp_path / "l", "one").positions() == {}


def test_the_announcement_of_a_move_is_a_deletion_for_other_readers() -> None:
    stored = StoredObject(WRONG, "aaa", 7, START)
    record = json.loads(notification_of(BUCKET, stored, moved_to="ridge/right/a b+c.JPG"))["Records"][0]
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert record["s3"]["object"]["movedTo"] == "ridge%2Fright%2Fa+b%2Bc.JPG"


def test_upload_ids_of_the_ledger_are_those_of_the_events() -> None:
    assert object_keys(BUCKET, WRONG, "aaa")[0].hex() == upload_id(BUCKET, WRONG, "aaa").removeprefix("upl-")
