"""Which photographs the expired bursts of a camera held, so that a repetition does not create a second burst.

A card that is read again months later, or a message that is delivered twice, must not put a photograph into a lone
burst that contradicts the burst it already has. Bursts themselves are stored for minutes only; of their photographs
eight bytes each stay, for the last `CAPACITY` photographs of a camera. They are stored in chunks, of which only the
one being filled is written: what was seen costs a new frame nothing.

A repetition older than that cannot be distinguished from a new photograph; it becomes a burst of its own.
"""

import base64
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

CHUNK = 512
"""Photographs in one chunk."""

MAX_CHUNKS = 16

CAPACITY = CHUNK * MAX_CHUNKS
"""At least the last `CAPACITY - CHUNK` photographs are recognised: 64 KB for a camera."""

_PREFIX = "seen-"
_HASH_BYTES = 8


def is_chunk(name: str) -> bool:
    """Whether the record of this name is a chunk, not a burst."""
    return name.startswith(_PREFIX)


class SeenImages:
    """A bounded set of ids, in numbered chunks; the chunk with the greatest number is the one being filled.

    Besides image ids it holds the ids of superseded bursts and marks of moved uploads: neither may ever come back.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self.changed: set[str] = set()
        """Names of chunks that were not yet written."""
        self.removed: set[str] = set()
        """Names of chunks whose records must be removed."""

    @property
    def record_names(self) -> set[str]:
        """The names of all its chunks."""
        return {f"{_PREFIX}{number}" for number in self._chunks}

    def __contains__(self, name: str) -> bool:
        """Whether the id was added, and not so long ago that its chunk was dropped."""
        hashed = np.frombuffer(_hash(name), dtype=np.uint64)[0]
        return any(bool((np.frombuffer(chunk, dtype=np.uint64) == hashed).any()) for chunk in self._chunks.values())

    def add(self, names: Iterable[str]) -> None:
        """Add ids; drops the oldest chunk when there are more than `MAX_CHUNKS`."""
        for name in names:
            number = max(self._chunks, default=0)
            if len(self._chunks.get(number, b"")) >= CHUNK * _HASH_BYTES:
                number += 1
            self._chunks.setdefault(number, bytearray()).extend(_hash(name))
            self.changed.add(f"{_PREFIX}{number}")
            while len(self._chunks) > MAX_CHUNKS:
                oldest = f"{_PREFIX}{min(self._chunks)}"
                del self._chunks[min(self._chunks)]
                self.changed.discard(oldest)
                self.removed.add(oldest)

    def dump(self, name: str) -> str:
        """One chunk as base64."""
        return base64.b64encode(self._chunks[int(name.removeprefix(_PREFIX))]).decode()

    def load(self, name: str, chunk: str) -> None:
        """Restore a chunk from base64."""
        self._chunks[int(name.removeprefix(_PREFIX))] = bytearray(base64.b64decode(chunk))

    def discard_chunk(self, name: str) -> None:
        """Drop a chunk whose record was removed."""
        self._chunks.pop(int(name.removeprefix(_PREFIX)), None)


def _hash(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_HASH_BYTES).digest()
