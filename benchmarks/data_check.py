"""`python -m benchmarks.data_check`: `uncia data check`, the readers and the splits on 50,000 file names.

Memory is what the process takes of its own (RssAnon), over what it had after a check of the first files: torch, the
network and their buffers. The files show a few hundred scenes; the network is asked about each scene once and what it
said is remembered, since its pace is `benchmarks.training`'s business. Everything else runs as the command runs it:
each file is read, decoded, digested and kept in the cache, which takes 46 KB of disk a file.
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

from benchmarks.machine import own_memory
from benchmarks.many_names import FRAMES, SCENES, write_camtrap_dp, write_coco, write_folders, write_table
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
_EVERY_S = 0.05


def main(
    names: Annotated[int, typer.Option(min=SCENES * FRAMES, help="How many files there are.")] = _NAMES,
    quick: Annotated[bool, typer.Option("--quick", help="Without judging labels.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the files and the cache go, for the time being.")] = None,
) -> None:
    """Print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-data-check-", dir=folder) as place:
        base = Path(place)
        write_folders(base / "all", names)
        figures = {"cores": len(os.sched_getaffinity(0)), "names": names, "load_average": round(os.getloadavg()[0], 1)}
        figures |= readers(base / "all", names)
        figures |= checking(base, names, quick)
    typer.echo(json.dumps(figures, indent=1))


def readers(folder: Path, names: int) -> dict[str, Any]:
    """Seconds and memory of each reader, its pictures kept, and of both splits of what it read."""
    figures: dict[str, Any] = {}
    for name in _WRITERS:
        # In a process of its own each, so that none lives on memory that another one gave back.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            figures |= process.submit(reader, name, folder, names).result()
    return figures


def reader(name: str, folder: Path, names: int) -> dict[str, Any]:
    """Of one kind of source, which is written and taken away again."""
    figures: dict[str, Any] = {}
    source = _WRITERS[name](folder, names)
    with measured(f"read_{name}", figures):
        data = read_dataset(source)
    if len(data) != names:
        raise RuntimeError(f"{name}: {len(data)} pictures of {names}")
    for by in _BY:
        with measured(f"split_{name}_by_{by}", figures):
            parts = split(data, seed=1, by=by)
        if found := find_leaks(parts):
            raise RuntimeError(found[0])
    if source.is_file():
        source.unlink()
    return figures


def checking(base: Path, names: int, quick: bool) -> dict[str, Any]:
    """Seconds of each part of a check and of all, and memory over what a check of the first files left."""
    figures: dict[str, Any] = {}
    ends: dict[str, float] = {}

    def ended(what: str) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            ends[what] = time.perf_counter()

        return tell

    def looked(folder: Path) -> None:
        data = read_dataset(folder)
        ends["exif"] = time.perf_counter()
        own = None if quick else (lambda paths, progress=None: embed_images(paths, base / "cache", progress))
        found = check_dataset(data, own, reading=ended("files"), embedding=ended("features"))
        ends["judged"] = time.perf_counter()
        figures.update(check_groups_of_copies=len(found.duplicates), check_doubts=len(found.doubts))
        render_report(found, folder)

    (base / "first").mkdir()
    write_folders(base / "first", SCENES * FRAMES)
    with remembered():
        looked(base / "first")
        ends.clear()
        began = time.perf_counter()
        with measured("check", figures):
            looked(base / "all")
    before = began
    for what, end in ends.items():
        figures[f"check_{what}_s"] = round(end - before, 1)
        before = end
    return figures


@contextmanager
def remembered() -> Iterator[None]:
    """The network is asked about a frame once."""
    known: dict[bytes, list[Rows]] = {}

    class Remembering(TrunkExtractor):
        def __call__(self, frames: Pixels) -> list[Rows]:
            key = hashlib.blake2b(frames.tobytes(), digest_size=16).digest()
            if key not in known:
                known[key] = super().__call__(frames)
            return known[key]

    with mock.patch.object(features, "TrunkExtractor", Remembering):
        yield


@contextmanager
def measured(what: str, figures: dict[str, Any]) -> Iterator[None]:
    """Seconds, and the most memory of its own over what the process had before."""
    gc.collect()
    before = peak = own_memory()
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(_EVERY_S):
            peak = max(peak, own_memory())

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        over.set()
        watching.join()
    figures[f"{what}_s"] = round(seconds, 1)
    figures[f"{what}_memory_mb"] = round((max(peak, own_memory()) - before) / 1e6, 1)


if __name__ == "__main__":
    typer.run(main)
