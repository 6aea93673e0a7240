"""Features of many photographs: decoded in threads, computed batch by batch, kept on disk.

Memory is bounded by what is in flight, whatever the number of photographs. A run that was stopped goes on where it was.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from triton_models.training.backbones import Backbone
from triton_models.training.cache import FeatureCache, Rows
from triton_models.training.sights import Augmentation, Sight, augmented, look
from triton_models.training.trunk_rows import TrunkRows, rows_digest
from uncia.errors import UnciaError
from uncia.frames import FrameSpec, Pixels

Progress = Callable[[int, int], None]
"""Called with how many of how many are done."""

_CHUNK = 32
"""Photographs in one transaction of the cache, and so what a kill can cost; a batch of a GPU."""


@dataclass
class Extracted:
    """Where the rows of each sight are."""

    contents: list[str | None]
    """SHA-256 of each sight's file, in the order that was asked; None for what could not be read."""
    unreadable: dict[Path, str] = field(default_factory=dict)
    """Why, by file."""
    computed: int = 0
    """Rows' frames that were computed in this run; the others were there."""


def extract(
    sights: Sequence[Sight],
    augmentations: Sequence[Augmentation],
    backbone: Backbone,
    cuts: tuple[str, ...],
    spec: FrameSpec,
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> Extracted:
    """Compute the rows of all sights that the cache in `folder` does not hold yet, for all cuts in one pass.

    What cannot be read is left out and told. Raises `TrainingError` where the cache cannot be written.
    """
    for cut in cuts:
        backbone.check(cut)
    trunk: TrunkRows | None = None
    extracted = Extracted([])
    with ExitStack() as stack:
        caches = [stack.enter_context(FeatureCache(cache_file(folder, backbone, cut, spec))) for cut in cuts]
        pool = stack.enter_context(ThreadPoolExecutor())
        known: dict[Path, str | OSError] = {}
        for chunk in _chunks(sights, _CHUNK):
            fresh = list(dict.fromkeys(sight.path for sight in chunk if sight.path not in known))
            # Only this chunk's digests are kept, and the next ones': crops of one photograph come one after another.
            known = {path: known[path] for path in {sight.path for sight in chunk} - set(fresh)}
            known.update(zip(fresh, pool.map(_content, fresh), strict=True))
            jobs = []
            for sight in chunk:
                content = known[sight.path]
                if isinstance(content, OSError):
                    extracted.unreadable[sight.path] = content.strerror or str(content)
                    continue
                keys = [sight.key(content, augmentation) for augmentation in augmentations]
                wanted = {key for cache in caches for key in cache.missing(keys)}
                if wanted:
                    todo = [a for a, key in zip(augmentations, keys, strict=True) if key in wanted]
                    jobs.append((sight, content, todo))
            if jobs and trunk is None:
                trunk = TrunkRows(backbone, cuts, spec, folder)
            if jobs and trunk is not None:
                _compute(jobs, trunk, spec, caches, pool, extracted)
            extracted.contents += [
                _readable(known[s.path]) if s.path not in extracted.unreadable else None for s in chunk
            ]
            progress(len(extracted.contents), len(sights))
    return extracted


def cache_file(folder: Path, backbone: Backbone, cut: str, spec: FrameSpec) -> Path:
    """Where the rows of a backbone at a cut are kept, for frames of this kind."""
    return folder / f"{backbone.name}-{cut}-{rows_digest(backbone, cut, spec)}.sqlite"


Job = tuple[Sight, str, list[Augmentation]]


def _compute(
    jobs: list[Job],
    trunk: TrunkRows,
    spec: FrameSpec,
    caches: list[FeatureCache],
    pool: ThreadPoolExecutor,
    extracted: Extracted,
) -> None:
    def frames(job: Job) -> Pixels | str:
        sight, content, todo = job
        try:
            pixels = look(sight, spec)
        except (UnciaError, OSError) as error:
            return str(error)
        return np.stack([augmented(pixels, augmentation, content) for augmentation in todo])

    def rows(job: Job) -> list[Rows] | str:
        """On a CPU, a thread decodes its photograph and computes it: nothing waits for anything."""
        shown = frames(job)
        if isinstance(shown, str):
            return shown
        each = [trunk(frame[np.newaxis]) for frame in shown]
        return [np.concatenate(of_cut) for of_cut in zip(*each, strict=True)]

    answers: list[list[Rows] | str]
    answers = _on_gpu(list(pool.map(frames, jobs)), trunk) if trunk.on_gpu else list(pool.map(rows, jobs))
    good = []
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(answer, str):
            extracted.unreadable[job[0].path] = answer
        else:
            good.append((job, answer))
            extracted.computed += len(job[2])
    for place, cache in enumerate(caches):
        cache.put(
            (sight.key(content, augmentation), answer[place][at])
            for (sight, content, todo), answer in good
            for at, augmentation in enumerate(todo)
        )


def _on_gpu(shown: list[Pixels | str], trunk: TrunkRows) -> list[list[Rows] | str]:
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


def _chunks(sights: Sequence[Sight], size: int) -> Iterator[list[Sight]]:
    rest = iter(sights)
    while chunk := list(islice(rest, size)):
        yield chunk
