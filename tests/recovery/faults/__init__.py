"""All that is made to go wrong, one class each: what it does (`strike`), how it ends (`heal`), what is promised."""

import random
import signal
from collections.abc import Iterator

from tests.recovery.faults.fault import Fault, Field
from tests.recovery.faults.processes import Company, Freeze, Kill, KillModel, Usurped
from tests.recovery.faults.surroundings import DiskFull, NotificationsLost

__all__ = ["BESIDE", "KILLED", "Fault", "Field", "Kill", "KillModel", "catalogue", "drawn"]

KILLED = ("intake", "predict", "bursts", "kafka", "seaweedfs", "triton")
"""Parts through which every live photograph goes."""

BESIDE = ("predict-backfill", "clocks")
"""Parts that live photographs do not wait for."""


def catalogue() -> list[Fault]:
    """Every fault once, fresh."""
    return [
        *(Kill(part) for part in (*KILLED, *BESIDE)),
        KillModel(),
        *(Freeze(part) for part in (*KILLED, *BESIDE)),
        Company("intake"),
        Company("predict"),
        Company("bursts"),
        Company("bursts", leaves=signal.SIGKILL),
        Usurped("bursts"),
        DiskFull(),
        NotificationsLost(),
    ]


def drawn(rounds: int, seed: int) -> Iterator[Fault]:
    """Faults for so many rounds: all of them in a drawn order, then all again in another."""
    chance = random.Random(seed)
    waiting: list[Fault] = []
    for _ in range(rounds):
        if not waiting:
            waiting = catalogue()
            chance.shuffle(waiting)
        yield waiting.pop()
