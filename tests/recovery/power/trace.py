"""What a program had on disk when it answered, read from the system calls that strace saw.

The model of a disk that forgets: a write makes a file dirty, a sync of that file makes it clean, and what is dirty at
the moment of the answer would be lost. Files that are written through (`chattr +S`) never become dirty.
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
    begun: dict[str, tuple[str, str, str]] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if not found:
            continue
        pid, rest = found["pid"], found["rest"]
        if resumed := _RESUMED.match(rest):
            name, file, text = begun.pop(pid, ("", "", ""))
            text += resumed["more"]
        elif call := _CALL.match(rest):
            name, file, text = call["name"], call["file"] or "", call["more"]
            if text.endswith("<unfinished ...>"):
                begun[pid] = (name, file, text.removesuffix("<unfinished ...>"))
                continue
        else:
            continue
        result = _RESULT.search(text)
        if name and result and int(result["result"]) >= 0:
            yield Call(name, file, text)


def dirty_at_answer(calls: Iterable[Call], port: int, answer: str = "HTTP/1.1 200", below: str = "/") -> list[set[str]]:
    """For each answer that is sent from `port`: the files `below` a folder that were written and not synced by then."""
    dirty: set[str] = set()
    found = []
    for call in calls:
        if call.name in SYNCS:
            dirty.discard(call.file)
        elif call.name not in WRITES:
            continue
        elif call.file.startswith("TCP") and re.search(rf"\[[^]]*:{port}->", call.file):
            if answer in call.text:
                found.append(set(dirty))
        elif call.file.startswith(below):
            dirty.add(call.file)
    return found


@contextlib.contextmanager
def traced(pid: int, out: Path) -> Iterator[None]:
    """Trace a running process with all its threads; `out` holds the trace when the block ends."""
    command = ["strace", "-f", "-yy", "-s", "64", "-o", str(out), "-e", f"trace={','.join(sorted(WRITES | SYNCS))}"]
    tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        # It says so once it is attached to all threads.
        said = tracer.stderr.readline()
        if "attached" not in said:
            raise RuntimeError(f"strace cannot attach: {said.strip()}")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.close()
        tracer.wait(20)


def why_no_trace() -> str | None:
    """Why nothing can be traced here; None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    with subprocess.Popen(["sleep", "30"]) as other:
        tracer = subprocess.Popen(["strace", "-p", str(other.pid)], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        tracer.kill()
        tracer.wait()
        tracer.stderr.close()
        other.kill()
    return None if "attached" in said else f"strace cannot attach here: {said.strip()}"


def wait_until_written(out: Path, text: str, limit_s: float = 10) -> None:
    """Until the trace holds a text: strace writes it a moment later."""
    deadline = time.monotonic() + limit_s
    while text not in out.read_text(encoding="utf-8", errors="replace"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the trace does not show {text!r}")
        time.sleep(0.05)


def paths_of(files: Iterable[str]) -> set[Path]:
    """The files as paths; those that were deleted meanwhile are left out."""
    return {Path(os.fsdecode(file)) for file in files if Path(file).exists()}
