"""Generates the photographs of all stages: 2048 x 1440, about 300 KB, like those of a camera trap.

Composed from scikit-image's pictures (a cat on gravel, grass or bricks, by day and in infrared, with sensor noise) and
identical on every machine with the same Pillow. Every upload gets its own EXIF block, so no two have the same bytes.
"""

import io
import struct
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data as pictures

WIDTH, HEIGHT = 2048, 1440
TARGET_BYTES = 300_000
_QUALITIES = (40, 92)
_SMALL_QUALITY = 75
_VERSION = 2

_EXIF_IFD, _MAKE, _MODEL, _TIME, _MAKER_NOTE = 0x8769, 0x010F, 0x0110, 0x9003, 0x927C


class Photographs:
    """`count` different photographs without EXIF, generated once and cached in `folder`.

    `smaller` divides width and height, for benchmarks that do not measure the photographs themselves.
    """

    def __init__(self, folder: Path, count: int, smaller: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._bodies: list[bytes] = []
        for number in range(count):
            path = folder / f"v{_VERSION}-{number:03}{f'-{smaller}' if smaller > 1 else ''}.jpg"
            if not path.exists():
                unfinished = path.with_suffix(".part")
                unfinished.write_bytes(make(number, smaller))
                unfinished.rename(path)
            self._bodies.append(path.read_bytes())

    def with_exif(self, number: int, exif: bytes) -> bytes:
        """A photograph with an EXIF block, as its camera stores it; `number` is taken modulo the count."""
        return with_exif(self._bodies[number % len(self._bodies)], exif)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a photograph in bytes, without EXIF."""
        return sum(map(len, self._bodies)) / len(self._bodies)


def with_exif(body: bytes, exif: bytes) -> bytes:
    """A JPEG with an EXIF block, which it must not have yet."""
    return body[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + body[2:]


def make(number: int, smaller: int = 1) -> bytes:
    """Generate one photograph: a JPEG with 4:2:2 subsampling, as Reconyx cameras write it."""
    random = np.random.default_rng([_VERSION, number])
    scene = _ground(random)
    if number % 2 == 0:
        _put_cat(scene, random)
    scene += random.normal(0, 4, (*scene.shape[:2], 1)).astype(np.float32)
    if number % 3 == 0:
        scene[:] = scene.mean(axis=2, keepdims=True) * _flash()
    image = Image.fromarray(scene.clip(0, 255).astype(np.uint8))
    if smaller > 1:
        return _jpeg(image.reduce(smaller), _SMALL_QUALITY)
    low, high = _QUALITIES
    while low < high:
        quality = (low + high + 1) // 2
        low, high = (quality, high) if len(_jpeg(image, quality)) <= TARGET_BYTES else (low, quality - 1)
    return _jpeg(image, low)


def exif_block(taken: datetime, sequence: int, length: int, event: int) -> bytes:
    """EXIF of one frame: time, make, model, and a Reconyx HyperFire maker note (frame n of m, motion trigger).

    The layout of the maker note follows ExifTool's documentation.
    """
    note = bytearray(0x78)
    struct.pack_into("<H", note, 0x00, 0xF101)
    note[0x0C:0x0E] = b"M\0"
    struct.pack_into("<HH", note, 0x0E, sequence, length)
    struct.pack_into("<HH", note, 0x12, event >> 16, event & 0xFFFF)
    times = (taken.second, taken.minute, taken.hour, taken.month, taken.day, taken.year)
    struct.pack_into("<6H", note, 0x16, *times)
    struct.pack_into("<hh", note, 0x26, 50, 10)
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL] = "RECONYX", "PC800 PROFESSIONAL"
    exif.get_ifd(_EXIF_IFD).update({_TIME: f"{taken:%Y:%m:%d %H:%M:%S}", _MAKER_NOTE: bytes(note)})
    return exif.tobytes()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality, subsampling="4:2:2")
    return target.getvalue()


def _ground(random: np.random.Generator) -> NDArray[np.float32]:
    """A random crop of a ground texture, randomly tinted."""
    texture = (pictures.gravel, pictures.grass, pictures.brick)[int(random.integers(3))]()
    rows = int(random.integers(200, 360))
    columns = rows * WIDTH // HEIGHT
    top, left = int(random.integers(0, 512 - rows)), int(random.integers(0, 513 - columns))
    piece = Image.fromarray(texture[top : top + rows, left : left + columns])
    grey = np.asarray(piece.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float32)
    tint = (np.array([1.0, 0.97, 0.78]) + random.uniform(-0.08, 0.08, 3)).astype(np.float32)
    coloured: NDArray[np.float32] = grey[..., None] * tint
    return coloured


def _put_cat(scene: NDArray[np.float32], random: np.random.Generator) -> None:
    """Paste scikit-image's cat at a random position, with its edges faded into the ground."""
    width = int(random.integers(500, 1000))
    height = width * 2 // 3
    cat = Image.fromarray(pictures.chelsea()).resize((width, height), Image.Resampling.BICUBIC)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fade = (4 * (1 - np.hypot(x, y))).clip(0, 1).astype(np.float32)[..., None]
    top, left = int(random.integers(60, HEIGHT - height - 100)), int(random.integers(0, WIDTH - width))
    region = scene[top : top + height, left : left + width]
    region += fade * (np.asarray(cat, dtype=np.float32) - region)


def _flash() -> NDArray[np.float32]:
    """Brightness of the infrared flash, which falls off towards the edges."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light: NDArray[np.float32] = (1.1 - 0.5 * np.hypot(x, y)).astype(np.float32)[..., None]
    return light
