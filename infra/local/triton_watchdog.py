"""Watchdog of Triton: sends a real inference request every few seconds and repairs a model that stops answering.

When the process behind a python model dies, Triton neither restarts it nor reports it. Reloading that one version
repairs it while the other versions keep serving. If that does not help, the whole model is unloaded and loaded; if that
does not help either, Triton itself is ended and supervisord restarts it.

Versions that are loaded in addition to the live one (the previous one, a shadow) are probed less often, one at a time,
and the only remedy for them is to reload that version: nothing done for them may affect live requests.
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

from filelock import Timeout

from uncia.errors import SettingsError, UnciaError
from uncia.infra.local import processes
from uncia.infra.local.triton import EXIT_TIMEOUT_S, Triton, other_served_versions, probe_other_version, stream_models
from uncia.serving.model_card import pinned_version
from uncia.serving.model_versions import repository_lock, resolve_version
from uncia.serving.triton_client import ModelControl, ModelHealth, ProbeResult
from uncia.settings import Settings, settings
from uncia.telemetry import Logger, configure_logging, ready_file

PROBE_INTERVAL_S = 3.0
"""Seconds between probes. A request that meets the dead model waits at most this long plus the 2 s of the reload."""
PROBES_PER_OTHER_VERSION = 5
"""Probes of the live version per probe of another version: a probe costs as much as the inference of a photograph."""

LIVE = ""
"""Stands for the version that `predict` uses, whichever that is."""


class Remedy(Enum):
    """An action that repairs a model."""

    NONE = auto()
    REVIVE = auto()
    """Reload one version."""
    RELOAD = auto()
    """Unload the model with all its versions, then load it."""
    RESTART = auto()
    """End Triton; supervisord restarts it."""


@dataclass
class RemedyPolicy:
    """Chooses a remedy from a version's probe results. Pure: `now` is passed in (seconds, monotonic).

    An unreachable Triton is starting or about to be restarted by supervisord, so it counts as stuck only after
    `patience_s`, the longest start. A model that is dead, or fails two probes in a row, gets the first of `remedies`,
    then the next one when that did not help.
    """

    patience_s: float = 90.0
    remedies: Sequence[Remedy] = (Remedy.REVIVE, Remedy.RELOAD)
    last: Remedy = Remedy.RESTART
    """The remedy when none of `remedies` helped or Triton is stuck."""
    failures: int = 0
    tried: int = 0
    unreachable_since: float | None = None

    def next_remedy(self, health: ModelHealth, now: float) -> Remedy:
        """Record a probe's result and return the remedy to apply now."""
        if health is ModelHealth.HEALTHY:
            self._reset()
            return Remedy.NONE
        if health is ModelHealth.UNREACHABLE:
            self.unreachable_since = now if self.unreachable_since is None else self.unreachable_since
            return self._exhausted() if now - self.unreachable_since >= self.patience_s else Remedy.NONE
        self.unreachable_since = None
        self.failures += 1
        # A dead process stays dead; any other failure may be one slow response.
        if self.failures < 2 and health is not ModelHealth.DEAD:
            return Remedy.NONE
        if self.tried >= len(self.remedies):
            return self._exhausted()
        self.tried += 1
        self.failures = 0
        return self.remedies[self.tried - 1]

    def postpone(self) -> None:
        """Take back the latest remedy: it could not be applied, so it must not count as one that did not help."""
        self.tried = max(self.tried - 1, 0)

    def _exhausted(self) -> Remedy:
        if self.last is not Remedy.NONE:
            self._reset()
        return self.last

    def _reset(self) -> None:
        self.failures = self.tried = 0
        self.unreachable_since = None


def other_version_policy() -> RemedyPolicy:
    """Policy of a version that is not live: two reloads at most, after which `uncia status` still reports it."""
    return RemedyPolicy(remedies=(Remedy.REVIVE, Remedy.REVIVE), last=Remedy.NONE)


