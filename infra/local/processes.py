"""This stack's processes, found by the mark that each of them carries in its environment.

A recorded pid may belong to somebody else by now; the mark cannot: it is drawn at random, inherited by every
descendant (Triton's stubs too) and read from the kernel. So only marked processes are ever ended.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ID_MARK = "UNCIA_STACK_ID"
PART_MARK = "UNCIA_STACK_PART"


@dataclass(frozen=True)
class Process:
    """One process of a stack."""

    pid: int
    part: str


def of_stack(stack_id: str) -> Iterator[Process]:
    """All living processes that carry the mark of this stack."""
    wanted = f"{ID_MARK}={stack_id}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            variables = (entry / "environ").read_bytes().split(b"\0")
            if wanted in variables:
                named = [value for value in variables if value.startswith(PART_MARK.encode() + b"=")]
                yield Process(int(entry.name), named[0].partition(b"=")[2].decode() if named else "")


def memory_mb(pid: int) -> float:
    """Memory of a process, shared pages counted in shares; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def end(stack_id: str, *, part: str | None = None, grace_s: float = 5) -> int:
    """End processes of this stack, or of one part: ask first, then force. Returns how many were there."""

    def living() -> list[Process]:
        return [process for process in of_stack(stack_id) if part in (None, process.part)]

    found = living()
    for process in found:
        _signal(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := living()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        _signal(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while living() and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(found)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
