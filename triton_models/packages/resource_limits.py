"""Resource limits for running a graph from an unknown source: a kilobyte may allocate a terabyte, or never end."""

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_MEMORY_BYTES = 8 << 30
"""Bytes that a graph may use in addition to three times its file: weights, their optimised copy, and the file."""

MAX_SECONDS = 300.0
"""Time limit for two frames."""


@contextlib.contextmanager
def bounded_memory(file_bytes: int) -> Iterator[None]:
    """Limit the additional memory of the process; larger allocations fail as on a machine without free memory.

    The limit applies to the whole process, so nothing else may run in it meanwhile. Has no effect on systems without
    resource limits.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _address_space_bytes() + MAX_MEMORY_BYTES + 3 * file_bytes
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
    """`session.run`, which raises ONNX Runtime's own exception after `MAX_SECONDS`."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    timer = threading.Timer(MAX_SECONDS, lambda: setattr(options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        return session.run(outputs, inputs, options)
    finally:
        timer.cancel()


def _address_space_bytes() -> int:
    """Address space of the process, in bytes; 0 where it is unknown."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0
