"""`python -m benchmarks.training`: photographs a second through features and training; memory of 50,000 file names.

Features are compared with plain ONNX Runtime asked with frames that are ready in memory: the same trunk, once with all
cores on each batch of eight, once with one frame on each core; the faster of both counts. Photographs are drawn,
2048 x 1536 JPEG of about 300 KB, as camera traps write them. Mirrored frames, as training has them by default, share a
decode with the others.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from benchmarks.machine import own_memory
from uncia.imaging.frame_spec import FrameSpec
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.datasets.splits import Split
from uncia.training.features.backbone_registry import load_backbone
from uncia.training.features.extraction import extract
from uncia.training.features.inputs import ImageRegion
from uncia.training.features.trunk_extractor import TrunkExtractor
from uncia.training.heads.training import HeadSettings, train_head
from uncia.training.networks.fine_tune import FineTuneSettings, fine_tune
from uncia.training.networks.small_network import SmallSettings, train_small

_SIZE = (2048, 1536)
_NAMES = 50_000
_LEARNT_FROM = 64
"""Photographs of the epochs: a few seconds each."""


def main(
    photographs: Annotated[int, typer.Option(help="How many are drawn.")] = 256,
    names: Annotated[int, typer.Option(help="File names for the memory; 0 leaves it out.")] = _NAMES,
    network: Annotated[str, typer.Option("--backbone")] = "efficientnet-lite0",
) -> None:
    """Print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-training-") as folder:
        base = Path(folder)
        files = drawn(base / "photographs", photographs)
        figures = {
            "cores": len(os.sched_getaffinity(0)),
            **features(files, network, base),
            **training(files[:_LEARNT_FROM], network, base),
        }
        if names:
            figures |= memory(files[0], names, network, base)
    typer.echo(json.dumps(figures, indent=1))


def drawn(folder: Path, many: int) -> list[Path]:
    """Slopes, blobs and noise; half of them with a bright disc."""
    folder.mkdir(parents=True)
    width, height = _SIZE
    slope = np.linspace(40, 160, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    down, across = np.mgrid[0:height, 0:width]
    files = []
    for number in range(many):
        draw = np.random.default_rng(number)
        pixels = slope + draw.normal(0, 3, (height, width, 1)) + draw.uniform(-20, 20, 3)
        if number % 2:
            x, y = draw.integers(300, width - 300), draw.integers(300, height - 300)
            pixels[(down - y) ** 2 + (across - x) ** 2 < 150**2] += 70
        files.append(folder / f"{number:03}.jpg")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1], quality=85)
    return files


def features(files: list[Path], network: str, base: Path) -> dict[str, Any]:
    """Images a second: plain, of files, and of files whose features are there."""
    import onnxruntime

    own, spec = load_backbone(network), FrameSpec()
    cut = own.deepest
    trunk = TrunkExtractor(own, (cut,), spec, base / "cache")
    graph = next((base / "cache").glob("trunk-*.onnx"))
    ready = np.stack([load_frame(file, spec) for file in files])
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    trunk(ready[:1])
    session.run(None, {"FRAME": ready[:8]})

    def in_batches() -> None:
        for begin in range(0, len(ready), 8):
            session.run(None, {"FRAME": ready[begin : begin + 8]})

    def on_each_core() -> None:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda place: trunk(ready[place : place + 1]), range(len(ready))))

    sights = [ImageRegion(file) for file in files]

    def of_files() -> None:
        with tempfile.TemporaryDirectory(dir=base) as fresh:
            (Path(fresh) / graph.name).symlink_to(graph)
            assert extract(sights, ("plain",), own, (cut,), spec, Path(fresh)).computed == len(files)

    def mirrored() -> None:
        with tempfile.TemporaryDirectory(dir=base) as fresh:
            (Path(fresh) / graph.name).symlink_to(graph)
            extract(sights, ("plain", "mirror"), own, (cut,), spec, Path(fresh))

    # In turns, so that whatever else the machine does befalls all of them.
    found: dict[str, list[float]] = {"batches": [], "each": [], "files": [], "mirrored": []}
    for _ in range(3):
        found["batches"].append(rate(in_batches, len(files)))
        found["each"].append(rate(on_each_core, len(files)))
        found["files"].append(rate(of_files, len(files)))
        found["mirrored"].append(rate(mirrored, 2 * len(files)))
    extract(sights, ("plain",), own, (cut,), spec, base / "cache")
    again = rate(lambda: extract(sights, ("plain",), own, (cut,), spec, base / "cache"), len(files))
    batches, each, whole, twice = (max(found[name]) for name in ("batches", "each", "files", "mirrored"))
    return {
        "plain_batches_of_8_images_per_s": round(batches, 1),
        "plain_one_on_each_core_images_per_s": round(each, 1),
        "features_of_files_images_per_s": round(whole, 1),
        "features_over_plain": round(whole / max(batches, each), 3),
        "features_with_mirror_frames_per_s": round(twice, 1),
        "features_with_mirror_over_plain": round(twice / max(batches, each), 3),
        "cached_images_per_s": round(again, 1),
    }


