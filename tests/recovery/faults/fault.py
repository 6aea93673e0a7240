"""What a fault is, and what it may do to."""

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from uncia.errors import StackError
from uncia.infra.local.layout import Layout
from uncia.infra.local.stack import Stack
from uncia.infra.local.supervisor import Supervisor


class Field:
    """The running stack as faults see it."""

    def __init__(self, stack: Stack, settings: Mapping[str, str], scratch: Path) -> None:
        self.stack = stack
        self.scratch = scratch
        self._settings = dict(settings)

    @property
    def supervisor(self) -> Supervisor:
        """To stop and start parts."""
        identity = self.stack.require_identity()
        return Supervisor(Layout(self.stack.folder, Path(identity.runtime_dir)))

    def environment(self) -> dict[str, str]:
        """For another process of this stack."""
        return {**os.environ, **self._settings, **self.stack.environment()}

    def wait_ready(self, part: str, limit_s: float = 60) -> None:
        """Until a part answers."""
        deadline = time.monotonic() + limit_s
        while not any(status.name == part and status.ready for status in self.stack.status()):
            if time.monotonic() > deadline:
                raise StackError(f"{part} did not come back within {limit_s:.0f} s")
            time.sleep(0.2)


class Fault(ABC):
    """Something that goes wrong at one moment and ends at another. One class, one way to fail."""

    promise: ClassVar[str] = "it starts again by itself; nothing is lost, no burst changes"
    by_gateway: ClassVar[bool] = False
    """The photographs come through `uncia gateway`, not from a plain S3 client."""
    kill: ClassVar[bool] = False
    """Ends at once and is cured by the stack itself: the time to recover counts from the strike."""

    def __init__(self, part: str = "", lasts_s: float = 0) -> None:
        self.part = part
        self.lasts_s = lasts_s

    @property
    @abstractmethod
    def name(self) -> str:
        """As the table shows it."""

    @abstractmethod
    def strike(self, field: Field) -> None:
        """Make it go wrong."""

    def heal(self, field: Field) -> None:  # noqa: B027
        """End it, `lasts_s` after the strike."""

    def prepare(self, field: Field) -> Path | None:
        """Before the first upload. A path is the folder in which the gateway shall keep its spool."""
        return None

    def tidy(self, field: Field) -> None:  # noqa: B027
        """After the round, whatever came of it."""

    def why_not(self) -> str | None:
        """Why it cannot be done on this machine."""
        return None


class SecondWorker:
    """Another process of one worker's group, beside the one that supervisord keeps."""

    def __init__(self, field: Field, worker: str) -> None:
        folder = field.scratch / f"second-{worker}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        self.ready = folder / "ready"
        environment = {**field.environment(), "UNCIA_DATA_DIR": str(folder), "UNCIA_READY_FILE": str(self.ready)}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uncia", "worker", worker], env=environment, stdout=log, stderr=log
            )

    def wait_ready(self, limit_s: float = 60) -> None:
        """Until it has its partitions."""
        deadline = time.monotonic() + limit_s
        while not self.ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"the second worker did not become ready: {self.ready.parent / 'log'}")
            time.sleep(0.1)

    def end(self, how: signal.Signals) -> None:
        """End it, so or so."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
