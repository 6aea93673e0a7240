"""Bounds for trying a graph that somebody else made: a file of a kilobyte may ask for a terabyte, or never end."""

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_MEMORY = 8 << 30
"""Bytes that trying a graph may take, besides three times its file: weights, their optimised copy, and the file."""

MOST_SECONDS = 300.0
"""For one answer to two frames."""


@contextlib.contextmanager
def bounded_memory(file_bytes: int) -> Iterator[None]:
    """Within it the process can take so much more memory and no further: what asks for more fails as on a full machine.

    The whole process is meant, so nothing else may run in it meanwhile. Does nothing where the system has no limits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _taken() + MOST_MEMORY + 3 * file_bytes
    limit = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def run_in_time(session: Any, outputs: list[str], inputs: dict[str, Any]) -> Any:
    """`session.run`, ended by ONNX Runtime's own exception when it takes longer than `MOST_SECONDS`."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    timer = threading.Timer(MOST_SECONDS, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        return session.run(outputs, inputs, options)
    finally:
        timer.cancel()


def _taken() -> int:
    """Bytes of address space that the process has now."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0
