"""What a model says of many photographs: decoded and asked in threads, one frame on each core, as it is served."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.imaging.frames import FrameSpec, Pixels
from uncia.training.datasets.image_decoding import frame_of
from uncia.training.datasets.images import Picture
from uncia.triton_models.packages.loading import OpenPackage, PackageError

Progress = Callable[[int, int], None]
"""Called with how many of how many are done."""

Halves = NDArray[np.float16]

_AT_ONCE = 64
"""Photographs in flight; with their answers they are all that memory holds beside the results."""


@dataclass(frozen=True)
class Answers:
    """A model's answers, row by row; float16, as the stream's events carry them."""

    pictures: tuple[Picture, ...]
    """Those that could be read, in the order that was asked."""
    whole: Halves
    """(N, C): the whole frame."""
    windows: Halves
    """(N, C): each class in its best window."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Why, by file."""

    @property
    def bursts(self) -> NDArray[np.str_]:
        """The burst of each row."""
        return np.array([picture.burst for picture in self.pictures], dtype=np.str_)


def ask(package: OpenPackage, pictures: Sequence[Picture], progress: Progress = lambda done, total: None) -> Answers:
    """Ask about all pictures. Raises `PackageError` when none of them can be read."""
    spec = package.card.frame
    kept: list[Picture] = []
    whole: list[Halves] = []
    windows: list[Halves] = []
    unreadable: dict[Path, str] = {}

    def one(picture: Picture) -> tuple[Halves, Halves] | str:
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
    return Answers(tuple(kept), np.stack(whole), np.stack(windows), unreadable)


def shown(path: Path, spec: FrameSpec) -> Pixels | str:
    """The frame that a model sees of a file, or why there is none."""
    try:
        return frame_of(path, spec)
    except (UnciaError, OSError) as error:
        return str(error)


def by_burst(values: NDArray[np.floating] | NDArray[np.bool_], bursts: NDArray[np.str_]) -> NDArray[np.float64]:
    """The greatest of each burst, (bursts, ...), in the order of their names. `values` (N, ...), `bursts` (N,)."""
    order = np.argsort(bursts, kind="stable")
    first = np.flatnonzero(np.append(True, bursts[order][1:] != bursts[order][:-1]))
    peaks: NDArray[np.float64] = np.maximum.reduceat(values[order].astype(np.float64), first, axis=0)
    return peaks


def _chunks(pictures: Sequence[Picture], size: int) -> Iterator[list[Picture]]:
    rest = iter(pictures)
    while chunk := list(islice(rest, size)):
        yield chunk
