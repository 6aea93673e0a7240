"""The pictures of alerts in the outbox: one of each alert, the best, and none that must not be seen."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.processors.delivery.examples import alert
from tests.unit.processors.delivery.picture_examples import crop, with_person, withdrawn
from tests.unit.processors.delivery.test_outbox import PLACE
from uncia.events import AlertRaised, AlertState, DetectionCategory
from uncia.processors.delivery import outbox_schema, picture_queue
from uncia.processors.delivery.outbox import Outbox, PartitionOffset
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.processors.delivery.outbox_queue import Queued
from uncia.processors.delivery.picture_queue import PicturePick
from uncia.topics import CROP_PUBLISHED

RAISED, UPDATED, WITHDRAWN = AlertState
CROPS = (CROP_PUBLISHED.name, 0)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


@pytest.fixture
def pictures(box: Outbox) -> PictureOutbox:
    return PictureOutbox(box)


def queue(box: Outbox, one: AlertRaised) -> None:
    box.apply([Queued("er", one)], {PLACE: PartitionOffset("id", 1)})


def send(box: Outbox, one: AlertRaised, *, picture: bool = True) -> None:
    """Queue an event, and deliver it."""
    queue(box, one)
    pick = box.take("er")
    assert pick is not None
    box.delivered("er", pick, f"event-of-{one.alert_id}", picture=picture)


def store(pictures: PictureOutbox, *crops: Any) -> list[tuple[str, str]]:
    return pictures.store_crops(crops, {})


def following(pictures: PictureOutbox) -> PicturePick:
    pick = pictures.next("er")
    assert pick is not None
    return pick


def attach(pictures: PictureOutbox) -> PicturePick:
    pick = following(pictures)
    assert pictures.begin("er", pick)
    pictures.attached("er", pick)
    return pick


@pytest.mark.parametrize("crop_first", [True, False])
def test_the_best_crop_is_attached_once_whichever_comes_first(
    box: Outbox, pictures: PictureOutbox, crop_first: bool
) -> None:
    crops = (crop("crp-1", score=0.5), crop("crp-2", score=0.9), crop("crp-3", score=0.7), crop("crp-4", "other", 1.0))
    if crop_first:
        store(pictures, *crops)
    assert pictures.next("er") is None
    send(box, alert())
    if not crop_first:
        assert pictures.next("er") is None
        store(pictures, *crops)
    pick = attach(pictures)
    assert (pick.crop.crop_id, pick.remote_id, pick.reached) == ("crp-2", "event-of-alr-1", False)
    assert pictures.next("er") is None
    # Neither a revision nor a better crop brings a second one.
    send(box, alert(revision=2, state=UPDATED))
    store(pictures, crop("crp-5", score=1.0))
    assert pictures.next("er") is None


def test_a_channel_without_pictures_gets_none(box: Outbox, pictures: PictureOutbox) -> None:
    store(pictures, crop())
    send(box, alert(), picture=False)
    assert pictures.next("er") is None


def test_nothing_is_attached_before_the_event_exists(box: Outbox, pictures: PictureOutbox) -> None:
    store(pictures, crop())
    queue(box, alert())
    assert box.take("er") is not None
    assert pictures.next("er") is None


def test_an_alert_with_a_person_in_any_burst_gets_none(box: Outbox, pictures: PictureOutbox) -> None:
    store(pictures, crop(), crop("crp-2", "bst-person"))
    send(box, with_person(alert()))
    assert pictures.next("er") is None


@pytest.mark.parametrize(
    "later", [with_person(alert(revision=2, state=UPDATED)), alert(revision=2, state=WITHDRAWN)], ids=["person", "gone"]
)
def test_an_event_that_is_not_delivered_yet_withholds_the_picture(
    box: Outbox, pictures: PictureOutbox, later: AlertRaised
) -> None:
    store(pictures, crop())
    send(box, alert())
    pick = following(pictures)
    queue(box, later)
    assert not pictures.begin("er", pick)
    assert pictures.next("er") is None
    # The alert matches again, without a person.
    send(box, alert(revision=3, state=UPDATED))
    assert following(pictures) == pick


def test_a_crop_that_was_withdrawn_is_not_attached(box: Outbox, pictures: PictureOutbox) -> None:
    send(box, alert())
    store(pictures, crop("crp-1", score=0.9), crop("crp-2", score=0.4))
    pick = following(pictures)
    assert store(pictures, withdrawn(crop("crp-1"))) == []
    assert not pictures.begin("er", pick)
    assert following(pictures).crop.crop_id == "crp-2"


def test_a_withdrawal_names_the_alerts_that_have_the_picture(box: Outbox, pictures: PictureOutbox) -> None:
    store(pictures, crop())
    send(box, alert())
    attach(pictures)
    assert store(pictures, withdrawn(crop())) == [("er", "alr-1")]


@pytest.mark.parametrize(
    "changes", [{"category": DetectionCategory.PERSON}, {"key": "ridge/north/IMG_0001.JPG"}, {"sha256": None}]
)
def test_what_is_no_crop_of_an_animal_is_not_stored(
    box: Outbox, pictures: PictureOutbox, changes: dict[str, Any]
) -> None:
    send(box, alert())
    store(pictures, crop().model_copy(update=changes))
    assert pictures.next("er") is None


def test_a_kill_while_it_is_sent_leaves_it_as_one_that_may_have_arrived(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path) as box:
        pictures = PictureOutbox(box)
        send(box, alert())
        pictures.store_crops([crop()], {CROPS: PartitionOffset("id", 5)})
        assert pictures.begin("er", following(pictures))
    with Outbox(path) as again:
        pictures = PictureOutbox(again)
        assert pictures.partitions(CROP_PUBLISHED.name)[CROPS].next_offset == 5
        pick = following(pictures)
        assert (pick.reached, pick.attempts) == (True, 1)


def test_a_refused_connection_is_no_arrival_and_what_was_given_up_stays_so(
    box: Outbox, pictures: PictureOutbox
) -> None:
    send(box, alert())
    store(pictures, crop())
    pick = following(pictures)
    assert pictures.begin("er", pick)
    pictures.failed("er", pick, "refused", may_have_arrived=False)
    again = following(pictures)
    assert (again.reached, again.attempts) == (False, 1)
    assert pictures.begin("er", again)
    pictures.give_up("er", again, "HTTP 400")
    send(box, alert(revision=2, state=UPDATED))
    assert pictures.next("er") is None
    # The alert itself is no dead letter.
    assert box.counts()["er"].dead == 0


def test_the_offsets_of_crops_are_none_of_alerts(box: Outbox, pictures: PictureOutbox) -> None:
    pictures.store_crops([], {CROPS: PartitionOffset("id", 5)})
    assert box.partitions() == {}


def test_what_is_kept_is_limited(box: Outbox, pictures: PictureOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_queue, "MOST_WAITING", 3)
    monkeypatch.setattr(picture_queue, "MOST_CROPS", 4)
    for number in range(10):
        send(box, alert(f"alr-{number}"))
    store(pictures, *(crop(f"crp-{number}", score=0.1 + number / 20) for number in range(10)))
    assert [attach(pictures).alert_id for _ in range(3)] == ["alr-7", "alr-8", "alr-9"]
    assert pictures.next("er") is None
    with box.transaction() as database:
        assert database.execute("SELECT count(*) FROM crops").fetchone()[0] == 4


def test_an_outbox_of_the_second_version_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(outbox_schema._SCHEMA)
        database.execute(f"PRAGMA application_id = {outbox_schema.APPLICATION_ID}")
        database.execute("PRAGMA user_version = 2")
        values = ("er", "alr-1", 1, alert().to_bytes(), "pending", 0, 1.0)
        columns = "channel, alert_id, revision, event, state, withdrawal, queued_at"
        database.execute(f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        database.execute("INSERT INTO alerts (channel, alert_id, last_revision, touched) VALUES ('er', 'alr-1', 1, 1)")
    database.close()
    with Outbox(path) as box:
        pick = box.take("er")
        assert pick is not None and pick.alert == alert()
        box.delivered("er", pick, "event-1", picture=True)
        pictures = PictureOutbox(box)
        store(pictures, crop())
        assert attach(pictures).remote_id == "event-1"
