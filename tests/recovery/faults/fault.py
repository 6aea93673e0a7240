"""Base class of the faults, and the stack that they act on."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.waiting import SCALE
from uncia.errors import StackError
from uncia.events import DetectionCategory
from uncia.identities import PART_IDENTITIES
from uncia.infra.local.layout import Layout
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor
from uncia.serving.detector_card import read_active_detector_card


class FaultContext:
    """The running stack that faults act on."""

    def __init__(self, stack: Stack, settings: Mapping[str, str], scratch: Path) -> None:
        self.stack = stack
        self.scratch = scratch
        self._settings = dict(settings)

    @property
    def supervisor(self) -> Supervisor:
        """supervisord's client, to stop and start parts."""
        identity = self.stack.require_identity()
        return Supervisor(Layout(self.stack.folder, Path(identity.runtime_dir)))

    def environment(self) -> dict[str, str]:
        """Environment of another process of this stack."""
        return {**os.environ, **self._settings, **self.stack.environment()}

    def detector_categories(self) -> tuple[DetectionCategory, ...]:
        """What the live detector can find; nothing without a detector."""
        card = read_active_detector_card(self.stack.settings())
        return card.categories if card else ()

    def wait_ready(self, part: str, limit_s: float = 60) -> None:
        """Wait until a part is ready."""
        deadline = time.monotonic() + SCALE * limit_s
        while not any(status.name == part and status.ready for status in self.stack.status()):
            if time.monotonic() > deadline:
                raise StackError(f"{part} did not come back within {SCALE * limit_s:.0f} s")
            time.sleep(0.2)


class Fault(ABC):
    """A failure with a start and an end; one class per kind of failure."""

    promise: ClassVar[str] = "supervisord restarts it; nothing is lost, no burst changes"
    by_gateway: ClassVar[bool] = False
    """The photographs are uploaded by `uncia gateway`, not by a plain S3 client."""
    kill: ClassVar[bool] = False
    """A kill, from which the stack recovers by itself: the recovery time counts from the injection."""

    def __init__(self, part: str = "", lasts_s: float = 0) -> None:
        self.part = part
        self.lasts_s = lasts_s

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in the results table."""

    @abstractmethod
    def inject(self, context: FaultContext) -> None:
        """Start the fault."""

    def revert(self, context: FaultContext) -> None:  # noqa: B027
        """End the fault, `lasts_s` after the injection."""

    def prepare(self, context: FaultContext) -> Path | None:
        """Prepare before the first upload. May return the folder for the gateway's spool."""
        return None

    def clean_up(self, context: FaultContext) -> None:  # noqa: B027
        """Clean up after the round, also after a failure."""

    def skip_reason(self) -> str | None:
        """Why the fault cannot be injected on this machine; None when it can."""
        return None


class SecondWorker:
    """A second process in a worker's consumer group, in addition to the one that supervisord runs."""

    def __init__(self, context: FaultContext, worker: str) -> None:
        folder = context.scratch / f"second-{worker}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        self.ready = folder / "ready"
        own = context.stack.require_keys().environment(PART_IDENTITIES[worker])
        environment = {
            **context.environment(),
            **own,
            "UNCIA_DATA_DIR": str(folder),
            "UNCIA_READY_FILE": str(self.ready),
        }
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uncia", "worker", worker], env=environment, stdout=log, stderr=log
            )

    def wait_ready(self, limit_s: float = 60) -> None:
        """Wait until it has its partitions."""
        deadline = time.monotonic() + SCALE * limit_s
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"the second worker did not become ready: {self.ready.parent / 'log'}")
            time.sleep(0.1)

    def end(self, how: signal.Signals) -> None:
        """End the process with the signal `how`."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        try:
            self.process.wait(SCALE * 30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
