"""The reader of crops without a broker: where it begins, what a restart reads, and what a withdrawal does."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from tests.unit.processors.delivery.examples import alert
from tests.unit.processors.delivery.picture_examples import crop, withdrawn
from tests.unit.processors.delivery.test_outbox_pictures import attach, send
from tests.waiting import wait_until
from uncia.errors import DependencyDown
from uncia.events import CropPublished
from uncia.kafka.broker import Message
from uncia.processors.delivery import crop_reader
from uncia.processors.delivery.crop_reader import CropReader
from uncia.processors.delivery.outbox import Outbox
from uncia.processors.delivery.outbox_pictures import PictureOutbox
from uncia.settings import Settings
from uncia.topics import CROP_PUBLISHED

SETTINGS = Settings(namespace="replay")


class Log:
    """One partition of crops."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.down = 0

    def add(self, value: CropPublished | bytes | None) -> None:
        data = value.to_bytes() if isinstance(value, CropPublished) else value
        name = CROP_PUBLISHED.full_name(SETTINGS)
        self.messages.append(Message(name, 0, len(self.messages), 1000, b"ridge/north", data, []))

    def consumer(self) -> type:
        log = self

        class Consumer:
            def __init__(self, *_: Any) -> None:
                if log.down:
                    log.down -= 1
                    raise DependencyDown("no broker")
                self._next = 0

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def end_offsets(self) -> dict[tuple[str, int], int]:
                return {(CROP_PUBLISHED.full_name(SETTINGS), 0): len(log.messages)}

            def seek(self, offsets: Mapping[tuple[str, int], int]) -> None:
                self._next = offsets[CROP_PUBLISHED.full_name(SETTINGS), 0]

            def poll(self, timeout_s: float) -> list[Message]:
                found = log.messages[self._next :]
                self._next += len(found)
                threading.Event().wait(0 if found else 0.01)
                return found

        return Consumer


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    found = Log()
    monkeypatch.setattr(crop_reader, "OffsetConsumer", found.consumer())
    monkeypatch.setattr(crop_reader, "topic_ids", lambda settings, topics: {CROP_PUBLISHED.full_name(settings): "id"})
    return found


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as opened:
        yield opened


@contextmanager
def reading(log: Log, pictures: PictureOutbox) -> Iterator[None]:
    """A reader that has begun, and at the end has read the whole log."""
    reader = CropReader(SETTINGS, pictures)
    reader.start()
    reader.start()

    def offset() -> int | None:
        places = pictures.partitions(CROP_PUBLISHED.name)
        return places[CROP_PUBLISHED.name, 0].next_offset if places else None

    try:
        wait_until(lambda: offset() is not None, limit_s=20)
        yield
        wait_until(lambda: offset() == len(log.messages), limit_s=20)
    finally:
        reader.close()


def test_it_begins_at_the_end_and_goes_on_after_a_restart_where_it_was(log: Log, box: Outbox) -> None:
    pictures = PictureOutbox(box)
    log.add(crop("crp-past", score=1.0))
    with reading(log, pictures):
        log.add(crop("crp-1", score=0.9))
    # While it does not run.
    log.add(crop("crp-2", score=0.5))
    log.add(withdrawn(crop("crp-1")))
    log.down = 1
    with reading(log, pictures):
        pass
    send(box, alert())
    assert attach(pictures).crop.crop_id == "crp-2"


def test_what_cannot_be_read_is_in_the_log_and_holds_up_nothing(log: Log, box: Outbox) -> None:
    pictures = PictureOutbox(box)
    with capture_logs() as logs, reading(log, pictures):
        log.add(b"no event")
        log.add(None)
        log.add(crop())
    send(box, alert())
    assert attach(pictures).crop.crop_id == "crp-1"
    assert [one["offset"] for one in logs if one["event"] == "crop_unreadable"] == [0]


def test_a_picture_that_was_attached_before_its_withdrawal_is_named_in_the_log(log: Log, box: Outbox) -> None:
    pictures = PictureOutbox(box)
    with capture_logs() as logs, reading(log, pictures):
        log.add(crop())
        wait_until(lambda: len(_known(box)) == 1, limit_s=20)
        send(box, alert())
        attach(pictures)
        log.add(withdrawn(crop()))
    (found,) = [one for one in logs if one["event"] == "attached_picture_withdrawn"]
    assert (found["channel"], found["alert_id"]) == ("er", "alr-1")
    assert _known(box) == []


def _known(box: Outbox) -> list[str]:
    with box.transaction() as database:
        return [row["crop_id"] for row in database.execute("SELECT crop_id FROM crops")]
