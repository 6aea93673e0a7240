"""Contents of the files of a dataset: each file is decoded once, as the stream would, and reduced to hashes."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.progress import ProgressCallback

THUMBNAIL = (24, 32)
"""Rows and columns of the grey thumbnail that remains of each file: 768 bytes, 38 MB for 50,000 files."""

_SMALL = FrameSpec(width=128, height=96, window=128)
"""Crops the info strips, in which two frames of an empty scene differ by their time stamps."""
_FILES_IN_FLIGHT = 64


@dataclass(frozen=True)
class FileContent:
    """Hashes of a file that can be read."""

    sha256: str
    hash: int
    """Difference hash (dHash) of 64 bits: whether brightness increases to the right, at 8 x 8 positions."""
    thumbnail: NDArray[np.uint8]
    """Grey, shape `THUMBNAIL`."""


@dataclass(frozen=True)
class UnreadableFile:
    """A file that cannot be read, and the reason. The fields are keys of the JSON output."""

    path: Path
    reason: str
    message: str


def read_contents(
    paths: Sequence[Path], progress: ProgressCallback | None = None
) -> tuple[dict[Path, FileContent], list[UnreadableFile]]:
    """Decode each file once, in threads. Memory holds the thumbnails, and a few decoded files at a time."""
    contents: dict[Path, FileContent] = {}
    broken: list[UnreadableFile] = []
    with ThreadPoolExecutor() as threads:
        for chunk in _chunks(iter(paths)):
            for path, found in zip(chunk, threads.map(_read_content, chunk), strict=True):
                if isinstance(found, UnreadableFile):
                    broken.append(found)
                else:
                    contents[path] = found
            if progress:
                progress(len(contents) + len(broken), len(paths))
    return contents, broken


def _chunks(paths: Iterator[Path]) -> Iterator[list[Path]]:
    while chunk := list(islice(paths, _FILES_IN_FLIGHT)):
        yield chunk


def _read_content(path: Path) -> FileContent | UnreadableFile:
    try:
        image = Image.fromarray(load_frame(path, _SMALL)).convert("L")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except RejectedImage as error:
        return UnreadableFile(path, error.reason, str(error))
    except OSError as error:
        return UnreadableFile(path, "image-missing", error.strerror or str(error))
    rows, columns = THUMBNAIL
    thumbnail = np.asarray(image.resize((columns, rows), Image.Resampling.BOX))
    bits = np.packbits(imagehash.dhash(image).hash)
    return FileContent(sha256, int.from_bytes(bits.tobytes(), "big"), thumbnail)
