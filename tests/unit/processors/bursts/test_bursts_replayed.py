"""Replaying the log, with or without ticks, gives the same bytes; batches omit only overtaken provisional verdicts."""

import random
from datetime import timedelta

from tests.unit.processors.bursts.builders import CAMERA, LOG, Photo, make_config, make_engine, predicted
from uncia.events import BurstResolved, BurstStatus, ClockTicked, FrameLate
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.seen_images import CHUNK, MAX_CHUNKS, SeenImages
from uncia.processors.bursts.state_store import camera_key

PARTITION = partition_of(CAMERA, 4)
Entry = tuple[float, Photo | None]


def log(seed: int = 3, length: int = 120) -> list[Entry]:
    """Frames and ticks with their log times; some frames repeated, some far too late."""
    chance, at = random.Random(seed), 0.0
    entries: list[Entry] = []
    for number in range(length):
        at += chance.choice([0.1, 1, 4, 30, 400])
        taken = chance.choice([at, at - 10, at - 3000])
        sequence = chance.choice([(None, None), (1 + number % 3, 3)])
        entries.append((at, Photo(f"{number // 2 * 2 if number % 7 == 0 else number}", round(taken), *sequence)))
        if chance.random() < 0.5:
            entries.append((at + 0.05, None))
    return [*entries, (at + 100, None)]


def replayed(entries: list[Entry], batch: int = 1) -> tuple[list[bytes], list[bytes]]:
    """The events about bursts, and those about late frames."""
    engine, offset = make_engine(), 0
    events: list[bytes] = []
    late: list[bytes] = []
    engine.start({PARTITION: 0})
    for place, (at, photo) in enumerate(entries, 1):
        now = LOG + timedelta(seconds=at)
        if photo is None:
            engine.process_tick(ClockTicked(partition=PARTITION, now=now, position=offset))
        else:
            engine.process_prediction(PARTITION, offset, predicted(photo), now)
            offset += 1
        if place % batch == 0 or place == len(entries):
            for update in engine.take_updates():
                events += [event for _, event in update.outbox]
                late += update.late_events
    return events, late


def test_a_replayed_log_gives_the_same_bytes() -> None:
    assert replayed(log()) == replayed(log())


def test_a_log_without_its_ticks_gives_the_same_bytes_once_it_has_come_as_far() -> None:
    entries = log()
    fewer = [entry for entry in entries[:-1] if entry[1] is not None]
    once, again = replayed(entries), replayed([*fewer, entries[-1]])
    assert once[1] == again[1]
    # One tick closes what many closed; only what stood between two frames may be published in one batch with the next.
    assert set(again[0]) <= set(once[0])
    settled = [raw for raw in once[0] if BurstResolved.from_bytes(raw).status is not BurstStatus.PROVISIONAL]
    assert settled == [raw for raw in again[0] if BurstResolved.from_bytes(raw).status is not BurstStatus.PROVISIONAL]


def test_a_batch_leaves_out_provisional_verdicts_that_are_overtaken_and_nothing_else() -> None:
    singly, late = replayed(log())
    for batch in (4, 64):
        together, late_together = replayed(log(), batch)
        assert late_together == late
        left_out = [BurstResolved.from_bytes(raw) for raw in singly if raw not in set(together)]
        assert left_out
        assert {event.status for event in left_out} == {BurstStatus.PROVISIONAL}
        assert together == [raw for raw in singly if raw in set(together)], "same order and revisions"


def test_late_frames_are_published_with_the_burst_that_holds_them_now() -> None:
    events, late = replayed(log())
    published = [FrameLate.from_bytes(raw) for raw in late]
    assert published
    holders = {(event.burst_id, frame.image_id) for raw in events for event in [BurstResolved.from_bytes(raw)]
               for frame in event.frames}  # fmt: skip
    assert all((frame.burst_id, frame.image_id) in holders for frame in published)
    assert all(frame.late_s > 900 or frame.late_s == 0 for frame in published)


def test_a_late_frame_is_published_after_a_crash_too() -> None:
    records: dict[bytes, bytes] = {}
    engine = make_engine(records, make_config(lateness=timedelta(0)))
    engine.start({PARTITION: 0})
    for number, (at, photo) in enumerate([(0, Photo("a", 0)), (60, Photo("b", 1)), (120, Photo("c", 2))]):
        engine.process_prediction(PARTITION, number, predicted(photo), LOG + timedelta(seconds=at))
        (update,) = engine.take_updates()
        records[update.writes.intent[0]] = update.writes.intent[1]
    assert update.late_events
    again = make_engine(records, make_config(lateness=timedelta(0)))
    again.start({PARTITION: 3})
    (resumed,) = again.take_updates()
    assert (resumed.late_events, resumed.outbox) == (update.late_events, update.outbox)
    assert camera_key(CAMERA) in records


def test_the_set_of_seen_images_is_bounded_and_survives_writing() -> None:
    seen = SeenImages()
    many = [f"img-{number}" for number in range(CHUNK * (MAX_CHUNKS + 2))]
    seen.add(many)
    assert many[-1] in seen
    assert many[-CHUNK * (MAX_CHUNKS - 1)] in seen
    assert many[0] not in seen
    assert len(seen.record_names) == MAX_CHUNKS
    again = SeenImages()
    for name in seen.record_names:
        again.load(name, seen.dump(name))
    assert many[-1] in again
    assert "img-else" not in again
