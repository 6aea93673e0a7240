"""The faults, one class each: how it starts (`inject`), how it ends (`revert`), and what Uncia promises for it."""

import random
import signal
from collections.abc import Iterator

from tests.recovery.faults.environment import DiskFull, NotificationsLost
from tests.recovery.faults.fault import Fault, FaultContext
from tests.recovery.faults.processes import Freeze, Kill, KillModel, ReplacedWhileFrozen, SecondWorkerJoins

__all__ = ["LIVE_PATH", "OFF_LIVE_PATH", "Fault", "FaultContext", "Kill", "KillModel", "catalogue", "random_faults"]

LIVE_PATH = ("intake", "predict", "bursts", "kafka", "seaweedfs", "triton")
"""Parts that process every live photograph."""

OFF_LIVE_PATH = ("predict-backfill", "crops", "explain", "identify", "clocks")
"""Parts that live photographs do not pass through."""


def catalogue() -> list[Fault]:
    """A new instance of every fault."""
    return [
        *(Kill(part) for part in (*LIVE_PATH, *OFF_LIVE_PATH)),
        KillModel(),
        *(Freeze(part) for part in (*LIVE_PATH, *OFF_LIVE_PATH)),
        SecondWorkerJoins("intake"),
        SecondWorkerJoins("predict"),
        SecondWorkerJoins("bursts"),
        SecondWorkerJoins("bursts", leaves=signal.SIGKILL),
        ReplacedWhileFrozen("bursts"),
        DiskFull(),
        NotificationsLost(),
    ]


def random_faults(rounds: int, seed: int) -> Iterator[Fault]:
    """Faults for `rounds` rounds: all in random order, then all again in another order."""
    chance = random.Random(seed)
    waiting: list[Fault] = []
    for _ in range(rounds):
        if not waiting:
            waiting = catalogue()
            chance.shuffle(waiting)
        yield waiting.pop()
