"""Features of many photographs: decoded in threads, computed batch by batch, cached on disk.

Memory is bounded by what is in flight, whatever the number of photographs. An interrupted run resumes where it stopped.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.feature_store.cache import FeatureCache, Rows
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import Augmentation, ImageRegion, augment, load_pixels
from uncia.training.features.trunk_extractor import TrunkExtractor, features_digest

Progress = Callable[[int, int], None]
"""Called with the number of finished regions and the total."""

_CHUNK = 32
"""Regions in one transaction of the cache: the most that a kill loses, and the batch size of a GPU."""


@dataclass
class ExtractionResult:
    """Which files the regions come from, and what could not be read."""

    digests: list[str | None]
    """SHA-256 of each region's file, in the order of the regions; None for an unreadable one."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """The reason, by file."""
    computed: int = 0
    """Frames that this run computed; the others were in the cache."""


def extract(
    regions: Sequence[ImageRegion],
    augmentations: Sequence[Augmentation],
    backbone: Backbone,
    cuts: tuple[str, ...],
    spec: FrameSpec,
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> ExtractionResult:
    """Compute the rows of all regions that the cache in `folder` lacks, for all cuts in one pass.

    Unreadable files are skipped and reported. Raises `TrainingError` where the cache cannot be written.
    """
    for cut in cuts:
        backbone.check(cut)
    result = ExtractionResult([])
    with ExitStack() as stack:
        caches = [stack.enter_context(FeatureCache(cache_file(folder, backbone, cut, spec))) for cut in cuts]
        # As many threads as cores: one more frame would only evict the others' data from the processor's caches.
        pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        stack.callback(pool.shutdown, cancel_futures=True)
        extractor = _Extractor(backbone, cuts, spec, folder, augmentations, caches, pool)

        def finish(chunk: _Chunk) -> None:
            extractor.finish(chunk, result)
            progress(len(result.digests), len(regions))

        begun: _Chunk | None = None
        for some in _chunks(regions, _CHUNK):
            # Files are hashed while the slowest frames of the previous chunk are computed and stored.
            digests = extractor.read(some)
            if begun is not None:
                finish(begun)
            begun = extractor.begin(some, digests)
        if begun is not None:
            finish(begun)
    return result


def cache_file(folder: Path, backbone: Backbone, cut: str, spec: FrameSpec) -> Path:
    """The file that caches the rows of a backbone at a cut, for frames of this kind."""
    return folder / f"{backbone.name}-{cut}-{features_digest(backbone, cut, spec)}.sqlite"


FileDigests = dict[Path, str | OSError]
"""SHA-256 by file, or why it cannot be read."""


@dataclass(frozen=True)
class _Job:
    """The missing rows of one region."""

    region: ImageRegion
    digest: str
    augmentations: list[Augmentation]


@dataclass(frozen=True)
class _Chunk:
    """Some regions whose missing rows are being computed."""

    regions: list[ImageRegion]
    digests: FileDigests
    jobs: list[_Job]
    results: list["Future[list[Rows] | Pixels | str]"]
    """Of each job: on a CPU its rows by cut, on a GPU its frames; the reason where it cannot be read."""


class _Extractor:
    """Regions in, rows in the cache out, chunk by chunk. Used by one thread; work runs in the pool's threads."""

    def __init__(
        self,
        backbone: Backbone,
        cuts: tuple[str, ...],
        spec: FrameSpec,
        folder: Path,
        augmentations: Sequence[Augmentation],
        caches: Sequence[FeatureCache],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._source = (backbone, cuts, spec, folder)
        self._augmentations = augmentations
        self._caches = caches
        self._pool = pool
        self._digests: FileDigests = {}

    @cached_property
    def _trunk(self) -> TrunkExtractor:
        """Created when the first row is missing, because that takes a second."""
        return TrunkExtractor(*self._source)

    def read(self, regions: list[ImageRegion]) -> dict[Path, "Future[str | OSError]"]:
        """Start hashing the files whose digest is not known yet."""
        new = dict.fromkeys(region.path for region in regions if region.path not in self._digests)
        return {path: self._pool.submit(_digest_of, path) for path in new}

    def begin(self, regions: list[ImageRegion], digests: dict[Path, "Future[str | OSError]"]) -> _Chunk:
        """Look up the cached rows, and start computing the missing ones."""
        # Digests of this chunk and the next suffice, because crops of one photograph are neighbours.
        known = {region.path: self._digests[region.path] for region in regions if region.path not in digests}
        known.update((path, digest.result()) for path, digest in digests.items())
        self._digests = known
        jobs = []
        for region in regions:
            digest = known[region.path]
            if isinstance(digest, OSError):
                continue
            keys = [region.key(digest, augmentation) for augmentation in self._augmentations]
            missing = {key for cache in self._caches for key in cache.missing(keys)}
            if missing:
                todo = [a for a, key in zip(self._augmentations, keys, strict=True) if key in missing]
                jobs.append(_Job(region, digest, todo))
        if not jobs:
            return _Chunk(regions, known, [], [])
        compute = self._frames if self._trunk.on_gpu else self._rows
        return _Chunk(regions, known, jobs, [self._pool.submit(compute, job) for job in jobs])

    def finish(self, chunk: _Chunk, result: ExtractionResult) -> None:
        """Wait for the chunk's rows, store them in one transaction, and record the outcome of each region."""
        for region in chunk.regions:
            digest = chunk.digests[region.path]
            if isinstance(digest, OSError):
                result.unreadable[region.path] = digest.strerror or str(digest)
        outcomes: list[Any] = [outcome.result() for outcome in chunk.results]
        if outcomes and self._trunk.on_gpu:
            outcomes = _compute_on_gpu(outcomes, self._trunk)
        computed = []
        for job, outcome in zip(chunk.jobs, outcomes, strict=True):
            if isinstance(outcome, str):
                result.unreadable[job.region.path] = outcome
            else:
                computed.append((job, outcome))
                result.computed += len(job.augmentations)
        for number, cache in enumerate(self._caches):
            cache.put(
                (job.region.key(job.digest, augmentation), rows[number][index])
                for job, rows in computed
                for index, augmentation in enumerate(job.augmentations)
            )
        for region in chunk.regions:
            digest = chunk.digests[region.path]
            readable = isinstance(digest, str) and region.path not in result.unreadable
            result.digests.append(digest if isinstance(digest, str) and readable else None)

    def _frames(self, job: _Job) -> Pixels | str:
        """The augmented frames of a region, uint8 (A, height, width, 3), or why it cannot be read."""
        try:
            pixels = load_pixels(job.region, self._source[2])
        except (UnciaError, OSError) as error:
            return str(error)
        return np.stack([augment(pixels, augmentation, job.digest) for augmentation in job.augmentations])

    def _rows(self, job: _Job) -> list[Rows] | str:
        """On a CPU a thread decodes its photograph and computes its features: no thread waits for another."""
        frames = self._frames(job)
        if isinstance(frames, str):
            return frames
        per_frame = [self._trunk(frame[np.newaxis]) for frame in frames]
        return [np.concatenate(of_cut) for of_cut in zip(*per_frame, strict=True)]


def _compute_on_gpu(frames: list[Pixels | str], trunk: TrunkExtractor) -> list[list[Rows] | str]:
    """The rows of each job by cut, in one call for all frames of a chunk; reasons stay where they are."""
    batch = [pixels for pixels in frames if not isinstance(pixels, str)]
    if not batch:
        return [reason for reason in frames if isinstance(reason, str)]
    outputs = trunk(np.concatenate(batch))
    ends = np.cumsum([len(pixels) for pixels in batch])[:-1]
    parts = iter(list(zip(*(np.split(rows, ends) for rows in outputs), strict=True)))
    return [pixels if isinstance(pixels, str) else list(next(parts)) for pixels in frames]


def _digest_of(path: Path) -> str | OSError:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error


def _chunks(regions: Sequence[ImageRegion], size: int) -> Iterator[list[ImageRegion]]:
    rest = iter(regions)
    while chunk := list(islice(rest, size)):
        yield chunk
