"""What a failed test's stack was doing: the state of its parts and the last warnings in their logs."""

import re
import shutil
from pathlib import Path

from uncia.errors import UnciaError
from uncia.infra.local.stack import Stack

__all__ = ["describe_stack"]

_LINES = 4
"""Of each part's log."""

_WIDTH = 400

_MARK = re.compile(r'"level": "(warning|error|critical)"|WARN|ERROR|FATAL|Traceback|^E\d{4} ')
"""The last one is Triton's: E, month and day."""


def describe_stack(stack: Stack) -> str:
    """One line for each part that is not healthy, the free space, and the last warnings and errors of every log."""
    try:
        parts = [f"{part.name}: {part.state}, {part.detail}" for part in stack.status() if not part.healthy]
    except (UnciaError, OSError) as error:
        parts = [f"its status is not known: {error}"]
    logs = [
        f"{path.name}: {line[:_WIDTH]}"
        for path in sorted((stack.folder / "logs").glob("*.log"))
        for line in _last_warnings(path)
    ]
    free = shutil.disk_usage(stack.folder).free / 1e9
    return "\n".join([*(parts or ["all parts are ready"]), f"disk: {free:.1f} GB free", *logs])


def _last_warnings(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if _MARK.search(line)][-_LINES:]
