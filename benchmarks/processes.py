"""CPU time and memory of a stack's processes, and of the whole machine."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from uncia.infra.local import processes

_STUB = "triton_python_backend_stub"


@dataclass(frozen=True)
class Sample:
    """All processes of one stack at one moment."""

    cpu: dict[int, tuple[str, float]]
    """Part and CPU seconds since the process started (user and system, all threads), by pid."""
    resident_mb: dict[str, float]
    """Resident memory by part; pages that processes share are counted in each of them."""
    proportional_mb: dict[str, float]
    """Memory by part with shared pages divided among the processes, so that the parts add up."""


def sample(stack_id: str) -> Sample:
    """Sample all processes of a stack. Triton's Python processes, which run the models, are parts named after these."""
    cpu: dict[int, tuple[str, float]] = {}
    resident: dict[str, float] = {}
    proportional: dict[str, float] = {}
    for process in processes.of_stack(stack_id):
        # A process may exit between the listing and the reading.
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(process.pid)
            with found.oneshot():
                part = stub_part(found.cmdline()) or process.part or "supervisord"
                times = found.cpu_times()
                cpu[process.pid] = (part, times.user + times.system)
                resident[part] = resident.get(part, 0.0) + found.memory_info().rss / 2**20
            proportional[part] = proportional.get(part, 0.0) + processes.memory_mb(process.pid)
    return Sample(cpu, resident, proportional)


def stub_part(command: Sequence[str]) -> str:
    """`triton-stub-` and the name of the model that a process of Triton's Python backend runs; empty for others.

    The path of its `model.py` is among the arguments.
    """
    if not any(_STUB in argument for argument in command):
        return ""
    files = [Path(argument) for argument in command if argument.endswith("/model.py")]
    return f"triton-stub-{files[0].parents[1].name}" if files and len(files[0].parts) > 3 else "triton-stub"


def pids_of(stack_id: str, part: str) -> list[int]:
    """Processes of one part, with the names that `sample` uses."""
    return [pid for pid, (name, _) in sample(stack_id).cpu.items() if name == part]


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used since it booted."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def anonymous_memory() -> int:
    """Bytes of this process's memory that no file backs, such as its heap."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - memory.shared)
