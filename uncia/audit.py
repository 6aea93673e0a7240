"""The audit log: who used which key or account, and who read exact positions or saw people; one JSON object per line.

The file can be read by its owner only, and is appended to: each record is one write, so that several processes may
share it. A record that cannot be written is reported in the log of the process, and does not stop the work.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from uncia.settings import stack_dir

__all__ = ["FILE_NAME", "AuditLog", "audit_file", "audit_file_of_process", "read_audit"]

FILE_NAME = "audit.jsonl"

_MAX_BYTES = 20 * 1_048_576
"""A full file is renamed to `audit.jsonl.1`, which replaces the one before."""

log = structlog.get_logger(__name__)


def audit_file(stack: Path) -> Path:
    """The audit log of the stack in this folder."""
    return stack / "logs" / FILE_NAME


def audit_file_of_process(folder: Path) -> Path:
    """The audit log of the stack that this process belongs to, which `uncia keys audit` shows; else one in `folder`."""
    stack = stack_dir()
    return audit_file(stack) if (stack / "stack.env").exists() else folder / FILE_NAME


class AuditLog:
    """Appends records to one file. Thread-safe."""

    def __init__(self, path: Path, clock: Any = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: dict[tuple[str, str, str], float] = {}

    def record(self, action: str, who: str, what: str = "", **details: Any) -> None:
        """Append a record: `who` did `action` to `what`."""
        entry = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "action": action, "who": who, "what": what}
        line = json.dumps({**entry, **details}, ensure_ascii=False) + "\n"
        try:
            with self._lock:
                self._append(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            log.error("audit_not_written", path=str(self._path), error=str(error), **entry)

    def record_once(self, action: str, who: str, what: str, *, within_s: float = 3600, **details: Any) -> None:
        """Append a record unless this process appended the same within this time, as pages that refresh would do."""
        now, key = self._clock(), (action, who, what)
        with self._lock:
            # Until when each is not repeated: the times differ from action to action.
            self._recent = {known: until for known, until in self._recent.items() if now < until}
            if key in self._recent:
                return
            self._recent[key] = now + within_s
        self.record(action, who, what, **details)

    def _append(self, line: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists() and self._path.stat().st_size > _MAX_BYTES:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


def read_audit(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log, oldest first. A line that a full disk cut off is left out."""
    for file in (path.with_name(f"{path.name}.1"), path):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
