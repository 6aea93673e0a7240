"""A crash between any two writes loses nothing, and records of a newer layout are not changed."""

import json
import zlib
from datetime import timedelta

import pytest

from tests.unit.processors.bursts.builders import CAMERA, LOG, Photo, make_engine, predicted, settled
from uncia.events import BurstResolved
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.engine import CameraUpdate
from uncia.processors.bursts.state_store import VERSION, camera_key
from uncia.processors.faust_runtime.stored_state import StateTooNew

PARTITION = partition_of(CAMERA, 4)
PHOTOS = [Photo("c", 20), Photo("a", 0), Photo("b", 10), Photo("b", 10), Photo("d", 100, 1, 2), Photo("e", 101, 2, 2)]


class Crash(Exception):
    """The process is gone."""


class Log:
    """The changelog and the results topic of a worker that dies after so many writes."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.sent: list[BurstResolved] = []
        self.left = 10**9

    def _spend(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1

    def write(self, key: bytes, value: bytes | None) -> None:
        self._spend()
        if value is None:
            self.records.pop(key, None)
        else:
            self.records[key] = value

    def carry_out(self, updates: list[CameraUpdate]) -> None:
        """As the worker does it."""
        for update in updates:
            self.write(*update.writes.intent)
        for update in updates:
            for _, event in update.outbox:
                self._spend()
                self.sent.append(BurstResolved.from_bytes(event))
            for record in update.writes.apply.items():
                self.write(*record)
            self.write(*update.writes.clear)


def played(log: Log, crash_after: int | None = None) -> bool:
    """Run all photographs through workers, of which the first dies after so many writes. False: none died."""
    offset, died = 0, False
    log.left = 10**9 if crash_after is None else crash_after
    while True:
        engine = make_engine(log.records)
        engine.start({PARTITION: offset})
        try:
            log.carry_out(engine.take_updates())
            while offset < len(PHOTOS):
                engine.process_prediction(PARTITION, offset, predicted(PHOTOS[offset]), LOG + timedelta(seconds=offset))
                log.carry_out(engine.take_updates())
                offset += 1
        except Crash:
            died, log.left = True, 10**9
        else:
            return died


def sent_events(log: Log) -> dict[tuple[str, int], bytes]:
    return {(event.burst_id, event.revision): event.to_bytes() for event in log.sent}


def test_a_crash_after_any_write_ends_in_the_same_results_and_the_same_state() -> None:
    quiet = Log()
    played(quiet)
    assert len(settled(quiet.sent)) == 2
    crashes = 0
    while True:
        log = Log()
        if not played(log, crashes):
            break
        assert sent_events(log) == sent_events(quiet), f"crash after {crashes} writes"
        assert log.records == quiet.records, f"crash after {crashes} writes"
        crashes += 1
    assert crashes > 20


def test_a_restarted_worker_knows_which_photographs_it_had() -> None:
    log = Log()
    played(log)
    before = len(log.sent)
    played(log)
    assert len(log.sent) == before


def test_a_newer_layout_is_refused_and_stays() -> None:
    newer = {camera_key(CAMERA): bytes([VERSION + 1]) + b"?"}
    engine = make_engine(newer)
    with pytest.raises(StateTooNew, match="start that version again"):
        engine.start({PARTITION: 0})
    assert newer == {camera_key(CAMERA): bytes([VERSION + 1]) + b"?"}


def test_what_one_frame_writes_does_not_grow_with_the_bursts_that_are_kept() -> None:
    records: dict[bytes, bytes] = {}
    engine, sizes = make_engine(records), []
    engine.start({PARTITION: 0})
    for number in range(300):
        photo = Photo(f"{number:04}", number * 60.0, 1, 1)
        engine.process_prediction(PARTITION, number, predicted(photo), LOG + timedelta(seconds=number))
        (update,) = engine.take_updates()
        sizes.append(len(update.writes.intent[1]) + sum(len(value or b"") for value in update.writes.apply.values()))
        records.update({key: value for key, value in update.writes.apply.items() if value is not None})
        records[update.writes.clear[0]] = update.writes.clear[1]
    assert max(sizes) < 1.5 * sizes[0]


def carried_out(records: dict[bytes, bytes], photos: list[Photo], offset: int) -> list[BurstResolved]:
    """Another worker goes on from the records, frame by frame; returns what it sends."""
    engine, sent = make_engine(records), []
    engine.start({PARTITION: offset})
    for place, photo in enumerate(photos, offset):
        engine.process_prediction(PARTITION, place, predicted(photo), LOG + timedelta(seconds=place))
        for update in engine.take_updates():
            for key, value in (update.writes.intent, *update.writes.apply.items(), update.writes.clear):
                if value is None:
                    records.pop(key, None)
                else:
                    records[key] = value
            sent += [BurstResolved.from_bytes(event) for _, event in update.outbox]
    return sent


def test_what_is_hidden_or_moved_or_superseded_outlives_a_restart_after_every_frame() -> None:
    photos = [
        Photo("a", 0),
        Photo("half", 1, file="B.JPG", rejected=True),
        Photo("whole", 1, file="B.JPG", uploaded=5),
        Photo("whole", 1, file="B.JPG", uploaded=5, rejected=True, reason="object-moved"),
        Photo("whole", 1, file="B.JPG", uploaded=5),
        Photo("half", 1, file="B.JPG", rejected=True),
        Photo("jump1", 2, 1, 2, event=5, serial="S", file="R0001.JPG"),
        Photo("jump2", 2 - 3600, 2, 2, event=5, serial="S", file="R0002.JPG"),
        Photo("small", 9, file="P1.JPG", size=(320, 240)),
        Photo("large", 9, file="c/P1.JPG", size=(640, 480)),
    ]
    once, again = dict[bytes, bytes](), dict[bytes, bytes]()
    quiet = carried_out(once, photos, 0)
    restarted = [event for place, photo in enumerate(photos) for event in carried_out(again, [photo], place)]
    assert [event.to_bytes() for event in restarted] == [event.to_bytes() for event in quiet]
    assert once == again


def test_records_of_layout_2_are_read() -> None:
    """Frames without what layout 3 added, serial numbers in the head, superseded ids in the burst."""
    records: dict[bytes, bytes] = {}
    carried_out(records, [Photo("a", 0, serial="A")], 0)
    (name,) = [key for key in records if b"\0" in key]
    raw = json.loads(zlib.decompress(records[name][1:]))
    for added in ("source", "exif_time", "width", "height", "placed_at", "stored_again_at"):
        raw["burst"]["frames"][0].pop(added, None)
    raw["burst"]["former"] = {"bst-former": 3}
    records[name] = bytes([2]) + zlib.compress(json.dumps(raw).encode())
    head = json.loads(zlib.decompress(records[camera_key(CAMERA)][1:]))
    del head["sources"]
    head["serials"] = {"A": ["2026-03-01T00:00:00", "2026-03-01T00:00:00"]}
    records[camera_key(CAMERA)] = bytes([2]) + zlib.compress(json.dumps(head).encode())
    (event,) = carried_out(records, [Photo("b", 1, serial="A", make="ACME", camera_model="TRAP 1")], 1)
    assert (len(event.frames), event.revision, event.flags) == (2, 2, ())
    assert records[name][0] == VERSION == 4
