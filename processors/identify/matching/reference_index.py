"""The known individuals in memory, and the nearest embeddings by brute force in blocks.

Time grows with the number of references, and memory bandwidth is its limit: docs/benchmarks.md has the figures up to
100,000, where an approximate index was not worth its dependency.
"""

from collections.abc import Collection, Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from uncia.processors.identify.matching.description import Description, FloatArray, ForeignEmbedder
from uncia.processors.identify.matching.interface import Reference, SamePicture

SAME_PICTURE_BITS = 6
"""Of 256. Another compression of a photograph changes a few bits; two frames of a burst differ in more than 20."""

_BLOCK = 8192
_SMALLEST_ROOM = 64
_PIECE_BYTES = 4
"""A fingerprint has eight pieces: of two that differ in at most `SAME_PICTURE_BITS` < 8 bits, one piece is the same."""

_Piece = tuple[int, bytes]

_Key = TypeVar("_Key")
_Scalar = TypeVar("_Scalar", bound=np.generic)


class InMemoryIndex:
    """Implements `ReferenceIndex`. The order in which references were added does not show in any result."""

    def __init__(self, embedder: str) -> None:
        self._embedder = embedder
        self._references: list[Reference] = []
        self._slots: dict[str, int] = {}
        self._by_individual: dict[str, set[str]] = {}
        self._by_encounter: dict[str, set[str]] = {}
        self._embeddings: FloatArray = np.zeros((0, 0), dtype=np.float32)
        self._by_piece: dict[_Piece, set[str]] = {}
        self._usable: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    @property
    def embedder(self) -> str:
        return self._embedder

    def __len__(self) -> int:
        return len(self._references)

    def add(self, reference: Reference) -> tuple[SamePicture, ...]:
        return self.add_all((reference,))

    def add_all(self, references: Iterable[Reference]) -> tuple[SamePicture, ...]:
        added = list(references)
        for reference in added:
            self._check(reference)
        found: set[SamePicture] = set()
        for reference in added:
            found.update(
                SamePicture(*sorted((reference.reference_id, other.reference_id)))
                for other in self.same_picture(reference.description)
                if other.individual_id != reference.individual_id and other.reference_id != reference.reference_id
            )
            self.remove(reference.reference_id)
            self._append(reference)
        return tuple(sorted(found))

    def remove(self, reference_id: str) -> bool:
        slot = self._slots.pop(reference_id, None)
        if slot is None:
            return False
        removed, last = self._references[slot], self._references.pop()
        if last.reference_id != reference_id:
            self._write(slot, last)
            self._references[slot] = last
            self._slots[last.reference_id] = slot
        _discard(self._by_individual, removed.individual_id, reference_id)
        _discard(self._by_encounter, removed.encounter_id, reference_id)
        for piece in _pieces(removed.description):
            _discard(self._by_piece, piece, reference_id)
        return True

    def remove_individual(self, individual_id: str) -> int:
        return sum(self.remove(reference_id) for reference_id in tuple(self._by_individual.get(individual_id, ())))

    def get(self, reference_id: str) -> Reference | None:
        slot = self._slots.get(reference_id)
        return None if slot is None else self._references[slot]

    def references_of(self, individual_id: str) -> tuple[Reference, ...]:
        return tuple(
            self._references[self._slots[reference_id]]
            for reference_id in sorted(self._by_individual.get(individual_id, ()))
        )

    def individuals(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_individual))

    def same_picture(self, description: Description) -> tuple[Reference, ...]:
        if not description.quality.usable:
            return ()
        wanted = int.from_bytes(description.fingerprint)
        alike = {one for piece in _pieces(description) for one in self._by_piece.get(piece, ())}
        found = (self._references[self._slots[reference_id]] for reference_id in sorted(alike))
        return tuple(
            reference
            for reference in found
            if (int.from_bytes(reference.description.fingerprint) ^ wanted).bit_count() <= SAME_PICTURE_BITS
        )

    def nearest(
        self, embeddings: FloatArray, count: int, *, excluded_encounters: Collection[str] = ()
    ) -> list[tuple[Reference, float]]:
        used = len(self._references)
        if used == 0 or count <= 0:
            return []
        similarities = self._similarities(embeddings, used)
        similarities[~self._usable[:used]] = -np.inf
        for encounter in excluded_encounters:
            for reference_id in self._by_encounter.get(encounter, ()):
                similarities[self._slots[reference_id]] = -np.inf
        # Rounded, so that a sum in another order does not decide a tie.
        rounded = np.round(similarities, 5)
        cut = np.partition(rounded, used - count)[used - count] if count < used else -np.inf
        slots = [int(slot) for slot in np.flatnonzero(rounded >= cut) if np.isfinite(rounded[slot])]
        slots.sort(key=lambda slot: (-rounded[slot], self._references[slot].reference_id))
        return [(self._references[slot], float(rounded[slot])) for slot in slots[:count]]

    def _similarities(self, embeddings: FloatArray, used: int) -> FloatArray:
        """The highest cosine similarity to any row; zeros without embeddings."""
        result: FloatArray = np.zeros(used, dtype=np.float32)
        if embeddings.size == 0 or self._embeddings.shape[1] == 0:
            return result
        if embeddings.shape[1] != self._embeddings.shape[1]:
            raise ForeignEmbedder(
                f"The index holds embeddings of {self._embeddings.shape[1]} numbers and the query has "
                f"{embeddings.shape[1]}: rebuild the index."
            )
        for start in range(0, used, _BLOCK):
            block = self._embeddings[start : min(start + _BLOCK, used)]
            result[start : start + len(block)] = (block @ embeddings.T).max(axis=1)
        return result

    def _check(self, reference: Reference) -> None:
        description = reference.description
        if description.embedder != self._embedder:
            raise ForeignEmbedder(
                f"Reference {reference.reference_id} was embedded by {description.embedder} and the index holds "
                f"embeddings of {self._embedder}: compute the description again."
            )
        if reference.captured_at is not None and reference.captured_at.tzinfo is None:
            raise ValueError(f"The capture time of reference {reference.reference_id} has no time zone.")
        dimensions = description.embedding.shape[0]
        if dimensions and self._embeddings.shape[1] not in (0, dimensions):
            raise ForeignEmbedder(
                f"Reference {reference.reference_id} has an embedding of {dimensions} numbers and the index holds "
                f"{self._embeddings.shape[1]}: compute the description again."
            )

    def _append(self, reference: Reference) -> None:
        slot = len(self._references)
        self._make_room(slot + 1, reference.description.embedding.shape[0])
        self._references.append(reference)
        self._slots[reference.reference_id] = slot
        self._by_individual.setdefault(reference.individual_id, set()).add(reference.reference_id)
        self._by_encounter.setdefault(reference.encounter_id, set()).add(reference.reference_id)
        for piece in _pieces(reference.description):
            self._by_piece.setdefault(piece, set()).add(reference.reference_id)
        self._write(slot, reference)

    def _make_room(self, needed: int, dimensions: int) -> None:
        room, width = self._embeddings.shape[0], max(self._embeddings.shape[1], dimensions)
        if needed <= room and width == self._embeddings.shape[1]:
            return
        larger = max(needed, room if needed <= room else 2 * room, _SMALLEST_ROOM)
        self._embeddings = _enlarged(self._embeddings, (larger, width))
        usable = np.zeros(larger, dtype=np.bool_)
        usable[: len(self._usable)] = self._usable
        self._usable = usable

    def _write(self, slot: int, reference: Reference) -> None:
        description = reference.description
        self._embeddings[slot] = 0
        self._embeddings[slot, : description.embedding.shape[0]] = description.embedding
        self._usable[slot] = description.quality.usable


def _enlarged(array: NDArray[_Scalar], shape: tuple[int, int]) -> NDArray[_Scalar]:
    result: NDArray[_Scalar] = np.zeros(shape, dtype=array.dtype)
    result[: array.shape[0], : array.shape[1]] = array
    return result


def _pieces(description: Description) -> list[_Piece]:
    """What finds a description by its fingerprint; nothing finds an unusable one."""
    if not description.quality.usable:
        return []
    fingerprint = description.fingerprint
    return [(start, fingerprint[start : start + _PIECE_BYTES]) for start in range(0, len(fingerprint), _PIECE_BYTES)]


def _discard(groups: dict[_Key, set[str]], key: _Key, reference_id: str) -> None:
    groups[key].discard(reference_id)
    if not groups[key]:
        del groups[key]
