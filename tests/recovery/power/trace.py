"""Determines which data a program had on disk when it responded, from the system calls that strace recorded.

Model of a power cut: a write makes a file dirty, a sync of that file makes it clean, and files that are dirty at the
time of the response would be lost. Files with the sync attribute (`chattr +S`) never become dirty.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import SCALE

WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg"})
SYNCS = frozenset({"fsync", "fdatasync", "msync", "sync_file_range"})

_LINE = re.compile(r"^(?:\[pid +)?(?P<pid>\d+)\]? +(?:[\d:.]+ +)?(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?:\d+<(?P<file>(?:->|[^<>-]|-(?!>))*)>)?(?P<more>.*)$", re.DOTALL)
_RESUMED = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>(?P<more>.*)$", re.DOTALL)
_RESULT = re.compile(r"= (?P<result>-?\d+)(?: [A-Z].*)?$")


@dataclass(frozen=True)
class Call:
    """One system call that succeeded, at the moment when it returned."""

    name: str
    file: str
    """Path, or socket as `TCP:[127.0.0.1:8333->127.0.0.1:40000]`."""
    text: str
    """Its other arguments, as strace shows them."""


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of `strace -f -yy`, in the order in which they returned."""
    unfinished: dict[str, tuple[str, str, str]] = {}
    for line in lines:
        match = _LINE.match(line.rstrip("\n"))
        if not match:
            continue
        pid, rest = match["pid"], match["rest"]
        if resumed := _RESUMED.match(rest):
            name, file, text = unfinished.pop(pid, ("", "", ""))
            text += resumed["more"]
        elif call := _CALL.match(rest):
            name, file, text = call["name"], call["file"] or "", call["more"]
            if text.endswith("<unfinished ...>"):
                unfinished[pid] = (name, file, text.removesuffix("<unfinished ...>"))
                continue
        else:
            continue
        result = _RESULT.search(text)
        if name and result and int(result["result"]) >= 0:
            yield Call(name, file, text)


def dirty_at_answer(calls: Iterable[Call], port: int, answer: str = "HTTP/1.1 200", below: str = "/") -> list[set[str]]:
    """For every response sent from `port`: the files `below` a folder that are written but not synced at that time."""
    dirty: set[str] = set()
    dirty_sets = []
    for call in calls:
        if call.name in SYNCS:
            dirty.discard(call.file)
        elif call.name not in WRITES:
            continue
        elif call.file.startswith("TCP") and re.search(rf"\[[^]]*:{port}->", call.file):
            if answer in call.text:
                dirty_sets.append(set(dirty))
        elif call.file.startswith(below):
            dirty.add(call.file)
    return dirty_sets


@contextlib.contextmanager
def traced(pid: int, out: Path) -> Iterator[None]:
    """Trace a running process with all its threads; the trace is in `out` when the block ends."""
    command = ["strace", "-f", "-yy", "-s", "64", "-o", str(out), "-e", f"trace={','.join(sorted(WRITES | SYNCS))}"]
    tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        # strace prints this line once it is attached to all threads.
        message = tracer.stderr.readline()
        if "attached" not in message:
            raise RuntimeError(f"strace cannot attach: {message.strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.close()
        tracer.wait(SCALE * 120)


def skip_reason() -> str | None:
    """Why processes cannot be traced on this machine; None when they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", "30"]) as process:
        tracer = subprocess.Popen(["strace", "-p", str(process.pid)], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        message = tracer.stderr.readline()
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()
        process.kill()
    return None if "attached" in message else f"strace cannot attach here: {message.strip()}"


def wait_until_written(out: Path, text: str, limit_s: float = 120) -> None:
    """Wait until the trace contains `text`, which strace writes with a delay."""
    deadline = time.monotonic() + limit_s
    while text not in out.read_text(encoding="utf-8", errors="replace"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the trace does not show {text!r}")
        time.sleep(0.05)


def paths_of(files: Iterable[str]) -> set[Path]:
    """The files as paths, without those that were deleted meanwhile."""
    return {Path(os.fsdecode(file)) for file in files if Path(file).exists()}