class TritonWatchdog:
    """Probes one version after another and applies remedies.

    `probe` infers one frame with a version (`LIVE` or a version's name), `remedies` applies a remedy to a version, and
    `others` lists the loaded versions that are not live. A remedy that raises `Timeout` (another process is
    changing the repository) is postponed; other errors are logged and count as a remedy that did not help.
    """

    def __init__(
        self,
        probe: Callable[[str], ProbeResult],
        remedies: Mapping[Remedy, Callable[[str], None]],
        others: Callable[[], Sequence[str]],
        log: Logger,
        policy: RemedyPolicy | None = None,
    ) -> None:
        self._probe, self._remedies, self._others, self._log = probe, remedies, others, log
        self._live_policy, self._other_policies = policy or RemedyPolicy(), dict[str, RemedyPolicy]()
        self._last_health: dict[str, ModelHealth] = {}
        self._healthy_rounds = 0

    def check(self, now: float) -> bool:
        """Probe the live version and, every few calls, one other version. Returns whether the live one is healthy."""
        healthy = self._check_version(LIVE, self._live_policy, now)
        if healthy:
            self._healthy_rounds += 1
            turn, remainder = divmod(self._healthy_rounds, PROBES_PER_OTHER_VERSION)
            if remainder == 0 and (others := self._others()):
                policies = self._other_policies
                self._other_policies = {name: policies.get(name, other_version_policy()) for name in others}
                version = others[turn % len(others)]
                self._check_version(version, self._other_policies[version], now)
        return healthy

    def _check_version(self, version: str, policy: RemedyPolicy, now: float) -> bool:
        result = self._probe(version)
        log = self._log.bind(version=version or "live", health=result.health.value)
        if result.health is not self._last_health.get(version, ModelHealth.HEALTHY):
            log.info("health_changed", detail=result.detail)
        self._last_health[version] = result.health
        remedy = policy.next_remedy(result.health, now)
        if remedy is not Remedy.NONE:
            log = log.bind(remedy=remedy.name.lower())
            log.warning("remedy_started", detail=result.detail)
            try:
                self._remedies[remedy](version)
            except Timeout:
                policy.postpone()
                log.info("remedy_postponed")
            except (UnciaError, OSError) as error:
                log.error("remedy_failed", error=str(error))
        return result.healthy


def run(watchdogs: Sequence[TritonWatchdog], stop: threading.Event, ready: Path | None) -> None:
    """Check until `stop` is set. Touches the file `ready` after every round in which all live versions answered."""
    while not stop.is_set():
        # A list: each is checked, also after one that is not healthy.
        results = [watchdog.check(time.monotonic()) for watchdog in watchdogs]
        healthy = all(results)
        if healthy and ready is not None:
            ready.touch()
        stop.wait(PROBE_INTERVAL_S if healthy else PROBE_INTERVAL_S / 3)


def main() -> None:
    """Run as the part `triton-keeper` of the stack whose id is in the environment."""
    stack_id = os.environ.get(processes.ID_MARK)
    if not stack_id:
        sys.exit(f"triton-keeper: {processes.ID_MARK} is not set; `uncia up` starts this process")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    config = settings()
    log = configure_logging(config, Triton.name + "-keeper")
    with ModelControl(config) as control:
        watchdogs = [_watchdog(control, config, model, stack_id, log) for model in stream_models(config)]
        run(watchdogs, stop, ready_file())


def _watchdog(control: ModelControl, config: Settings, model: str, stack_id: str, log: Logger) -> TritonWatchdog:
    remedies: dict[Remedy, Callable[[str], None]] = {
        Remedy.REVIVE: lambda version: _revive(control, config, model, version),
        Remedy.RELOAD: lambda _: control.reload(model),
        # supervisord then restarts it.
        Remedy.RESTART: lambda _: _end_triton(stack_id),
    }
    # A detector that cannot be repaired must not take the classifier's requests down with it.
    policy = RemedyPolicy() if model == config.model else RemedyPolicy(last=Remedy.NONE)
    return TritonWatchdog(
        partial(_probe, control, config, model),
        remedies,
        partial(other_served_versions, config, model),
        log.bind(model=model),
        policy,
    )


def _probe(control: ModelControl, config: Settings, model: str, version: str) -> ProbeResult:
    if version != LIVE:
        return probe_other_version(control, config, version, model)
    try:
        return control.probe(model)
    except SettingsError as error:
        if model == config.model:
            raise
        # The detector was removed or damaged while the stack runs: no reason to end the watchdog.
        return ProbeResult(ModelHealth.FAILING, str(error))


def _revive(control: ModelControl, config: Settings, model: str, version: str) -> None:
    if version == LIVE:
        live = pinned_version(config, model)
        control.reload_version(model, resolve_version(config.model_repository, model, live))
        return
    # Triton serves one load request for a model at a time, and a person's `uncia models promote` must not fail because
    # of a version that is not live. That command reloads this version too, or the next probe retries.
    with repository_lock(config.model_repository, wait=False):
        control.reload_version(model, version)


def _end_triton(stack_id: str) -> None:
    processes.end(stack_id, part=Triton.name, grace_s=EXIT_TIMEOUT_S + 3)


if __name__ == "__main__":
    main()
