"""CPU time and memory of a stack's processes, from /proc."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from uncia.infra.local import processes

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STUB = b"triton_python_backend_stub"


@dataclass(frozen=True)
class Sample:
    """All processes of one stack at one moment."""

    cpu: dict[int, tuple[str, float]]
    """pid to part and CPU seconds since its start, user and system, all threads."""
    resident_mb: dict[str, float]
    """Part to resident memory; pages that processes share are counted in each."""
    proportional_mb: dict[str, float]
    """Part to memory with shared pages counted in shares: these add up."""


def sample(stack_id: str) -> Sample:
    """Ask the kernel. Triton's Python process is told apart from the server: it runs the model."""
    cpu: dict[int, tuple[str, float]] = {}
    resident: dict[str, float] = {}
    proportional: dict[str, float] = {}
    for process in processes.of_stack(stack_id):
        # Processes may end while we look.
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{process.pid}")
            stub = _STUB in (folder / "cmdline").read_bytes()
            part = "triton-stub" if stub else process.part or "supervisord"
            cpu[process.pid] = (part, _cpu_seconds(folder))
            resident[part] = resident.get(part, 0.0) + _resident_mb(folder)
            proportional[part] = proportional.get(part, 0.0) + processes.memory_mb(process.pid)
    return Sample(cpu, resident, proportional)


def pids_of(stack_id: str, part: str) -> list[int]:
    """Processes of one part, named as in `sample`."""
    return [pid for pid, (name, _) in sample(stack_id).cpu.items() if name == part]


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used since it started, ours and others'."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        int(value) for value in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS_PER_S


def _cpu_seconds(folder: Path) -> float:
    # The command's name stands in brackets and may hold spaces.
    fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _resident_mb(folder: Path) -> float:
    pages = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
