"""A camera's state as bytes: what is kept of it, and how far it was read.

Frames of a camera are in one partition. A state knows the last message it has taken in, so that reading it again after
a crash counts nothing twice. It is written after what it led to was published, so a crash between the two leads to
the same being said again.
"""

import zlib
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from uncia.errors import UnciaError
from uncia.processors.clock_health.assessment import Said
from uncia.processors.clock_health.history import History
from uncia.topics import CLOCK_STATE

VERSION = 1

TABLE = "clocks"

CHANGELOG = CLOCK_STATE


class ClockStateTooNew(UnciaError):
    """A state was written by a newer Uncia."""

    exit_code = 78  # EX_CONFIG: starting again by itself would not help


@dataclass
class CameraClock:
    """One camera's state."""

    history: History = field(default_factory=History)
    said: Said | None = None
    offset: int = -1
    logged_ms: int = -1

    def has_seen(self, offset: int, logged_ms: int) -> bool:
        """Whether this message was taken in before. A topic that was made anew counts from 0, at later times."""
        return offset <= self.offset and logged_ms <= self.logged_ms

    def to_bytes(self) -> bytes:
        """About 2 KB at most."""
        return bytes([VERSION]) + zlib.compress(_STATE.dump_json(self), 1)

    @classmethod
    def from_bytes(cls, camera: str, raw: bytes) -> "CameraClock":
        """Read a state. Raises `ClockStateTooNew`; one that cannot be read at all begins anew: it is statistics."""
        if raw[:1] and raw[0] > VERSION:
            raise ClockStateTooNew(
                f"the clock state of camera {camera!r} has layout {raw[0]} and this worker reads up to {VERSION}: "
                "a newer Uncia wrote it, start that one again; nothing was overwritten"
            )
        try:
            return _STATE.validate_json(zlib.decompress(raw[1:]))
        except (zlib.error, ValidationError):
            return cls()


_STATE = TypeAdapter(CameraClock)
