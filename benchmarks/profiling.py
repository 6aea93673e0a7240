"""Profiles a running worker with py-spy, which samples a process from outside without changing it."""

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

# Frames of idle threads. On a busy machine py-spy reports some of them as running.
_WAITING = (
    "EpollSelector.select (",
    "select (selectors.py",
    "_worker (concurrent/futures/thread.py",
    "Thread.run (threading.py",
    "wait (threading.py",
)


@dataclass(frozen=True)
class Profile:
    """Shares of the samples (0 to 1), in descending order."""

    own: list[tuple[str, float]]
    """By running function, including library code."""
    ours: list[tuple[str, float]]
    """By the innermost function of this project in the stack."""


@dataclass
class Recording:
    """A recording in progress. After its end either `profile` or `problem` is set."""

    profile: Profile | None = None
    problem: str = ""


@contextlib.contextmanager
def recording(pid: int, seconds: int) -> Iterator[Recording]:
    """Record a process until the context exits, `seconds` at most. Never raises; without py-spy sets `problem`."""
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
                _, stderr = spy.communicate(timeout=_GRACE_S)
            except subprocess.TimeoutExpired:
                spy.kill()
                _, stderr = spy.communicate()
        if raw.exists():
            result.profile = read_stacks(raw.read_text(encoding="utf-8", errors="replace"))
        else:
            result.problem = f"py-spy could not attach: {stderr.decode(errors='replace').strip().splitlines()[:1]}"


def read_stacks(text: str, most: int = 12) -> Profile:
    """Parse py-spy's collapsed stacks: lines of `outer;inner count`, frames `function (file)`, without idle threads.

    `most` limits the number of functions.
    """
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
        own_frames = [frame for frame in frames if _is_ours(frame)]
        ours[own_frames[-1] if own_frames else "no function of Uncia"] += int(count)
    return Profile(_shares(own, total, most), _shares(ours, total, most))


def _is_ours(frame: str) -> bool:
    return re.search(r"\((?:\S*/)?(uncia|processors|infra)/(?!.*site-packages)", frame) is not None


def _shares(counted: Counter[str], total: int, most: int) -> list[tuple[str, float]]:
    return [(name, count / total) for name, count in counted.most_common(most)]


def _py_spy() -> str | None:
    installed = Path(sys.prefix) / "bin" / "py-spy"
    return str(installed) if installed.exists() else shutil.which("py-spy")
