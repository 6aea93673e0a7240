"""What the files of a data set are: each is opened once, judged as the stream would, and reduced to a fingerprint."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from uncia.errors import RejectedImage
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.progress import ProgressCallback

THUMBNAIL = (24, 32)
"""Rows and columns of the small grey picture that is kept of each file: 768 bytes, 38 MB for 50,000."""

_SMALL = FrameSpec(width=128, height=96, window=128)
"""Without the printed strips: two empty frames of one camera differ in their time stamps alone."""
_AT_ONCE = 64


@dataclass(frozen=True)
class FileContent:
    """One file that can be read."""

    sha256: str
    hash: int
    """64 bits: whether each spot is brighter than its right neighbour, of 8 x 8 (dHash)."""
    thumbnail: NDArray[np.uint8]
    """Grey, shape `THUMBNAIL`."""


@dataclass(frozen=True)
class UnreadableFile:
    """One file that cannot, and why."""

    path: Path
    reason: str
    message: str


def read_contents(
    paths: Sequence[Path], progress: ProgressCallback | None = None
) -> tuple[dict[Path, FileContent], list[UnreadableFile]]:
    """Open each file once, in threads; memory is bounded by the thumbnails and by a few files at a time."""
    contents: dict[Path, FileContent] = {}
    broken: list[UnreadableFile] = []
    waiting = iter(paths)
    with ThreadPoolExecutor() as threads:
        for part in _parts(waiting):
            for path, found in zip(part, threads.map(_content, part), strict=True):
                if isinstance(found, UnreadableFile):
                    broken.append(found)
                else:
                    contents[path] = found
            if progress:
                progress(len(contents) + len(broken), len(paths))
    return contents, broken


def _parts(paths: Iterator[Path]) -> Iterator[list[Path]]:
    while part := list(islice(paths, _AT_ONCE)):
        yield part


def _content(path: Path) -> FileContent | UnreadableFile:
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
    spots = np.asarray(image.resize((9, 8), Image.Resampling.BOX), np.int16)
    bits = np.packbits(spots[:, 1:] > spots[:, :-1])
    return FileContent(sha256, int.from_bytes(bits.tobytes(), "big"), thumbnail)
