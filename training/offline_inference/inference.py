"""What a model says of many photographs: decoded and asked in threads, one frame on each core, as it is served."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.progress import ProgressCallback, no_progress
from uncia.triton_models.packages.loading import OpenPackage, PackageError

Halves = NDArray[np.float16]

_AT_ONCE = 64
"""Photographs in flight; with their answers they are all that memory holds beside the results."""


@dataclass(frozen=True)
class ImageScores:
    """A model's answers, row by row; float16, as the stream's events carry them."""

    samples: tuple[Sample, ...]
    """Those that could be read, in the order that was asked."""
    frame_scores: Halves
    """(N, C): the whole frame."""
    window_scores: Halves
    """(N, C): each class in its best window."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Why, by file."""

    @property
    def bursts(self) -> NDArray[np.str_]:
        """The burst of each row."""
        return np.array([picture.burst for picture in self.samples], dtype=np.str_)


def score_images(
    package: OpenPackage, pictures: Sequence[Sample], progress: ProgressCallback = no_progress
) -> ImageScores:
    """Ask about all pictures. Raises `PackageError` when none of them can be read."""
    spec = package.card.frame
    kept: list[Sample] = []
    whole: list[Halves] = []
    windows: list[Halves] = []
    unreadable: dict[Path, str] = {}

    def one(picture: Sample) -> tuple[Halves, Halves] | str:
        frame = shown(picture.path, spec)
        if isinstance(frame, str):
            return frame
        first, second, _ = package.predict(frame[np.newaxis])
        return first[0].astype(np.float16), second[0].astype(np.float16)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for chunk in _chunks(pictures, _AT_ONCE):
            for picture, answer in zip(chunk, pool.map(one, chunk), strict=True):
                if isinstance(answer, str):
                    unreadable[picture.path] = answer
                else:
                    kept.append(picture)
                    whole.append(answer[0])
                    windows.append(answer[1])
            progress(len(kept) + len(unreadable), len(pictures))
    if not kept:
        reason = next(iter(unreadable.values()), "there are none")
        raise PackageError(f"not one of {len(pictures)} pictures can be judged: {reason}")
    return ImageScores(tuple(kept), np.stack(whole), np.stack(windows), unreadable)


def shown(path: Path, spec: FrameSpec) -> Pixels | str:
    """The frame that a model sees of a file, or why there is none."""
    try:
        return load_frame(path, spec)
    except (UnciaError, OSError) as error:
        return str(error)


def max_by_burst(values: NDArray[np.floating] | NDArray[np.bool_], bursts: NDArray[np.str_]) -> NDArray[np.float64]:
    """The greatest of each burst, (bursts, ...), in the order of their names. `values` (N, ...), `bursts` (N,)."""
    order = np.argsort(bursts, kind="stable")
    first = np.flatnonzero(np.append(True, bursts[order][1:] != bursts[order][:-1]))
    peaks: NDArray[np.float64] = np.maximum.reduceat(values[order].astype(np.float64), first, axis=0)
    return peaks


def _chunks(pictures: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    rest = iter(pictures)
    while chunk := list(islice(rest, size)):
        yield chunk
