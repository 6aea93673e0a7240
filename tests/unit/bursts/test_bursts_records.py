"""A crash between any two writes loses nothing, and a newer layout is left alone."""

from datetime import timedelta

import pytest
from burst_making import CAMERA, LOG, Shot, predicted, settled
from burst_making import desk as desk_of

from processors.bursts.desk import Page
from processors.bursts.records import VERSION, StateTooNew, head_key
from uncia.events import BurstResolved
from uncia.partitioning import partition_of

PARTITION = partition_of(CAMERA, 4)
SHOTS = [Shot("c", 20), Shot("a", 0), Shot("b", 10), Shot("b", 10), Shot("d", 100, 1, 2), Shot("e", 101, 2, 2)]


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

    def carry_out(self, pages: list[Page]) -> None:
        """As the worker does it."""
        for page in pages:
            self.write(*page.writes.intent)
        for page in pages:
            for _, event in page.outbox:
                self._spend()
                self.sent.append(BurstResolved.from_bytes(event))
            for record in page.writes.settle.items():
                self.write(*record)
            self.write(*page.writes.clear)


def played(log: Log, crash_after: int | None = None) -> bool:
    """Run all photographs through workers, of which the first dies after so many writes. False: none died."""
    offset, died = 0, False
    log.left = 10**9 if crash_after is None else crash_after
    while True:
        desk = desk_of(log.records)
        desk.start({PARTITION: offset})
        try:
            log.carry_out(desk.pages())
            while offset < len(SHOTS):
                desk.frame(PARTITION, offset, predicted(SHOTS[offset]), LOG + timedelta(seconds=offset))
                log.carry_out(desk.pages())
                offset += 1
        except Crash:
            died, log.left = True, 10**9
        else:
            return died


def told(log: Log) -> dict[tuple[str, int], bytes]:
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
        assert told(log) == told(quiet), f"crash after {crashes} writes"
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
    newer = {head_key(CAMERA): bytes([VERSION + 1]) + b"?"}
    desk = desk_of(newer)
    with pytest.raises(StateTooNew, match="start that one again"):
        desk.start({PARTITION: 0})
    assert newer == {head_key(CAMERA): bytes([VERSION + 1]) + b"?"}


def test_what_one_frame_writes_does_not_grow_with_the_bursts_that_are_kept() -> None:
    records: dict[bytes, bytes] = {}
    desk, sizes = desk_of(records), []
    desk.start({PARTITION: 0})
    for number in range(300):
        shot = Shot(f"{number:04}", number * 60.0, 1, 1)
        desk.frame(PARTITION, number, predicted(shot), LOG + timedelta(seconds=number))
        (page,) = desk.pages()
        sizes.append(len(page.writes.intent[1]) + sum(len(value or b"") for value in page.writes.settle.values()))
        records.update({key: value for key, value in page.writes.settle.items() if value is not None})
        records[page.writes.clear[0]] = page.writes.clear[1]
    assert max(sizes) < 1.5 * sizes[0]
