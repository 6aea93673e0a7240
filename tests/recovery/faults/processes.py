"""Parts that die, freeze, or get company."""

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.recovery.faults.fault import Fault, Field, SecondWorker
from uncia.errors import StackError
from uncia.infra.local import processes


class Kill(Fault):
    """`kill -9` of one part; supervisord starts it again."""

    kill = True

    @property
    def name(self) -> str:
        return f"kill -9 {self.part}"

    def strike(self, field: Field) -> None:
        field.stack.kill(self.part, signal.SIGKILL)


class KillModel(Fault):
    """`kill -9` of the process behind Triton's model, which Triton does not notice; the keeper does."""

    promise = "the keeper sees that no inference succeeds and loads the model again"
    kill = True

    @property
    def name(self) -> str:
        return "kill -9 model process"

    def strike(self, field: Field) -> None:
        identity = field.stack.require_identity()
        stubs = [
            process.pid
            for process in processes.of_stack(identity.stack_id)
            if b"triton_python_backend_stub" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        ]
        if not stubs:
            raise StackError("Triton has no model process")
        for pid in stubs:
            os.kill(pid, signal.SIGKILL)


class Freeze(Fault):
    """SIGSTOP: the part is there and does not answer; its sessions run out and it does not know."""

    promise = "who wakes up finds what changed meanwhile, and does nothing twice"

    def __init__(self, part: str, lasts_s: float = 30) -> None:
        super().__init__(part, lasts_s)
        self._pid = 0

    @property
    def name(self) -> str:
        return f"SIGSTOP {self.part} {self.lasts_s:.0f} s"

    def strike(self, field: Field) -> None:
        self._pid = field.stack.kill(self.part, signal.SIGSTOP)

    def heal(self, field: Field) -> None:
        # The keeper may have ended a Triton that did not answer.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)


class Company(Fault):
    """A second worker joins the group and leaves it again: partitions move there and back."""

    promise = "partitions move there and back; what was in hand is done again by the new owner"

    def __init__(self, part: str, lasts_s: float = 8, leaves: signal.Signals = signal.SIGTERM) -> None:
        super().__init__(part, lasts_s)
        self._leaves = leaves
        self._second: SecondWorker | None = None

    @property
    def name(self) -> str:
        return f"second {self.part}, leaves by {self._leaves.name}"

    def strike(self, field: Field) -> None:
        self._second = SecondWorker(field, self.part)
        self._second.wait_ready()

    def heal(self, field: Field) -> None:
        if self._second is not None:
            self._second.end(self._leaves)
            self._second = None

    tidy = heal


class Usurped(Fault):
    """One worker freezes, another takes its partitions over, the first wakes up and believes that they are its own.

    When both have been awake for a moment the second is killed, so that the first has to go on from what stands in
    the log: had it overwritten anything when it awoke, that would be gone now.
    """

    promise = "a worker that wakes up after its partitions were given away writes nothing into them"

    def __init__(self, part: str, lasts_s: float = 20) -> None:
        super().__init__(part, lasts_s)
        self._second: SecondWorker | None = None
        self._pid = 0

    @property
    def name(self) -> str:
        return f"{self.part} frozen {self.lasts_s:.0f} s and replaced"

    def strike(self, field: Field) -> None:
        self._second = SecondWorker(field, self.part)
        self._second.wait_ready()
        self._pid = field.stack.kill(self.part, signal.SIGSTOP)

    def heal(self, field: Field) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        time.sleep(4)
        self.tidy(field)

    def tidy(self, field: Field) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)
        if self._second is not None:
            self._second.end(signal.SIGKILL)
            self._second = None
