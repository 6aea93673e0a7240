"""Features of many photographs: decoded in threads, computed batch by batch, kept on disk.

Memory is bounded by what is in flight, whatever the number of photographs. A run that was stopped goes on where it was.
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
from uncia.imaging.frames import FrameSpec, Pixels
from uncia.training.feature_store.cache import FeatureCache, Rows
from uncia.training.features.backbone import Backbone
from uncia.training.features.inputs import Augmentation, ImageRegion, augment, load_pixels
from uncia.training.features.trunk_extractor import TrunkExtractor, features_digest

Progress = Callable[[int, int], None]
"""Called with how many of how many are done."""

_CHUNK = 32
"""Photographs in one transaction of the cache, and so what a kill can cost; a batch of a GPU."""


@dataclass
class ExtractionResult:
    """Where the rows of each sight are."""

    contents: list[str | None]
    """SHA-256 of each sight's file, in the order that was asked; None for what could not be read."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Why, by file."""
    computed: int = 0
    """Rows' frames that were computed in this run; the others were there."""


def extract(
    sights: Sequence[ImageRegion],
    augmentations: Sequence[Augmentation],
    backbone: Backbone,
    cuts: tuple[str, ...],
    spec: FrameSpec,
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> ExtractionResult:
    """Compute the rows of all sights that the cache in `folder` does not hold yet, for all cuts in one pass.

    What cannot be read is left out and told. Raises `TrainingError` where the cache cannot be written.
    """
    for cut in cuts:
        backbone.check(cut)
    extracted = ExtractionResult([])
    with ExitStack() as stack:
        caches = [stack.enter_context(FeatureCache(cache_file(folder, backbone, cut, spec))) for cut in cuts]
        # As many threads as cores: a frame more at once would only push the others' out of the processor's caches.
        pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        stack.callback(pool.shutdown, cancel_futures=True)
        line = _Extractor(backbone, cuts, spec, folder, augmentations, caches, pool)

        def finish(chunk: _Chunk) -> None:
            line.finish(chunk, extracted)
            progress(len(extracted.contents), len(sights))

        begun: _Chunk | None = None
        for some in _chunks(sights, _CHUNK):
            # Files are read while the slowest of the chunk before is computed, and while its rows are put away.
            contents = line.read(some)
            if begun is not None:
                finish(begun)
            begun = line.begin(some, contents)
        if begun is not None:
            finish(begun)
    return extracted


def cache_file(folder: Path, backbone: Backbone, cut: str, spec: FrameSpec) -> Path:
    """Where the rows of a backbone at a cut are kept, for frames of this kind."""
    return folder / f"{backbone.name}-{cut}-{features_digest(backbone, cut, spec)}.sqlite"


Job = tuple[ImageRegion, str, list[Augmentation]]
FileDigests = dict[Path, str | OSError]
"""SHA-256 by file, or why it cannot be read."""


@dataclass(frozen=True)
class _Chunk:
    """Some sights whose missing rows are being computed."""

    sights: list[ImageRegion]
    contents: FileDigests
    jobs: list[Job]
    answers: list["Future[list[Rows] | Pixels | str]"]
    """Of each job: its rows by cut, on a GPU its frames; why, where it cannot be read."""


class _Extractor:
    """Photographs in, rows in the cache out, chunk by chunk."""

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
        self._made_of = (backbone, cuts, spec, folder)
        self._augmentations = augmentations
        self._caches = caches
        self._pool = pool
        self._contents: FileDigests = {}

    @cached_property
    def _trunk(self) -> TrunkExtractor:
        """Made where a row is missing: it takes a second."""
        return TrunkExtractor(*self._made_of)

    def read(self, sights: list[ImageRegion]) -> dict[Path, "Future[str | OSError]"]:
        """Have the files' contents read that are not known yet."""
        fresh = dict.fromkeys(sight.path for sight in sights if sight.path not in self._contents)
        return {path: self._pool.submit(_content, path) for path in fresh}

    def begin(self, sights: list[ImageRegion], read: dict[Path, "Future[str | OSError]"]) -> _Chunk:
        """Look up what is there, and have the rest computed."""
        # Only this chunk's digests are kept, and the next ones': crops of one photograph come one after another.
        known = {sight.path: self._contents[sight.path] for sight in sights if sight.path not in read}
        known.update((path, content.result()) for path, content in read.items())
        self._contents = known
        jobs = []
        for sight in sights:
            content = known[sight.path]
            if isinstance(content, OSError):
                continue
            keys = [sight.key(content, augmentation) for augmentation in self._augmentations]
            wanted = {key for cache in self._caches for key in cache.missing(keys)}
            if wanted:
                todo = [a for a, key in zip(self._augmentations, keys, strict=True) if key in wanted]
                jobs.append((sight, content, todo))
        if not jobs:
            return _Chunk(sights, known, [], [])
        compute = self._frames if self._trunk.on_gpu else self._rows
        return _Chunk(sights, known, jobs, [self._pool.submit(compute, job) for job in jobs])

    def finish(self, chunk: _Chunk, extracted: ExtractionResult) -> None:
        """Wait for the chunk's rows, put them away in one transaction, and tell what became of each sight."""
        for sight in chunk.sights:
            content = chunk.contents[sight.path]
            if isinstance(content, OSError):
                extracted.unreadable[sight.path] = content.strerror or str(content)
        shown: list[Any] = [answer.result() for answer in chunk.answers]
        answers = _on_gpu(shown, self._trunk) if shown and self._trunk.on_gpu else shown
        good = []
        for job, answer in zip(chunk.jobs, answers, strict=True):
            if isinstance(answer, str):
                extracted.unreadable[job[0].path] = answer
            else:
                good.append((job, answer))
                extracted.computed += len(job[2])
        for place, cache in enumerate(self._caches):
            cache.put(
                (sight.key(content, augmentation), answer[place][at])
                for (sight, content, todo), answer in good
                for at, augmentation in enumerate(todo)
            )
        extracted.contents += [
            _readable(chunk.contents[s.path]) if s.path not in extracted.unreadable else None for s in chunk.sights
        ]

    def _frames(self, job: Job) -> Pixels | str:
        sight, content, todo = job
        try:
            pixels = load_pixels(sight, self._made_of[2])
        except (UnciaError, OSError) as error:
            return str(error)
        return np.stack([augment(pixels, augmentation, content) for augmentation in todo])

    def _rows(self, job: Job) -> list[Rows] | str:
        """On a CPU, a thread decodes its photograph and computes it: nothing waits for anything."""
        shown = self._frames(job)
        if isinstance(shown, str):
            return shown
        each = [self._trunk(frame[np.newaxis]) for frame in shown]
        return [np.concatenate(of_cut) for of_cut in zip(*each, strict=True)]


def _on_gpu(shown: list[Pixels | str], trunk: TrunkExtractor) -> list[list[Rows] | str]:
    """One call for all frames of a chunk."""
    batch = [frames for frames in shown if not isinstance(frames, str)]
    if not batch:
        return [frames for frames in shown if isinstance(frames, str)]
    answers = trunk(np.concatenate(batch))
    ends = np.cumsum([len(frames) for frames in batch])[:-1]
    parts = iter(list(zip(*(np.split(rows, ends) for rows in answers), strict=True)))
    return [frames if isinstance(frames, str) else list(next(parts)) for frames in shown]


def _content(path: Path) -> str | OSError:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error


def _readable(content: str | OSError) -> str | None:
    return content if isinstance(content, str) else None


def _chunks(sights: Sequence[ImageRegion], size: int) -> Iterator[list[ImageRegion]]:
    rest = iter(sights)
    while chunk := list(islice(rest, size)):
        yield chunk
