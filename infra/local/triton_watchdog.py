"""The keeper asks Triton's model a real question every few seconds and cures it when it no longer answers.

Why: when the process behind a python model dies, Triton neither restarts it nor says so. Loading that version anew
cures it, while the others go on answering; where that does not help, the model is unloaded and loaded; then Triton
itself is ended, and supervisord starts it again.

The versions that are loaded besides the live one (the previous one, a shadow's) are asked seldom, one at a time, and
cured by no more than loading that one anew: nothing is done for them that live requests would notice.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local import processes
from uncia.infra.local.triton import EXIT_TIMEOUT_S, Triton, probe_besides, served_besides
from uncia.serving.model_card import read_active_card
from uncia.serving.model_versions import repository_lock
from uncia.serving.triton_client import ModelControl, ModelHealth, ProbeResult
from uncia.settings import Settings, settings
from uncia.telemetry import Logger, configure_logging, ready_file

PERIOD_S = 3.0
"""Between two questions. A request that met the dead model is answered at most so much later, and the cure's 2 s."""
OTHERS_EVERY = 5
"""Every so many questions to the live version one of the others is asked: an answer costs as much as a photograph."""

LIVE = ""
"""Asks for the version that answers the stream, whichever that is."""


class Cure(Enum):
    """What to do after an answer."""

    NOTHING = auto()
    REVIVE = auto()
    """Load that version anew."""
    RELOAD = auto()
    """Unload the model, all versions, and load it."""
    RESTART = auto()


@dataclass
class Judgement:
    """From answers to cures; knows no Triton and no clock, the moment is passed in (seconds, monotonic).

    A Triton that cannot be reached is starting, or supervisord is about to start it: it is given `patience_s`, as long
    as it takes at its slowest, before it counts as stuck. A model that is dead, or answers badly twice, is given the
    first of `cures`, and the next where that did not help.
    """

    patience_s: float = 90.0
    cures: Sequence[Cure] = (Cure.REVIVE, Cure.RELOAD)
    last: Cure = Cure.RESTART
    """When all of them were in vain, or Triton is stuck."""
    bad: int = 0
    tried: int = 0
    unreachable_since: float | None = None

    def after(self, health: ModelHealth, now: float) -> Cure:
        """The cure to try now."""
        if health is ModelHealth.HEALTHY:
            self._forget()
            return Cure.NOTHING
        if health is ModelHealth.UNREACHABLE:
            self.unreachable_since = now if self.unreachable_since is None else self.unreachable_since
            return self._give_up() if now - self.unreachable_since >= self.patience_s else Cure.NOTHING
        self.unreachable_since = None
        self.bad += 1
        # A dead process stays dead; anything else may have been one slow moment.
        if self.bad < 2 and health is not ModelHealth.DEAD:
            return Cure.NOTHING
        if self.tried >= len(self.cures):
            return self._give_up()
        self.tried += 1
        self.bad = 0
        return self.cures[self.tried - 1]

    def put_off(self) -> None:
        """The cure could not be tried now: it is none of those that were in vain."""
        self.tried = max(self.tried - 1, 0)

    def _give_up(self) -> Cure:
        if self.last is not Cure.NOTHING:
            self._forget()
        return self.last

    def _forget(self) -> None:
        self.bad = self.tried = 0
        self.unreachable_since = None


def of_another() -> Judgement:
    """For a version besides the live one: where loading it anew does not help, `uncia status` goes on saying so."""
    return Judgement(cures=(Cure.REVIVE, Cure.REVIVE), last=Cure.NOTHING)


class Keeper:
    """Asks one version after the other, and cures. `others` are the versions besides the live one."""

    def __init__(
        self,
        ask: Callable[[str], ProbeResult],
        cures: Mapping[Cure, Callable[[str], None]],
        others: Callable[[], Sequence[str]],
        log: Logger,
    ) -> None:
        self._ask, self._cures, self._others, self._log = ask, cures, others, log
        self._live, self._of_others = Judgement(), dict[str, Judgement]()
        self._last: dict[str, ModelHealth] = {}
        self._rounds = 0

    def round(self, now: float) -> bool:
        """Ask the live version, and now and then one of the others; whether the live one answered well."""
        healthy = self._see(LIVE, self._live, now)
        if healthy:
            self._rounds += 1
            turn, left = divmod(self._rounds, OTHERS_EVERY)
            if left == 0 and (others := self._others()):
                self._of_others = {version: self._of_others.get(version, of_another()) for version in others}
                version = others[turn % len(others)]
                self._see(version, self._of_others[version], now)
        return healthy

    def _see(self, version: str, judgement: Judgement, now: float) -> bool:
        answer = self._ask(version)
        words = {"version": version or "live", "health": answer.health.value, "detail": answer.detail}
        if answer.health is not self._last.get(version, ModelHealth.HEALTHY):
            self._log.info("health-changed", **words)
        self._last[version] = answer.health
        cure = judgement.after(answer.health, now)
        if cure is not Cure.NOTHING:
            self._log.warning("cure", cure=cure.name.lower(), **words)
            try:
                self._cures[cure](version)
            except BlockingIOError:
                judgement.put_off()
                self._log.info("cure-put-off", cure=cure.name.lower(), version=version or "live")
            except (UnciaError, OSError) as error:
                self._log.error("cure-failed", cure=cure.name.lower(), version=version or "live", error=str(error))
        return answer.healthy


def keep(keeper: Keeper, stop: threading.Event, ready: Path | None) -> None:
    """Round after round until `stop` is set."""
    while not stop.is_set():
        healthy = keeper.round(time.monotonic())
        if healthy and ready is not None:
            ready.touch()
        stop.wait(PERIOD_S if healthy else PERIOD_S / 3)


def main() -> None:
    """Run as the part `triton-keeper` of the stack whose mark this process carries."""
    stack_id = os.environ.get(processes.ID_MARK)
    if not stack_id:
        sys.exit("triton-keeper: `uncia up` starts this; it needs to know its stack")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    chosen = settings()
    with ModelControl(chosen) as control:
        cures: dict[Cure, Callable[[str], None]] = {
            Cure.REVIVE: lambda version: _revive(control, chosen, version),
            Cure.RELOAD: lambda _: control.reload(chosen.model),
            # supervisord starts it again.
            Cure.RESTART: lambda _: _end_triton(stack_id),
        }
        log = configure_logging(chosen, Triton.name + "-keeper")
        keeper = Keeper(partial(_ask, control, chosen), cures, partial(served_besides, chosen), log)
        keep(keeper, stop, ready_file())


def _ask(control: ModelControl, chosen: Settings, version: str) -> ProbeResult:
    return control.probe(chosen.model) if version == LIVE else probe_besides(control, chosen, version)


def _revive(control: ModelControl, chosen: Settings, version: str) -> None:
    if version == LIVE:
        control.reload_version(chosen.model, read_active_card(chosen).version)
        return
    # Triton loads a model for one at a time: a person's `promote` must not fail because of a version beside. It, or
    # the next question, sees to this one.
    with repository_lock(chosen.model_repository, wait=False):
        control.reload_version(chosen.model, version)


def _end_triton(stack_id: str) -> None:
    processes.end(stack_id, part=Triton.name, grace_s=EXIT_TIMEOUT_S + 3)


if __name__ == "__main__":
    main()
