"""Faults of processes: killed, frozen, or joined by a second worker."""

import contextlib
import os
import signal
import time

import psutil

from tests.recovery.faults.fault import Fault, FaultContext, SecondWorker
from uncia.errors import StackError
from uncia.infra.local import processes


class Kill(Fault):
    """`kill -9` of one part, or of several at once; supervisord restarts them."""

    kill = True

    def __init__(self, part: str, *others: str) -> None:
        super().__init__(part)
        self._parts = (part, *others)

    @property
    def name(self) -> str:
        return f"kill -9 {' and '.join(self._parts)}"

    def inject(self, context: FaultContext) -> None:
        for part in self._parts:
            context.stack.kill(part, signal.SIGKILL)


class KillModel(Fault):
    """`kill -9` of the process behind Triton's model, which Triton does not notice but its watchdog does."""

    promise = "the watchdog notices that inference fails and reloads the model"
    kill = True

    @property
    def name(self) -> str:
        return "kill -9 model process"

    def inject(self, context: FaultContext) -> None:
        identity = context.stack.require_identity()
        stubs = [
            process.pid
            for process in processes.of_stack(identity.stack_id)
            if any("triton_python_backend_stub" in argument for argument in psutil.Process(process.pid).cmdline())
        ]
        if not stubs:
            raise StackError("Triton has no model process")
        for pid in stubs:
            os.kill(pid, signal.SIGKILL)


class Freeze(Fault):
    """SIGSTOP: the part exists but does not respond, and its sessions expire without its noticing."""

    promise = "after it continues, it notices what has changed and repeats nothing"

    def __init__(self, part: str, lasts_s: float = 30) -> None:
        super().__init__(part, lasts_s)
        self._pid = 0

    @property
    def name(self) -> str:
        return f"SIGSTOP {self.part} {self.lasts_s:.0f} s"

    def inject(self, context: FaultContext) -> None:
        self._pid = context.stack.kill(self.part, signal.SIGSTOP)

    def revert(self, context: FaultContext) -> None:
        # The watchdog may have ended a Triton that did not respond.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)


class SecondWorkerJoins(Fault):
    """A second worker joins the consumer group and leaves it: partitions move there and back."""

    promise = "partitions move there and back; the new owner repeats unfinished work"

    def __init__(self, part: str, lasts_s: float = 8, leaves: signal.Signals = signal.SIGTERM) -> None:
        super().__init__(part, lasts_s)
        self._leaves = leaves
        self._second: SecondWorker | None = None

    @property
    def name(self) -> str:
        return f"second {self.part}, leaves by {self._leaves.name}"

    def inject(self, context: FaultContext) -> None:
        self._second = SecondWorker(context, self.part)
        self._second.wait_ready()

    def revert(self, context: FaultContext) -> None:
        if self._second is not None:
            self._second.end(self._leaves)
            self._second = None

    clean_up = revert


class ReplacedWhileFrozen(Fault):
    """One worker freezes, another takes over its partitions, and the first continues as if it still owned them.

    After both have run for a moment, the second is killed, so that the first must continue from the log. Anything that
    it had overwritten when it continued would be lost now.
    """

    promise = "a worker that continues after losing its partitions writes nothing to them"

    def __init__(self, part: str, lasts_s: float = 20) -> None:
        super().__init__(part, lasts_s)
        self._second: SecondWorker | None = None
        self._pid = 0

    @property
    def name(self) -> str:
        return f"{self.part} frozen {self.lasts_s:.0f} s and replaced"

    def inject(self, context: FaultContext) -> None:
        self._second = SecondWorker(context, self.part)
        self._second.wait_ready()
        self._pid = context.stack.kill(self.part, signal.SIGSTOP)

    def revert(self, context: FaultContext) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        time.sleep(4)
        self.clean_up(context)

    def clean_up(self, context: FaultContext) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        if self._second is not None:
            self._second.end(signal.SIGKILL)
            self._second = None
