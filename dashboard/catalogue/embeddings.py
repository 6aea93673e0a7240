"""Small vectors of detections, by which look-alikes are found: random projections of class probabilities; pure.

The square roots of the class probabilities form a unit vector, and the inner product of two of them is the
Bhattacharyya coefficient of the two distributions. A projection by random signs to 64 dimensions preserves inner
products to about 1 / sqrt(64) (Johnson and Lindenstrauss; Achlioptas 2003), and 64 bytes are stored instead of 2 KB.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from uncia.events import ClassVector

__all__ = ["EMBEDDING_SIZE", "crop_embedding", "unpack_embeddings"]

EMBEDDING_SIZE = 64
"""Dimensions, and bytes, of an embedding."""

_MOST_CLASSES = 65_536
_STEPS = 1024
"""Square roots are rounded to 1 / 1024, so that float32 sums are exact and do not depend on their order."""


def crop_embedding(classes: ClassVector, label_set: str | None) -> bytes | None:
    """The embedding of one detection as 64 signed bytes; None where the probabilities cannot be read, are not in
    [0, 1], or are all zero.

    The signs depend on the label set: vectors of different label sets are close to orthogonal, and so never alike.
    The same input gives the same bytes on any machine.
    """
    try:
        probabilities = classes.unpack()
    except ValueError:
        return None
    # Written so that NaN is refused, too.
    if probabilities.shape[0] > _MOST_CLASSES or not (probabilities.min() >= 0 and probabilities.max() <= 1):
        return None
    roots = np.rint(np.sqrt(probabilities) * np.float32(_STEPS))
    projected = roots @ _signs(label_set or "", probabilities.shape[0])
    largest = float(np.abs(projected).max())
    if largest == 0:
        return None
    return np.rint(projected.astype(np.float64) * 127 / largest).astype(np.int8).tobytes()


def unpack_embeddings(stored: Sequence[bytes]) -> NDArray[np.float64]:
    """Unit vectors of shape (n, 64) of stored embeddings. Raises `ValueError` for one of another length."""
    if any(len(one) != EMBEDDING_SIZE for one in stored):
        raise ValueError(f"an embedding has {EMBEDDING_SIZE} bytes")
    vectors = np.frombuffer(b"".join(stored), dtype=np.int8).reshape(len(stored), EMBEDDING_SIZE).astype(np.float64)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1.0))


@lru_cache(maxsize=4)
def _signs(label_set: str, classes: int) -> NDArray[np.float32]:
    """Signs of shape (classes, 64). A hash and no generator of random numbers: those may change with NumPy."""
    seed = f"uncia-crop-embedding-1 {label_set}".encode(errors="replace")
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(seed).digest(classes * EMBEDDING_SIZE // 8), dtype=np.uint8))
    return (2 * bits.astype(np.float32) - 1).reshape(classes, EMBEDDING_SIZE)
