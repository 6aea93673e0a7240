"""What is computed once per crop, and its bytes.

Layout of version 1, little-endian: the magic bytes, the version (uint16), the length of a JSON header (uint32), the
header, and the arrays one after the other: embedding (float32), key points (float32), descriptors (uint8).
"""

import json
import math
import struct
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]

NO_EMBEDDER = "none"
"""Name of the embedder of descriptions that have no embedding."""

DESCRIPTOR_LENGTH = 128
FINGERPRINT_BYTES = 32
MAX_POINTS = 10_000
MAX_DIMENSIONS = 100_000

_CENTRE_SPREAD = 0.25
"""Standard deviation of the weight of a key point, in sides of the crop."""
_MAGIC = b"uncia-description"
_VERSION = 1
_LENGTHS = struct.Struct("<HI")


class ForeignEmbedder(UnciaError):
    """Embeddings of two models cannot be compared: the index must be rebuilt with the embedder in use."""


class UnreadableDescription(UnciaError):
    """Stored bytes are no description of a version that this program reads."""


class Side(StrEnum):
    """The side of the animal that a crop shows. A right flank never resembles the left flank of the same animal."""

    LEFT = "left"
    RIGHT = "right"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Quality:
    """What a crop offers to a matcher.

    `sharpness` is the variance of the Laplacian of the size-normalised crop (grey in [0, 1], times 1000); `exposure`
    the mean grey value and `contrast` its standard deviation, in [0, 1]; `width` and `height` are the crop's own, in
    pixels. `reason` says in a sentence why the crop cannot be matched; None where it can.
    """

    sharpness: float
    exposure: float
    contrast: float
    width: int
    height: int
    side: Side = Side.UNKNOWN
    reason: str | None = None

    @property
    def usable(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, eq=False)
class Description:
    """Everything that matching needs of a crop; the crop itself is not read again.

    - `embedding`: shape (D,), unit length, or (0,) without an embedding;
    - `keypoints`: shape (N, 4), in pixels of the crop: x, y, scale (sigma), orientation (radians);
    - `descriptors`: shape (N, 128), RootSIFT times 512, clipped to 255;
    - `fingerprint`: 32 bytes, a difference hash that finds the same picture again after another compression;
    - `embedder`: name and version of the model behind `embedding`.

    The arrays must not be changed. Two descriptions are equal where their bytes are.
    """

    embedder: str
    embedding: FloatArray
    keypoints: FloatArray
    descriptors: ByteArray
    fingerprint: bytes
    quality: Quality

    @cached_property
    def centre_weights(self) -> FloatArray:
        """(N,) in [0, 1]: how near each key point is to the middle of the crop. The edges of a box show background."""
        across = (self.keypoints[:, 0] / self.quality.width - 0.5) / _CENTRE_SPREAD
        down = (self.keypoints[:, 1] / self.quality.height - 0.5) / _CENTRE_SPREAD
        return np.asarray(np.exp(-(across**2 + down**2) / 2), dtype=np.float32)

    def central(self, most: int) -> NDArray[np.intp]:
        """The numbers of the key points that are nearest to the middle of the crop, at most so many, ascending."""
        return np.sort(self._by_centre[:most])

    @cached_property
    def _by_centre(self) -> NDArray[np.intp]:
        return np.argsort(-self.centre_weights, kind="stable")

    def to_bytes(self) -> bytes:
        """Serialise. The same description gives the same bytes on every machine."""
        quality = self.quality
        header = {
            "embedder": self.embedder,
            "dimensions": int(self.embedding.shape[0]),
            "points": int(self.keypoints.shape[0]),
            "fingerprint": self.fingerprint.hex(),
            "sharpness": float(quality.sharpness),
            "exposure": float(quality.exposure),
            "contrast": float(quality.contrast),
            "width": quality.width,
            "height": quality.height,
            "side": quality.side.value,
            "reason": quality.reason,
        }
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        return b"".join(
            (
                _MAGIC,
                _LENGTHS.pack(_VERSION, len(text)),
                text,
                np.ascontiguousarray(self.embedding, dtype="<f4").tobytes(),
                np.ascontiguousarray(self.keypoints, dtype="<f4").tobytes(),
                np.ascontiguousarray(self.descriptors, dtype=np.uint8).tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Description":
        """Parse what `to_bytes` returned. Raises `UnreadableDescription` for anything else."""
        body = len(_MAGIC) + _LENGTHS.size
        if len(data) < body or not data.startswith(_MAGIC):
            raise UnreadableDescription("These bytes are no description of a crop: compute it again from the crop.")
        version, length = _LENGTHS.unpack_from(data, len(_MAGIC))
        if version != _VERSION:
            raise UnreadableDescription(
                f"The description has version {version}, and this program reads {_VERSION}: "
                "compute it again from the crop."
            )
        try:
            header = json.loads(data[body : body + length])
            return _from_parts(header, memoryview(data)[body + length :])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnreadableDescription(
                f"The description is damaged ({error}): compute it again from the crop."
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Description) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def _from_parts(header: dict[str, Any], arrays: memoryview) -> Description:
    dimensions, points = header["dimensions"], header["points"]
    if not (0 <= dimensions <= MAX_DIMENSIONS and 0 <= points <= MAX_POINTS):
        raise ValueError(f"{dimensions} dimensions and {points} points are out of range")
    expected = 4 * dimensions + points * (16 + DESCRIPTOR_LENGTH)
    if len(arrays) != expected:
        raise ValueError(f"{len(arrays)} bytes of arrays instead of {expected}")
    embedding = np.frombuffer(arrays, dtype="<f4", count=dimensions)
    keypoints = np.frombuffer(arrays, dtype="<f4", count=4 * points, offset=4 * dimensions).reshape(points, 4)
    descriptors = np.frombuffer(arrays, dtype=np.uint8, offset=4 * dimensions + 16 * points)
    fingerprint = bytes.fromhex(header["fingerprint"])
    sharpness, exposure, contrast = (float(header[name]) for name in ("sharpness", "exposure", "contrast"))
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError(f"a fingerprint of {len(fingerprint)} bytes")
    if not (
        np.isfinite(embedding).all() and np.isfinite(keypoints).all() and math.isfinite(sharpness + exposure + contrast)
    ):
        raise ValueError("NaN or infinite values")
    reason = header["reason"]
    return Description(
        embedder=str(header["embedder"]),
        embedding=embedding.astype(np.float32, copy=False),
        keypoints=keypoints.astype(np.float32, copy=False),
        descriptors=descriptors.reshape(points, DESCRIPTOR_LENGTH),
        fingerprint=fingerprint,
        quality=Quality(
            sharpness,
            exposure,
            contrast,
            width=int(header["width"]),
            height=int(header["height"]),
            side=Side(header["side"]),
            reason=None if reason is None else str(reason),
        ),
    )
