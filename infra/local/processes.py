"""The processes of an embedded stack, found by the mark in their environment (`uncia.child_processes`)."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from uncia.child_processes import Mark, MarkedProcess, end_marked, find_marked

ID_MARK = "UNCIA_STACK_ID"
PART_MARK = "UNCIA_STACK_PART"


@dataclass(frozen=True)
class Process:
    """One process of a stack, and the part (such as `kafka`) that it belongs to; empty where it names none."""

    pid: int
    part: str


def of_stack(stack_id: str) -> Iterator[Process]:
    """All running processes of this stack."""
    for found in find_marked(Mark(ID_MARK, stack_id)):
        yield Process(found.pid, found.environment.get(PART_MARK, ""))


def memory_mb(pid: int) -> float:
    """Proportional memory of a process in MiB: pages shared by n processes count 1/n. 0 when the process has ended."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_full_info().pss) / 1_048_576
    return 0.0


def end(stack_id: str, *, part: str | None = None, grace_s: float = 5) -> int:
    """End the processes of this stack, or of one part: SIGTERM, `grace_s` seconds, SIGKILL. Returns their number."""

    def matches(process: MarkedProcess) -> bool:
        return part in (None, process.environment.get(PART_MARK, ""))

    return end_marked(Mark(ID_MARK, stack_id), grace_s=grace_s, matching=matches)
