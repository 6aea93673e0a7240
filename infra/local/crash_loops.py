"""Parts that supervisord starts again and again: told from its log, which outlives any number of restarts.

A part that dies a second after every start is seldom seen dead: it runs, and touches its ready file, whenever
somebody looks.
"""

import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WITHIN_S = 600
"""Exits are counted over so many last seconds."""

ENOUGH = 3
"""So many make a loop; two may be a kill and a hiccup."""

QUIET_S = 300
"""A part that has stayed up for so long has recovered."""

_READ_BYTES = 256 * 1024
_LONGEST_ERROR = 300

_EXIT = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ exited: (\S+) \((.*); not expected\)")
_EXCEPTION = re.compile(r"^(?:uncia: .|[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Down|Exit)\b)")


@dataclass(frozen=True)
class CrashLoop:
    """A part that ended by itself several times lately."""

    restarts: int
    """Unexpected exits within `over_s`."""
    over_s: float
    """Seconds since the first of them."""
    last_exit: str
    """How it ended last: `exit status 1`, `terminated by SIGKILL`."""
    last_error: str = ""
    """The last error in its own log."""

    def words(self) -> str:
        """One sentence for people."""
        minutes = max(1, round(self.over_s / 60))
        error = f", last error: {self.last_error}" if self.last_error else ""
        return f"restarting again and again: {self.restarts} times in {minutes} min ({self.last_exit}){error}"


def crash_loops(logs: Path, now: float | None = None) -> dict[str, CrashLoop]:
    """The loops of a stack whose logs are in this folder, by part. `now` in seconds since 1970."""
    names = ("supervisord.log.1", "supervisord.log")
    lines = [line for name in names for line in tail(logs / name).splitlines()]
    found = loops_of(lines, time.time() if now is None else now)
    return {
        name: CrashLoop(loop.restarts, loop.over_s, loop.last_exit, last_error(tail(logs / f"{name}.log")))
        for name, loop in found.items()
    }


def loops_of(lines: Iterable[str], now: float) -> dict[str, CrashLoop]:
    """The same of supervisord's lines, in order; their times are local."""
    exits: dict[str, list[tuple[float, str]]] = {}
    for line in lines:
        if found := _EXIT.match(line):
            at = time.mktime(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
            if now - WITHIN_S <= at <= now + 60:
                exits.setdefault(found[2], []).append((at, found[3]))
    return {
        name: CrashLoop(len(each), max(0.0, now - each[0][0]), each[-1][1])
        for name, each in exits.items()
        if len(each) >= ENOUGH and now - each[-1][0] <= QUIET_S
    }


def last_error(log: str) -> str:
    """The last error of a worker's log, in one line: a line of level error or above, or how a traceback ends."""
    for line in reversed(log.splitlines()):
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if not isinstance(entry, dict) or entry.get("level") not in ("error", "critical"):
                continue
            exception = str(entry.get("exception") or "").strip().rpartition("\n")[2]
            told = [str(entry[name]) for name in ("event", "error") if entry.get(name)]
            return ": ".join([*told, *([exception] if exception else [])])[:_LONGEST_ERROR]
        if _EXCEPTION.match(line):
            return line.removeprefix("uncia: ")[:_LONGEST_ERROR]
    return ""


def tail(path: Path) -> str:
    """The end of a log; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