def training(files: list[Path], network: str, base: Path) -> dict[str, Any]:
    """Images a second of an epoch, decoding and held-out photographs included; seconds of a head."""
    pictures = [
        Sample(file, "disc" if number % 2 else "empty", f"b{number // 4}", "c", group="" if number % 2 else "nothing")
        for number, file in enumerate(files)
    ]
    split = Split(tuple(pictures[: len(files) // 2]), tuple(pictures[len(files) // 2 : -8]), tuple(pictures[-8:]))
    own, cache = load_backbone(network), base / "cache"
    head = HeadSettings(augmentations=("plain",), penalty=0.1)
    train_head(split, own, head, cache)
    began = time.perf_counter()
    train_head(split, own, head, cache)
    seconds = time.perf_counter() - began
    shown = len(split.train) + len(split.held_out)
    small = SmallSettings(epochs=2, augmentations=("plain",))
    tuned = FineTuneSettings(head=head, epochs=2)
    by_small = epoch_rate(lambda tell: train_small(split, small, 1, base / "small", tell), shown)
    by_tuned = epoch_rate(lambda tell: fine_tune(split, own, tuned, 1, cache, base / "tuned", tell), shown)
    return {
        "head_of_cached_features_s": round(seconds, 2),
        "small_images_per_s": round(by_small, 1),
        "fine_tune_3_blocks_images_per_s": round(by_tuned, 1),
    }


def memory(file: Path, names: int, network: str, base: Path) -> dict[str, Any]:
    """Memory of its own that a process takes for a head on so many names, all of one file, over what torch takes."""
    folder = base / "names"
    folder.mkdir()
    little = base / "little.jpg"
    Image.open(file, formats=("JPEG",)).resize((512, 384)).save(little)
    pictures = []
    for number in range(names):
        path = folder / f"{number:06}.jpg"
        path.hardlink_to(little)
        pictures.append(Sample(path, "a" if number % 2 else "b", f"b{number // 4}", "c"))
    third = names // 3
    split = Split(tuple(pictures[:third]), tuple(pictures[third : 2 * third]), tuple(pictures[2 * third :]))
    own = load_backbone(network)
    head = HeadSettings(input_mode="whole", augmentations=("plain",), penalty=0.1)
    train_head(Split(split.train[:8], split.held_out[:8], split.test[:8]), own, head, base / "cache")
    before = peak = own_memory()

    def watch(what: str, done: int, total: int) -> None:
        nonlocal peak
        peak = max(peak, own_memory())

    began = time.perf_counter()
    train_head(split, own, head, base / "cache", watch)
    return {
        "names": names,
        "names_memory_mb": round((max(peak, own_memory()) - before) / 1e6, 1),
        "names_s": round(time.perf_counter() - began, 1),
    }


def rate(run: Callable[[], object], many: int) -> float:
    began = time.perf_counter()
    run()
    return many / (time.perf_counter() - began)


def epoch_rate(run: Callable[[Callable[[str, int, int], None]], object], many: int) -> float:
    """From the end of the first epoch's training to the end of the second's."""
    ends: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what.startswith("epoch"):
            ends[what] = time.perf_counter()

    run(tell)
    first, second = ends.values()
    return many / (second - first)


if __name__ == "__main__":
    typer.run(main)
