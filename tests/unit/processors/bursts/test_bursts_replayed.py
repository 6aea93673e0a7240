"""Replaying the log, ticks or none, gives the same bytes; batches leave out only what nobody would read."""

import random
from datetime import timedelta

from tests.unit.processors.bursts.burst_making import CAMERA, LOG, Shot, predicted, rules
from tests.unit.processors.bursts.burst_making import desk as desk_of
from uncia.events import BurstResolved, BurstStatus, ClockTicked, FrameLate
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.seen_images import CHUNK, CHUNKS, Memory
from uncia.processors.bursts.state_store import head_key

PARTITION = partition_of(CAMERA, 4)
Entry = tuple[float, Shot | None]


def log(seed: int = 3, length: int = 120) -> list[Entry]:
    """Frames and ticks with their log times; some frames repeated, some far too late."""
    chance, entries, at = random.Random(seed), [], 0.0
    for number in range(length):
        at += chance.choice([0.1, 1, 4, 30, 400])
        taken = chance.choice([at, at - 10, at - 3000])
        sequence = chance.choice([(None, None), (1 + number % 3, 3)])
        entries.append((at, Shot(f"{number // 2 * 2 if number % 7 == 0 else number}", round(taken), *sequence)))
        if chance.random() < 0.5:
            entries.append((at + 0.05, None))
    return [*entries, (at + 100, None)]


def replayed(entries: list[Entry], batch: int = 1) -> tuple[list[bytes], list[bytes]]:
    """What is said, and what is told of late frames."""
    desk, said, late, offset = desk_of(), [], [], 0
    desk.start({PARTITION: 0})
    for place, (at, shot) in enumerate(entries, 1):
        now = LOG + timedelta(seconds=at)
        if shot is None:
            desk.tick(ClockTicked(partition=PARTITION, now=now, position=offset))
        else:
            desk.frame(PARTITION, offset, predicted(shot), now)
            offset += 1
        if place % batch == 0 or place == len(entries):
            for page in desk.pages():
                said += [event for _, event in page.outbox]
                late += page.late
    return said, late


def test_a_replayed_log_gives_the_same_bytes() -> None:
    assert replayed(log()) == replayed(log())


def test_a_log_without_its_ticks_gives_the_same_bytes_once_it_has_come_as_far() -> None:
    entries = log()
    fewer = [entry for entry in entries[:-1] if entry[1] is not None]
    once, again = replayed(entries), replayed([*fewer, entries[-1]])
    assert once[1] == again[1]
    # One tick closes what many closed; only what stood between two frames may be said in one batch with the next.
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
        assert {each.status for each in left_out} == {BurstStatus.PROVISIONAL}
        assert together == [raw for raw in singly if raw in set(together)], "order and revisions as ever"


def test_late_frames_are_told_with_the_burst_that_holds_them_now() -> None:
    said, late = replayed(log())
    told = [FrameLate.from_bytes(raw) for raw in late]
    assert told
    holders = {(event.burst_id, frame.image_id) for raw in said for event in [BurstResolved.from_bytes(raw)]
               for frame in event.frames}  # fmt: skip
    assert all((each.burst_id, each.image_id) in holders for each in told)
    assert all(each.late_s > 900 or each.late_s == 0 for each in told)


def test_a_late_frame_is_told_after_a_crash_too() -> None:
    records: dict[bytes, bytes] = {}
    desk = desk_of(records, rules(lateness=timedelta(0)))
    desk.start({PARTITION: 0})
    for number, (at, shot) in enumerate([(0, Shot("a", 0)), (60, Shot("b", 1)), (120, Shot("c", 2))]):
        desk.frame(PARTITION, number, predicted(shot), LOG + timedelta(seconds=at))
        (page,) = desk.pages()
        records[page.writes.intent[0]] = page.writes.intent[1]
    assert page.late
    again = desk_of(records, rules(lateness=timedelta(0)))
    again.start({PARTITION: 3})
    (resumed,) = again.pages()
    assert (resumed.late, resumed.outbox) == (page.late, page.outbox)
    assert head_key(CAMERA) in records


def test_the_memory_of_photographs_is_bounded_and_survives_writing() -> None:
    memory = Memory()
    many = [f"img-{number}" for number in range(CHUNK * (CHUNKS + 2))]
    memory.add(many)
    assert memory.knows(many[-1])
    assert memory.knows(many[-CHUNK * (CHUNKS - 1)])
    assert not memory.knows(many[0])
    assert len(memory.names) == CHUNKS
    again = Memory()
    for name in memory.names:
        again.load(name, memory.dump(name))
    assert again.knows(many[-1])
    assert not again.knows("img-else")
