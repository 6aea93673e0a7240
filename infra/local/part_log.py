"""A part's log without the gRPC library's reports, and the requests that were refused in a file of their own.

Neither Triton nor SeaweedFS logs every refusal, but the gRPC library inside them can report each call or connection:
about thirty lines a call in Triton. This process reads all that the part writes to stderr, keeps the refusals in a
file, and drops the other reports.

It imports nothing but the standard library, so that it is small and starts at once:

    python -I -S part_log.py PART FILE < stderr of the part > log
"""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["LOGS", "PartLog", "RefusalFile", "access_file", "main"]

_MAX_BYTES = 1_048_576
"""Of the file, and of the one before it, which is kept as `NAME.1`."""
_LONGEST_LINE = 65_536
_LONGEST_MESSAGE = 300


@dataclass(frozen=True)
class PartLog:
    """How the library inside a part reports."""

    environment: Mapping[str, str]
    """Variables with which it does."""
    report: re.Pattern[bytes]
    """The beginning of its lines. Those with errors of the library differ from it, and are kept."""
    refusal: re.Pattern[bytes]
    """A refusal, in such a line or another one. Its groups are the message."""

    def split(self, line: bytes) -> tuple[bytes, str]:
        """What remains of a line for the log, and the message of a refusal; each is empty where there is none."""
        refusal = self.refusal.search(line)
        message = b" ".join(refusal.groups()).decode("utf-8", "replace")[:_LONGEST_MESSAGE] if refusal else ""
        return b"" if self.report.match(line) else line, message


LOGS = {
    # Nine digits of a second distinguish the library's lines from Triton's, which have six (Triton 2.51).
    "triton": PartLog(
        {"GRPC_VERBOSITY": "INFO", "GRPC_TRACE": "api"},
        re.compile(rb"I\d{4} \d\d:\d\d:\d\d\.\d{9} +\d+ "),
        re.compile(
            rb"I\d{4} [\d:]+\.\d{9} .* SEND_STATUS_FROM_SERVER status=14 "
            rb"details=(This protocol is restricted, expecting header '[^']*')"
        ),
    ),
    # Of the servers that speak HTTPS Go itself reports it. The store's own requests over HTTP to some of them, and
    # clients that refuse a server, are no refusals by the store (SeaweedFS 4.48).
    "seaweedfs": PartLog(
        {"GRPC_GO_LOG_SEVERITY_LEVEL": "info"},
        re.compile(rb"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d INFO: \["),
        re.compile(
            rb'(?:ServerHandshake\(\\?"|http: TLS handshake error from )(\S+?):\d+(?:\\?"\) failed)?: (tls: [^"\r\n]+)'
        ),
    ),
}
"""By part."""


def access_file(logs: Path, part: str) -> Path:
    """The file with what a part refused, and Kafka also permitted, in the folder `logs` of the stack."""
    return logs / f"{part}-access.log"


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


def main() -> None:
    """Run until the end of the input, so that the part's last lines are kept."""
    log, refusals = LOGS[sys.argv[1]], RefusalFile(Path(sys.argv[2]))
    while line := sys.stdin.buffer.readline(_LONGEST_LINE):
        kept, refusal = log.split(line)
        if refusal:
            refusals.append(refusal)
        if kept:
            # A full disk must not end this process: the part would wait for it.
            with suppress(OSError):
                os.write(sys.stdout.fileno(), kept)


if __name__ == "__main__":
    main()
