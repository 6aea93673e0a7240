"""A broker that lost its newest messages in a power cut: the ledger is cleared and read again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import TopicPartition

from uncia.errors import LogTruncated
from uncia.kafka.broker import Message, check_not_truncated
from uncia.producers.reconcile import ledger_sync
from uncia.producers.reconcile.ledger import Ledger, UploadFact
from uncia.settings import Settings

PART = TopicPartition("camera.image.predicted.v1", 2)


def test_a_partition_that_ends_before_its_position_was_truncated() -> None:
    check_not_truncated({PART: 10}, {(PART.topic, PART.partition): 10})
    check_not_truncated({PART: 10}, {})
    with pytest.raises(LogTruncated, match=r"camera\.image\.predicted\.v1 was read up to 11 in partition 2"):
        check_not_truncated({PART: 10}, {(PART.topic, PART.partition): 11})


def test_predictions_that_the_broker_lost_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", "same")
    lost, kept = b"lost", b"kept"
    ledger.apply([UploadFact(lost, 1, True), UploadFact(kept, 1, True)], {(PART.topic, PART.partition): 11})

    def read(*_: object, from_positions: dict[tuple[str, int], int], **__: object) -> Iterator[Message]:
        check_not_truncated({PART: 10}, from_positions)
        yield Message(PART.topic, PART.partition, 9, 1000, None, b"", [])

    monkeypatch.setattr(ledger_sync, "read_topics", read)
    monkeypatch.setattr(ledger_sync, "_fact", lambda *_: UploadFact(kept, 1, True))
    ledger_sync.catch_up(Settings(_env_file=None), ledger)

    assert set(ledger.records([lost, kept])) == {kept}
    assert ledger.positions() == {(PART.topic, PART.partition): 10}
    ledger.close()


def test_the_ledger_is_durable(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", "same")
    assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    ledger.close()
