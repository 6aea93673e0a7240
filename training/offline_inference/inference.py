"""Score image files with a model package: decoded and inferred in threads, one frame per core, as it is served."""

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

Float16 = NDArray[np.float16]

_FILES_IN_FLIGHT = 64
"""Files whose frames and scores are in memory at once, besides the results."""


@dataclass(frozen=True)
class ImageScores:
    """Scores of N images over the C classes of a model; float16, as in the stream's events."""

    samples: tuple[Sample, ...]
    """The samples that could be read, in the order of the request."""
    frame_scores: Float16
    """(N, C), of the entire frame."""
    window_scores: Float16
    """(N, C), of each class in its best window."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Why a file could not be read, by path."""

    @property
    def bursts(self) -> NDArray[np.str_]:
        """The burst of each row, (N,)."""
        return np.array([sample.burst for sample in self.samples], dtype=np.str_)


def score_images(
    package: OpenPackage, samples: Sequence[Sample], progress: ProgressCallback = no_progress
) -> ImageScores:
    """Score the files of all samples. A file that cannot be read is reported, and stops nothing.

    Raises `PackageError` where none of them can be read.
    """
    spec = package.card.frame
    scored: list[Sample] = []
    frame_scores: list[Float16] = []
    window_scores: list[Float16] = []
    unreadable: dict[Path, str] = {}

    def score(sample: Sample) -> tuple[Float16, Float16] | str:
        frame = try_load_frame(sample.path, spec)
        if isinstance(frame, str):
            return frame
        whole, windows, _ = package.predict(frame[np.newaxis])
        return whole[0].astype(np.float16), windows[0].astype(np.float16)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for chunk in _chunks(samples, _FILES_IN_FLIGHT):
            for sample, result in zip(chunk, pool.map(score, chunk), strict=True):
                if isinstance(result, str):
                    unreadable[sample.path] = result
                else:
                    scored.append(sample)
                    frame_scores.append(result[0])
                    window_scores.append(result[1])
            progress(len(scored) + len(unreadable), len(samples))
    if not scored:
        reason = next(iter(unreadable.values()), "there are none")
        raise PackageError(f"none of {len(samples)} images can be scored: {reason}")
    return ImageScores(tuple(scored), np.stack(frame_scores), np.stack(window_scores), unreadable)


def try_load_frame(path: Path, spec: FrameSpec) -> Pixels | str:
    """The frame of a file, or the reason why it cannot be read."""
    try:
        return load_frame(path, spec)
    except (UnciaError, OSError) as error:
        return str(error)


def max_by_burst(values: NDArray[np.floating] | NDArray[np.bool_], bursts: NDArray[np.str_]) -> NDArray[np.float64]:
    """Maximum over the rows of each burst: `values` (N, …) and `bursts` (N,) give (bursts, …), sorted by burst."""
    order = np.argsort(bursts, kind="stable")
    first = np.flatnonzero(np.append(True, bursts[order][1:] != bursts[order][:-1]))
    maxima: NDArray[np.float64] = np.maximum.reduceat(values[order].astype(np.float64), first, axis=0)
    return maxima


def _chunks(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while chunk := list(islice(rest, size)):
        yield chunk
