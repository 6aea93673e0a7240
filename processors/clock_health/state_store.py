"""A camera's state as bytes: its clock history, and its position in the log.

Frames of a camera are in one partition. A state holds the position of the last message that it includes, so that
reading it again after a crash counts nothing twice. It is written after the verdict that follows from it was
published, so a crash between the two publishes the same verdict again.
"""

import zlib
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from uncia.errors import UnciaError
from uncia.processors.clock_health.assessment import PublishedVerdict
from uncia.processors.clock_health.history import History

VERSION = 1

TABLE = "clocks"


class ClockStateTooNew(UnciaError):
    """A state was written by a newer Uncia."""

    exit_code = 78  # EX_CONFIG: starting again by itself would not help


@dataclass
class CameraClock:
    """One camera's state."""

    history: History = field(default_factory=History)
    said: PublishedVerdict | None = None
    """The last published verdict; the field names of this class are stored."""
    offset: int = -1
    logged_ms: int = -1

    def includes(self, offset: int, logged_ms: int) -> bool:
        """Whether the state includes this message. A topic that was created again counts from 0, at later times."""
        return offset <= self.offset and logged_ms <= self.logged_ms

    def to_bytes(self) -> bytes:
        """Encode the state: about 2 KB at most."""
        return bytes([VERSION]) + zlib.compress(_STATE.dump_json(self), 1)

    @classmethod
    def from_bytes(cls, camera: str, raw: bytes) -> "CameraClock":
        """Decode a state. Raises `ClockStateTooNew`; one that cannot be decoded at all is replaced by an empty one."""
        if raw[:1] and raw[0] > VERSION:
            raise ClockStateTooNew(
                f"the clock state of camera {camera!r} has layout {raw[0]} and this worker reads up to {VERSION}: "
                "a newer Uncia wrote it; start that version again. Nothing was overwritten"
            )
        try:
            return _STATE.validate_json(zlib.decompress(raw[1:]))
        except (zlib.error, ValidationError):
            return cls()


_STATE = TypeAdapter(CameraClock)
