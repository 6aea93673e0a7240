"""Whatever is killed while photographs pour in: each is answered, and the bursts are those of a quiet day."""

import signal
import time
from collections.abc import Callable

import pytest

from infra.demo.ledger import Ledger
from infra.demo.listening import listening
from infra.local.stack import Stack
from tests.recovery.field_day import FieldDay
from uncia.object_store import ObjectStore

pytestmark = [
    pytest.mark.recovery,
    pytest.mark.timeout(240),
    # The clients leave the sockets of a server that was killed to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PARTS = ("intake", "predict", "bursts", "kafka", "seaweedfs", "triton")


def until(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def settled(ledger: Ledger, station: str) -> set[frozenset[str]]:
    bursts = [burst for burst in ledger.settled_bursts() if burst.station == station]
    return {frozenset(frame.key for frame in burst.frames) for burst in bursts}


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_loses_no_photograph_and_changes_no_burst(mortal_stack: Stack, part: str) -> None:
    day, ledger, settings = FieldDay(bursts=6), Ledger(), mortal_stack.settings()
    store, keys = ObjectStore(settings), list(day.photographs)
    with listening(settings, ledger):
        for number, key in enumerate(keys):
            if number == len(keys) // 3:
                mortal_stack.kill(part, signal.SIGKILL)
            day.upload(store, settings.bucket, key)
        assert until(lambda: settled(ledger, day.station) == day.expected, 120), (
            f"answered {len([a for a in ledger.answers.values() if a.station == day.station])} of {len(keys)}, "
            f"settled {sorted(len(b) for b in settled(ledger, day.station))} of {len(day.expected)} bursts"
        )
