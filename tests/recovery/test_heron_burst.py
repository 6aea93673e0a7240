"""The genuine burst of ten: one night, one heron, one trigger of a Reconyx HyperFire 2."""

import random
import time
import uuid
from pathlib import Path

import pytest

from tests.paths import SHARED
from tests.recovery.faults import Field
from tests.recovery.observer import Observer
from uncia.events import BurstResolved, BurstStatus, CloseReason
from uncia.storage.object_store import ObjectStore

HERON = SHARED / "samples" / "heron_burst"

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not HERON.is_dir(), reason="the genuine burst is not on this machine"),
]


def burst_of_ten(mortal_stack: tuple[Field, Observer], order: list[Path]) -> BurstResolved:
    """Upload the ten frames in this order into a camera of its own; its one burst as soon as it is settled."""
    field, observer = mortal_stack
    settings, station = field.stack.settings(), f"st-{uuid.uuid4().hex[:8]}"
    store = ObjectStore(settings)
    for frame in order:
        store.client.put_object(Bucket=settings.bucket, Key=f"{station}/pond/{frame.name}", Body=frame.read_bytes())
    store.client.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with observer.lock:
            standing = observer.station(station).standing()
        if sum(len(burst.frames) for burst in standing) == len(order) and standing[0].closed_at:
            assert len(standing) == 1
            return standing[0]
        time.sleep(0.05)
    raise AssertionError(f"{[(burst.status, len(burst.frames)) for burst in standing]}")


@pytest.mark.parametrize("seed", range(4))
def test_the_heron_is_one_burst_of_ten_closed_by_the_camera_itself_in_any_order(
    mortal_stack: tuple[Field, Observer], seed: int
) -> None:
    order = sorted(HERON.glob("*.JPG"))
    if seed:
        random.Random(seed).shuffle(order)
    burst = burst_of_ten(mortal_stack, order)
    assert len(burst.frames) == burst.expected_frames == 10
    assert [frame.sequence for frame in burst.frames] == list(range(1, 11))
    assert (burst.status, burst.closed_by) == (BurstStatus.FINAL, CloseReason.SEQUENCE)
    # Closed at the very moment at which the answer to a frame, the tenth, was written: nothing was waited for.
    assert burst.closed_at is not None
    with mortal_stack[1].lock:
        written = mortal_stack[1].station(burst.station).answered_at
    assert any(abs(burst.closed_at.timestamp() - moment) < 0.002 for moment in written)
