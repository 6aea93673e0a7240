"""The keeper asks Triton's model a real question every few seconds and cures it when it no longer answers.

Why: when the process behind a python model dies, Triton neither restarts it nor says so. Unloading and loading the
model cures it; where that does not help, Triton itself is ended and supervisord starts it again.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from infra.local import processes
from infra.local.triton import EXIT_TIMEOUT_S, Triton
from uncia.errors import UnciaError
from uncia.inference import Health, ModelControl, Probe
from uncia.settings import settings
from uncia.telemetry import configure_logging, ready_file

PERIOD_S = 3.0
"""Between two questions. A request that met the dead model is answered at most so much later, and the cure's 2 s."""


class Cure(Enum):
    """What to do after an answer."""

    NOTHING = auto()
    RELOAD = auto()
    RESTART = auto()


@dataclass
class Judgement:
    """From answers to cures; knows no Triton and no clock, the moment is passed in (seconds, monotonic).

    A Triton that cannot be reached is starting, or supervisord is about to start it: it is given `patience_s`, as long
    as it takes at its slowest, before it counts as stuck. A model that answers badly twice is reloaded; after
    `reloads` of those in a row Triton is restarted.
    """

    patience_s: float = 90.0
    reloads: int = 2
    bad: int = 0
    reloaded: int = 0
    unreachable_since: float | None = None

    def after(self, health: Health, now: float) -> Cure:
        """The cure to try now."""
        if health is Health.HEALTHY:
            self._forget()
            return Cure.NOTHING
        if health is Health.UNREACHABLE:
            self.unreachable_since = now if self.unreachable_since is None else self.unreachable_since
            return self._restart() if now - self.unreachable_since >= self.patience_s else Cure.NOTHING
        self.unreachable_since = None
        self.bad += 1
        # A dead process stays dead; anything else may have been one slow moment.
        if self.bad < 2 and health is not Health.DEAD:
            return Cure.NOTHING
        if self.reloaded >= self.reloads:
            return self._restart()
        self.reloaded += 1
        self.bad = 0
        return Cure.RELOAD

    def _restart(self) -> Cure:
        self._forget()
        return Cure.RESTART

    def _forget(self) -> None:
        self.bad = self.reloaded = 0
        self.unreachable_since = None


def keep(
    probe: Callable[[], Probe], cures: dict[Cure, Callable[[], None]], stop: threading.Event, ready: Path | None
) -> None:
    """Ask, judge and cure until `stop` is set."""
    log = configure_logging(settings(), Triton.name + "-keeper")
    judgement, last = Judgement(), Health.HEALTHY
    while not stop.is_set():
        answer = probe()
        if answer.health is not last:
            log.info("health-changed", health=answer.health.value, detail=answer.detail)
            last = answer.health
        if answer.healthy and ready is not None:
            ready.touch()
        cure = judgement.after(answer.health, time.monotonic())
        if cure is not Cure.NOTHING:
            log.warning("cure", cure=cure.name.lower(), health=answer.health.value, detail=answer.detail)
            try:
                cures[cure]()
            except UnciaError as error:
                log.error("cure-failed", cure=cure.name.lower(), error=str(error))
        stop.wait(PERIOD_S if answer.healthy else PERIOD_S / 3)


def main() -> None:
    """Run as the part `triton-keeper` of the stack whose mark this process carries."""
    stack_id = os.environ.get(processes.ID_MARK)
    if not stack_id:
        sys.exit("triton-keeper: `uncia up` starts this; it needs to know its stack")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    model = settings().model
    with ModelControl(settings()) as control:
        cures: dict[Cure, Callable[[], None]] = {
            Cure.RELOAD: lambda: control.reload(model),
            # supervisord starts it again.
            Cure.RESTART: lambda: _end_triton(stack_id),
        }
        keep(lambda: control.probe(model), cures, stop, ready_file())


def _end_triton(stack_id: str) -> None:
    processes.end(stack_id, part=Triton.name, grace_s=EXIT_TIMEOUT_S + 3)


if __name__ == "__main__":
    main()
