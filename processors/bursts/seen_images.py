"""Which photographs a camera's forgotten bursts held, so that a repetition makes no second burst of them.

A card that is read again months later, or a message that comes twice, must not put a photograph into a lone burst
that contradicts the one it has. Bursts themselves are kept for minutes only; of their photographs eight bytes each
stay, of the last `KEPT` ones of a camera. They stand in chunks, of which only the one being filled is written:
what is remembered costs a frame nothing.

A repetition that is older still cannot be told from news; it is a burst of its own.
"""

import base64
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

CHUNK = 512
"""Photographs in one chunk."""

CHUNKS = 16

KEPT = CHUNK * CHUNKS
"""At least `KEPT - CHUNK` photographs are remembered: 64 KB for a camera."""

_PREFIX = "seen-"
_BYTES = 8


def is_chunk(name: str) -> bool:
    """The record of this name is a chunk, not a burst."""
    return name.startswith(_PREFIX)


class Memory:
    """The photographs remembered, in numbered chunks; the greatest number is the one being filled."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self.changed: set[str] = set()
        """Chunks that were not yet written."""
        self.removed: set[str] = set()
        """Chunks whose records are to go."""

    @property
    def names(self) -> set[str]:
        """The records it consists of."""
        return {f"{_PREFIX}{number}" for number in self._chunks}

    def knows(self, image_id: str) -> bool:
        """It was added, and not too long ago."""
        mark = np.frombuffer(_mark(image_id), dtype=np.uint64)[0]
        return any(bool((np.frombuffer(chunk, dtype=np.uint64) == mark).any()) for chunk in self._chunks.values())

    def add(self, image_ids: Iterable[str]) -> None:
        """Remember these."""
        for image_id in image_ids:
            number = max(self._chunks, default=0)
            if len(self._chunks.get(number, b"")) >= CHUNK * _BYTES:
                number += 1
            self._chunks.setdefault(number, bytearray()).extend(_mark(image_id))
            self.changed.add(f"{_PREFIX}{number}")
            while len(self._chunks) > CHUNKS:
                oldest = f"{_PREFIX}{min(self._chunks)}"
                del self._chunks[min(self._chunks)]
                self.changed.discard(oldest)
                self.removed.add(oldest)

    def dump(self, name: str) -> str:
        """One chunk as text."""
        return base64.b64encode(self._chunks[int(name.removeprefix(_PREFIX))]).decode()

    def load(self, name: str, chunk: str) -> None:
        """Put a chunk back."""
        self._chunks[int(name.removeprefix(_PREFIX))] = bytearray(base64.b64decode(chunk))

    def forget(self, name: str) -> None:
        """A chunk went."""
        self._chunks.pop(int(name.removeprefix(_PREFIX)), None)


def _mark(image_id: str) -> bytes:
    return blake2b(image_id.encode(), digest_size=_BYTES).digest()
