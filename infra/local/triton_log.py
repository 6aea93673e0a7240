"""Triton's log without the gRPC library's report of each call, and the calls that were refused in a file of their own.

Triton logs no refusal. The gRPC library inside it reports the status of each call with `GRPC_TRACE=api`, about thirty
lines a call. This process reads them all from Triton's stderr and keeps the refusals.

It imports nothing but the standard library, so that it is small and starts at once:

    python -I -S triton_log.py FILE < stderr of Triton > log
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

__all__ = ["GRPC_ENVIRONMENT", "TRITON_LOG", "RefusalFile", "main", "split"]

TRITON_LOG = "triton-access.log"
"""In the folder `logs` of the stack."""

GRPC_ENVIRONMENT = {"GRPC_VERBOSITY": "INFO", "GRPC_TRACE": "api"}
"""Variables with which the library reports."""

_MAX_BYTES = 1_048_576
"""Of the file, and of the one before it, which is kept as `NAME.1`."""
_LONGEST_LINE = 65_536
_LONGEST_MESSAGE = 300

# Nine digits of a second distinguish the library's lines from Triton's, which have six. Errors of the library are kept.
_REPORT = re.compile(rb"I\d{4} \d\d:\d\d:\d\d\.\d{9} +\d+ ")
_REFUSAL = re.compile(
    rb"SEND_STATUS_FROM_SERVER status=14 details=(This protocol is restricted, expecting header '[^']*')"
)


def split(line: bytes) -> tuple[bytes, str]:
    """What remains of a line for the log, and the message of a refusal; each is empty where there is none."""
    if not _REPORT.match(line):
        return line, ""
    refusal = _REFUSAL.search(line)
    return b"", refusal[1].decode("utf-8", "replace")[:_LONGEST_MESSAGE] if refusal else ""


class RefusalFile:
    """Appends `TIME MESSAGE`, and renames the file when it is full. What cannot be written is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, message: str) -> None:
        """Add a line with the present time, UTC."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{at} {message}\n")
            if file.tell() > _MAX_BYTES:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE):
        yield line


def main() -> None:
    """Run until the end of the input, so that Triton's last lines are kept."""
    refusals = RefusalFile(Path(sys.argv[1]))
    for line in _lines(sys.stdin.buffer):
        kept, refusal = split(line)
        if refusal:
            refusals.append(refusal)
        if kept:
            # A full disk must not end this process: Triton would wait for it.
            with suppress(OSError):
                os.write(sys.stdout.fileno(), kept)


if __name__ == "__main__":
    main()
