"""What is published and stored does not depend on how messages are cut into batches, nor on where a worker dies."""

from datetime import timedelta
from enum import StrEnum

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.processors.bursts.builders import CAMERA, LOG, Photo, make_engine, predicted
from tests.unit.processors.bursts.test_bursts_in_any_order import EXAMPLES, arrivals
from uncia.events import BurstResolved, BurstStatus
from uncia.kafka.partitioning import partition_of
from uncia.processors.bursts.engine import BurstEngine
from uncia.processors.bursts.state_store import camera_key

PARTITION = partition_of(CAMERA, 4)


class Cut(StrEnum):
    """What follows a frame."""

    NONE = "the next frame of the batch"
    BATCH = "the next batch"
    RESTART = "a restart after the batch"
    DEATH = "the worker dies when the records with intent and outbox are confirmed"


class Worker:
    """The records and results of a worker, and of those that take its place."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.sent: dict[tuple[str, int], bytes] = {}
        self.repeated_otherwise = False
        self.engine = self._start(0)

    def _start(self, offset: int) -> BurstEngine:
        engine = make_engine(self.records)
        engine.start({PARTITION: offset})
        return engine

    @property
    def bursts(self) -> dict[bytes, bytes]:
        """All records but the camera's: that of a repeated frame, which writes none, has no log time."""
        return {key: value for key, value in self.records.items() if key != camera_key(CAMERA)}

    def restart(self, offset: int) -> None:
        self.engine = self._start(offset)

    def read(self, log: list[tuple[Photo, float]], begin: int, end: int) -> None:
        """Apply the frames from offset `begin` to before `end`."""
        for offset, (photo, at) in enumerate(log[begin:end], begin):
            self.engine.process_prediction(PARTITION, offset, predicted(photo), LOG + timedelta(seconds=at))

    def write(self, *, dies: bool = False) -> None:
        """Write and publish a batch in the order of the worker."""
        updates = self.engine.take_updates()
        for update in updates:
            self._put(*update.writes.intent)
        if dies:
            return
        for update in updates:
            for _, raw in update.outbox:
                event = BurstResolved.from_bytes(raw)
                if event.status is not BurstStatus.PROVISIONAL:
                    known = self.sent.setdefault((event.burst_id, event.revision), raw)
                    self.repeated_otherwise |= known != raw
            for record in update.writes.apply.items():
                self._put(*record)
            self._put(*update.writes.clear)

    def _put(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.records.pop(key, None)
        else:
            self.records[key] = value


def played(log: list[tuple[Photo, float]], cuts: list[Cut]) -> Worker:
    worker, committed = Worker(), 0
    for end, cut in enumerate([*cuts[:-1], Cut.BATCH if cuts[-1] is Cut.NONE else cuts[-1]], 1):
        if cut is Cut.NONE:
            continue
        worker.read(log, committed, end)
        worker.write(dies=cut is Cut.DEATH)
        if cut is Cut.DEATH:
            worker.restart(committed)
            worker.read(log, committed, end)
            worker.write()
        elif cut is Cut.RESTART:
            worker.restart(end)
        committed = end
    return worker


@EXAMPLES
@given(arrivals(most_s=600), st.data())
def test_how_frames_are_cut_into_batches_changes_no_settled_verdict_and_no_burst(
    log: list[tuple[Photo, float]], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.sampled_from(Cut), min_size=len(log), max_size=len(log)))
    singly, cut = played(log, [Cut.BATCH] * len(log)), played(log, cuts)
    assert not cut.repeated_otherwise
    assert cut.sent == singly.sent
    assert cut.bursts == singly.bursts
