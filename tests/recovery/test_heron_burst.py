"""A real burst of ten: one heron at night, one trigger of a Reconyx HyperFire 2."""

import random
import time
import uuid
from pathlib import Path

import pytest

from tests.paths import SHARED
from tests.recovery.faults import FaultContext
from tests.recovery.observer import Observer
from tests.waiting import SCALE
from uncia.events import BurstResolved, BurstStatus, CloseReason
from uncia.storage.object_store import ObjectStore

HERON = SHARED / "samples" / "heron_burst"

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not HERON.is_dir(), reason="the photographs of the burst are not on this machine"),
]


def burst_of_ten(recovery_stack: tuple[FaultContext, Observer], order: list[Path]) -> BurstResolved:
    """Upload the ten frames in this order as a new camera. Returns its only burst once it is settled."""
    context, observer = recovery_stack
    settings, station = context.stack.settings(), f"st-{uuid.uuid4().hex[:8]}"
    store = ObjectStore(settings)
    for frame in order:
        store.client.put_object(Bucket=settings.bucket, Key=f"{station}/pond/{frame.name}", Body=frame.read_bytes())
    store.client.close()
    deadline = time.monotonic() + SCALE * 60
    while time.monotonic() < deadline:
        with observer.lock:
            bursts = observer.station(station).current_bursts()
        if sum(len(burst.frames) for burst in bursts) == len(order) and bursts[0].closed_at:
            assert len(bursts) == 1
            return bursts[0]
        time.sleep(0.05)
    raise AssertionError(f"{[(burst.status, len(burst.frames)) for burst in bursts]}")


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_the_frames_are_one_burst_closed_by_its_sequence(
    recovery_stack: tuple[FaultContext, Observer], seed: int
) -> None:
    order = sorted(HERON.glob("*.JPG"))
    if seed:
        random.Random(seed).shuffle(order)
    burst = burst_of_ten(recovery_stack, order)
    assert len(burst.frames) == burst.expected_frames == 10
    assert [frame.sequence for frame in burst.frames] == list(range(1, 11))
    assert (burst.status, burst.closed_by) == (BurstStatus.FINAL, CloseReason.SEQUENCE)
    # Closed at the time at which the prediction of its last frame was written, without waiting for a watermark.
    assert burst.closed_at is not None
    with recovery_stack[1].lock:
        written = recovery_stack[1].station(burst.station).predicted_at
    assert any(abs(burst.closed_at.timestamp() - moment) < 0.002 for moment in written)
