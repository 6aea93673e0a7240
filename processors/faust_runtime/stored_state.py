"""The stored form of a camera's state: its layout's version, and the log position that it includes. Pure."""

import zlib
from dataclasses import dataclass

from uncia.errors import UnciaError

__all__ = ["LogPosition", "StateTooNew", "pack_state", "unpack_state"]


class StateTooNew(UnciaError):
    """A state was written by a newer Uncia."""

    exit_code = 78  # EX_CONFIG: starting again by itself would not help


@dataclass
class LogPosition:
    """The last message that a state includes. Field names are a stored format."""

    offset: int = -1
    logged_ms: int = -1

    def includes(self, offset: int, logged_ms: int) -> bool:
        """Whether the state includes this message. A topic that was created again counts from 0, at later times."""
        return offset <= self.offset and logged_ms <= self.logged_ms


def pack_state(version: int, raw: bytes) -> bytes:
    """The stored form: the version of the layout in one byte, then the compressed state."""
    return bytes([version]) + zlib.compress(raw, 1)


def unpack_state(version: int, stored: bytes, what: str) -> bytes:
    """The state of a stored form. Raises `StateTooNew` for a layout above `version`, and `zlib.error`."""
    if stored[:1] and stored[0] > version:
        raise StateTooNew(
            f"{what} has layout {stored[0]} and this worker reads up to {version}: a newer Uncia wrote it; start that "
            "version again. Nothing was overwritten"
        )
    return zlib.decompress(stored[1:])
