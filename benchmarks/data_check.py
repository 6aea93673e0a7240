"""`python -m benchmarks.data_check`: `uncia data check`, the dataset readers and the splits on 50,000 files.

Memory is the anonymous memory beyond that after a check of the first files, which loads torch, the network and their
buffers. The files show a few hundred scenes; the network's output for a scene is cached, because `benchmarks.training`
measures the network. Everything else runs as in the command: every file is read, decoded, hashed and stored in the
feature cache, which takes 46 KB of disk per file.
"""

import gc
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import typer

from benchmarks.large_dataset import FRAMES, SCENES, write_camtrap_dp, write_coco, write_folders, write_table
from benchmarks.processes import anonymous_memory
from uncia.imaging.frames import Pixels
from uncia.training.dataset_check.embeddings import embed_images
from uncia.training.dataset_check.findings import check_dataset
from uncia.training.dataset_check.html_report import render_report
from uncia.training.datasets.reading import read_dataset
from uncia.training.datasets.splits import By, find_leaks, split
from uncia.training.feature_store.cache import Rows
from uncia.training.features import extraction as features
from uncia.training.features.trunk_extractor import TrunkExtractor

_NAMES = 50_000
_BY: tuple[By, ...] = ("burst", "camera")
_WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "folders": lambda folder, names: folder,
    "table": write_table,
    "coco": write_coco,
    "camtrap_dp": write_camtrap_dp,
}
_SAMPLE_INTERVAL_S = 0.05


def main(
    names: Annotated[int, typer.Option(min=SCENES * FRAMES, help="Number of files.")] = _NAMES,
    quick: Annotated[bool, typer.Option("--quick", help="Skip the check of labels.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Folder for the temporary files and the cache.")] = None,
) -> None:
    """Measure the dataset check and the readers, and print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-data-check-", dir=folder) as temporary:
        base = Path(temporary)
        write_folders(base / "all", names)
        figures = {"cores": len(os.sched_getaffinity(0)), "names": names, "load_average": round(os.getloadavg()[0], 1)}
        figures |= readers(base / "all", names)
        figures |= checking(base, names, quick)
    typer.echo(json.dumps(figures, indent=1))


def readers(folder: Path, names: int) -> dict[str, Any]:
    """Seconds and memory of every dataset reader and of both splits of its dataset."""
    figures: dict[str, Any] = {}
    for name in _WRITERS:
        # Every reader in a new process: memory that another one freed would be reused and not be counted.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            figures |= process.submit(reader, name, folder, names).result()
    return figures


def reader(name: str, folder: Path, names: int) -> dict[str, Any]:
    """Measure the reader of one dataset format; its index file is written first and deleted afterwards."""
    figures: dict[str, Any] = {}
    source = _WRITERS[name](folder, names)
    with measuring(f"read_{name}", figures):
        data = read_dataset(source)
    if len(data) != names:
        raise RuntimeError(f"{name}: {len(data)} pictures of {names}")
    for by in _BY:
        with measuring(f"split_{name}_by_{by}", figures):
            parts = split(data, seed=1, by=by)
        if found := find_leaks(parts):
            raise RuntimeError(found[0])
    if source.is_file():
        source.unlink()
    return figures


def checking(base: Path, names: int, quick: bool) -> dict[str, Any]:
    """Seconds of the stages of a check and in total, and memory beyond that after a check of the first files."""
    figures: dict[str, Any] = {}
    ends: dict[str, float] = {}

    def mark_end(what: str) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            ends[what] = time.perf_counter()

        return tell

    def run_check(folder: Path) -> None:
        data = read_dataset(folder)
        ends["exif"] = time.perf_counter()
        own = None if quick else (lambda paths, progress=None: embed_images(paths, base / "cache", progress))
        found = check_dataset(data, own, reading=mark_end("files"), embedding=mark_end("features"))
        ends["judged"] = time.perf_counter()
        figures.update(check_groups_of_copies=len(found.duplicates), check_doubts=len(found.doubts))
        render_report(found, folder)

    (base / "first").mkdir()
    write_folders(base / "first", SCENES * FRAMES)
    with cached_network():
        run_check(base / "first")
        ends.clear()
        began = time.perf_counter()
        with measuring("check", figures):
            run_check(base / "all")
    before = began
    for what, end in ends.items():
        figures[f"check_{what}_s"] = round(end - before, 1)
        before = end
    return figures


@contextmanager
def cached_network() -> Iterator[None]:
    """Cache the network's output by frame."""
    known: dict[bytes, list[Rows]] = {}

    class CachedTrunk(TrunkExtractor):
        def __call__(self, frames: Pixels) -> list[Rows]:
            key = hashlib.blake2b(frames.tobytes(), digest_size=16).digest()
            if key not in known:
                known[key] = super().__call__(frames)
            return known[key]

    with mock.patch.object(features, "TrunkExtractor", CachedTrunk):
        yield


@contextmanager
def measuring(what: str, figures: dict[str, Any]) -> Iterator[None]:
    """Measure a block: seconds, and the peak of anonymous memory beyond that before the block."""
    gc.collect()
    before = peak = anonymous_memory()
    over = threading.Event()

    def sample_memory() -> None:
        nonlocal peak
        while not over.wait(_SAMPLE_INTERVAL_S):
            peak = max(peak, anonymous_memory())

    sampler = threading.Thread(target=sample_memory, daemon=True)
    sampler.start()
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        over.set()
        sampler.join()
    figures[f"{what}_s"] = round(seconds, 1)
    figures[f"{what}_memory_mb"] = round((max(peak, anonymous_memory()) - before) / 1e6, 1)


if __name__ == "__main__":
    typer.run(main)
