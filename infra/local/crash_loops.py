"""Detects crash loops: parts that supervisord restarts repeatedly, found in its log.

The state that supervisord reports is not enough. A part that dies a few seconds after every start is running, with a
ready file, at almost every moment at which its state is read. The log survives any number of restarts.
"""

import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_WINDOW_S = 600
"""Window over which exits are counted, in seconds."""

_MIN_EXITS = 3
"""Unexpected exits that make a crash loop. Two may be one kill and one transient failure."""

_RECOVERED_AFTER_S = 300
"""A part counts as recovered after this many seconds without an exit."""

_READ_BYTES = 256 * 1024
_MAX_ERROR_LENGTH = 300

_EXIT = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ exited: (\S+) \((.*); not expected\)")
_EXCEPTION = re.compile(r"^(?:uncia: .|[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Down|Exit)\b)")


@dataclass(frozen=True)
class CrashLoop:
    """A part that exited unexpectedly several times within the window."""

    restarts: int
    """Unexpected exits within `over_s`."""
    over_s: float
    """Seconds since the first of them."""
    last_exit: str
    """How supervisord describes the last exit: `exit status 1`, `terminated by SIGKILL`."""
    last_error: str = ""
    """The last error in the part's own log."""

    def describe(self) -> str:
        """One sentence for `uncia status`."""
        minutes = max(1, round(self.over_s / 60))
        error = f", last error: {self.last_error}" if self.last_error else ""
        return f"crash loop: {self.restarts} restarts in {minutes} min ({self.last_exit}){error}"


def crash_loops(logs: Path, now: float | None = None) -> dict[str, CrashLoop]:
    """The crash loops of a stack by part. `logs` is the stack's log folder; `now` is in seconds since the epoch."""
    names = ("supervisord.log.1", "supervisord.log")
    lines = [line for name in names for line in tail(logs / name).splitlines()]
    found = find_loops(lines, time.time() if now is None else now)
    return {
        name: CrashLoop(loop.restarts, loop.over_s, loop.last_exit, last_error(tail(logs / f"{name}.log")))
        for name, loop in found.items()
    }


def find_loops(lines: Iterable[str], now: float) -> dict[str, CrashLoop]:
    """Crash loops by part, from lines of supervisord's log in order; the log's times are local."""
    exits: dict[str, list[tuple[float, str]]] = {}
    for line in lines:
        if found := _EXIT.match(line):
            at = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
            if now - _WINDOW_S <= at <= now + 60:
                exits.setdefault(found[2], []).append((at, found[3]))
    return {
        name: CrashLoop(len(part_exits), max(0.0, now - part_exits[0][0]), part_exits[-1][1])
        for name, part_exits in exits.items()
        if len(part_exits) >= _MIN_EXITS and now - part_exits[-1][0] <= _RECOVERED_AFTER_S
    }


def last_error(log: str) -> str:
    """The last error in a worker's log as one line: an entry of level error or above, or the end of a traceback."""
    for line in reversed(log.splitlines()):
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if not isinstance(entry, dict) or entry.get("level") not in ("error", "critical"):
                continue
            exception = str(entry.get("exception") or "").strip().rpartition("\n")[2]
            fields = [str(entry[name]) for name in ("event", "error") if entry.get(name)]
            return ": ".join([*fields, *([exception] if exception else [])])[:_MAX_ERROR_LENGTH]
        if _EXCEPTION.match(line):
            return line.removeprefix("uncia: ")[:_MAX_ERROR_LENGTH]
    return ""


def tail(path: Path) -> str:
    """The last 256 KiB of a log; empty when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
