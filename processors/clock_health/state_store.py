"""A camera's state as bytes: its clock history, and its position in the log.

Frames of a camera are in one partition. A state holds the position of the last message that it includes, so that
reading it again after a crash counts nothing twice. It is written after the verdict that follows from it was
published, so a crash between the two publishes the same verdict again.
"""

import zlib
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from uncia.processors.clock_health.assessment import PublishedVerdict
from uncia.processors.clock_health.history import History
from uncia.processors.faust_runtime.stored_state import LogPosition, pack_state, unpack_state

VERSION = 1

TABLE = "clocks"


@dataclass
class CameraClock(LogPosition):
    """One camera's state."""

    history: History = field(default_factory=History)
    said: PublishedVerdict | None = None
    """The last published verdict; the field names of this class are stored."""

    def to_bytes(self) -> bytes:
        """Encode the state: about 2 KB at most."""
        return pack_state(VERSION, _STATE.dump_json(self))

    @classmethod
    def from_bytes(cls, camera: str, raw: bytes) -> "CameraClock":
        """Decode a state. Raises `StateTooNew`; one that cannot be decoded at all is replaced by an empty one."""
        try:
            return _STATE.validate_json(unpack_state(VERSION, raw, f"the clock state of camera {camera!r}"))
        except (zlib.error, ValidationError):
            return cls()


_STATE = TypeAdapter(CameraClock)
