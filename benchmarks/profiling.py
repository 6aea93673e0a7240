"""Where a worker's CPU time goes, by py-spy: it looks at a running process from outside and changes nothing in it."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uncia.errors import how_to_install

RATE = 200
_GRACE_S = 20
_LINE = re.compile(r":\d+\)$")

# Threads that wait for work. On a busy machine py-spy takes some of them for running.
_WAITING = (
    "EpollSelector.select (",
    "select (selectors.py",
    "_worker (concurrent/futures/thread.py",
    "Thread.run (threading.py",
    "wait (threading.py",
)


@dataclass(frozen=True)
class Profile:
    """Shares of the samples, 0 to 1, largest first."""

    own: list[tuple[str, float]]
    """By the function that was running, library code included."""
    ours: list[tuple[str, float]]
    """By the innermost function of this project below which it was running."""


@dataclass
class Recording:
    """A recording that goes on; `profile` is there when it ended, `problem` when it could not."""

    profile: Profile | None = None
    problem: str = ""


@contextlib.contextmanager
def recording(pid: int, seconds: int) -> Iterator[Recording]:
    """Record a process while the context runs, `seconds` at most. Never fails: without py-spy there is a `problem`."""
    result = Recording()
    program = _py_spy()
    if program is None:
        result.problem = f"py-spy is not installed ({how_to_install('dev')})"
        yield result
        return
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "stacks"
        command = [program, "record", "-p", str(pid), "-r", str(RATE), "-d", str(seconds), "--nolineno"]
        spy = subprocess.Popen(
            [*command, "-f", "raw", "-o", str(raw)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            yield result
        finally:
            with contextlib.suppress(ProcessLookupError):
                spy.send_signal(2)
            try:
                _, said = spy.communicate(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                spy.kill()
                _, said = spy.communicate()
        if raw.exists():
            result.profile = read_stacks(raw.read_text(encoding="utf-8", errors="replace"))
        else:
            result.problem = f"py-spy could not attach: {said.decode(errors='replace').strip().splitlines()[:1]}"


def read_stacks(text: str, most: int = 12) -> Profile:
    """From py-spy's collapsed stacks, `outer;inner count` a line, each frame `function (file)`; waiting left out."""
    own: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    total = 0
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        if not count.isdigit() or not frames[-1] or frames[-1].startswith(_WAITING):
            continue
        total += int(count)
        own[frames[-1]] += int(count)
        mine = [frame for frame in frames if _is_ours(frame)]
        ours[mine[-1] if mine else "(no function of this project)"] += int(count)
    return Profile(_shares(own, total, most), _shares(ours, total, most))


def _is_ours(frame: str) -> bool:
    return re.search(r"\((?:\S*/)?(uncia|processors|infra)/(?!.*site-packages)", frame) is not None


def _shares(counted: Counter[str], total: int, most: int) -> list[tuple[str, float]]:
    return [(name, count / total) for name, count in counted.most_common(most)]


def _py_spy() -> str | None:
    beside = Path(sys.prefix) / "bin" / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")
