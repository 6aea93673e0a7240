"""`python -m benchmarks.training`: throughput of feature extraction and training; memory for 50,000 files.

Feature extraction is compared with plain ONNX Runtime on frames in memory: the same trunk, with all cores on batches of
eight and with one frame per core; the faster of the two is the baseline. The photographs are synthetic JPEGs of
2048 x 1536 and about 300 KB, like those of camera traps. Mirrored frames, a default of training, share the decode with
the original.
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

from benchmarks.processes import anonymous_memory
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
_TRAINING_PHOTOGRAPHS = 64
"""Photographs per epoch, which then takes a few seconds."""


def main(
    photographs: Annotated[int, typer.Option(help="Number of synthetic photographs.")] = 256,
    names: Annotated[int, typer.Option(help="Number of files in the memory measurement; 0 skips it.")] = _NAMES,
    network: Annotated[str, typer.Option("--backbone", help="Backbone to measure.")] = "efficientnet-lite0",
) -> None:
    """Measure feature extraction and training, and print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="uncia-training-") as folder:
        base = Path(folder)
        files = generate_photographs(base / "photographs", photographs)
        figures = {
            "cores": len(os.sched_getaffinity(0)),
            **features(files, network, base),
            **training(files[:_TRAINING_PHOTOGRAPHS], network, base),
        }
        if names:
            figures |= memory(files[0], names, network, base)
    typer.echo(json.dumps(figures, indent=1))


def generate_photographs(folder: Path, count: int) -> list[Path]:
    """Write synthetic photographs: gradients and noise; every second one with a bright disc."""
    folder.mkdir(parents=True)
    width, height = _SIZE
    slope = np.linspace(40, 160, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    down, across = np.mgrid[0:height, 0:width]
    files = []
    for number in range(count):
        draw = np.random.default_rng(number)
        pixels = slope + draw.normal(0, 3, (height, width, 1)) + draw.uniform(-20, 20, 3)
        if number % 2:
            x, y = draw.integers(300, width - 300), draw.integers(300, height - 300)
            pixels[(down - y) ** 2 + (across - x) ** 2 < 150**2] += 70
        files.append(folder / f"{number:03}.jpg")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(files[-1], quality=85)
    return files


def features(files: list[Path], network: str, base: Path) -> dict[str, Any]:
    """Images per second: plain ONNX Runtime, extraction from files, and extraction with cached features."""
    import onnxruntime

    own, spec = load_backbone(network), FrameSpec()
    cut = own.deepest
    trunk = TrunkExtractor(own, (cut,), spec, base / "cache")
    graph = next((base / "cache").glob("trunk-*.onnx"))
    frames = np.stack([load_frame(file, spec) for file in files])
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    trunk(frames[:1])
    session.run(None, {"FRAME": frames[:8]})

    def run_batches() -> None:
        for begin in range(0, len(frames), 8):
            session.run(None, {"FRAME": frames[begin : begin + 8]})

    def run_per_core() -> None:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda index: trunk(frames[index : index + 1]), range(len(frames))))

    regions = [ImageRegion(file) for file in files]

    def extract_files() -> None:
        with tempfile.TemporaryDirectory(dir=base) as fresh:
            (Path(fresh) / graph.name).symlink_to(graph)
            assert extract(regions, ("plain",), own, (cut,), spec, Path(fresh)).computed == len(files)

    def extract_mirrored() -> None:
        with tempfile.TemporaryDirectory(dir=base) as fresh:
            (Path(fresh) / graph.name).symlink_to(graph)
            extract(regions, ("plain", "mirror"), own, (cut,), spec, Path(fresh))

    # In turns, so that other load on the machine affects all of them.
    found: dict[str, list[float]] = {"batches": [], "per_core": [], "files": [], "mirrored": []}
    for _ in range(3):
        found["batches"].append(rate(run_batches, len(files)))
        found["per_core"].append(rate(run_per_core, len(files)))
        found["files"].append(rate(extract_files, len(files)))
        found["mirrored"].append(rate(extract_mirrored, 2 * len(files)))
    extract(regions, ("plain",), own, (cut,), spec, base / "cache")
    cached = rate(lambda: extract(regions, ("plain",), own, (cut,), spec, base / "cache"), len(files))
    best = {name: max(rates) for name, rates in found.items()}
    plain = max(best["batches"], best["per_core"])
    return {
        "plain_batches_of_8_images_per_s": round(best["batches"], 1),
        "plain_one_on_each_core_images_per_s": round(best["per_core"], 1),
        "features_of_files_images_per_s": round(best["files"], 1),
        "features_over_plain": round(best["files"] / plain, 3),
        "features_with_mirror_frames_per_s": round(best["mirrored"], 1),
        "features_with_mirror_over_plain": round(best["mirrored"] / plain, 3),
        "cached_images_per_s": round(cached, 1),
    }


def training(files: list[Path], network: str, base: Path) -> dict[str, Any]:
    """Images per second of an epoch, including decoding and the validation images; seconds to train a head."""
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
    """Anonymous memory for training a head on `names` files (links to one photograph), beyond that of a small run."""
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
    before = peak = anonymous_memory()

    def watch(what: str, done: int, total: int) -> None:
        nonlocal peak
        peak = max(peak, anonymous_memory())

    began = time.perf_counter()
    train_head(split, own, head, base / "cache", watch)
    return {
        "names": names,
        "names_memory_mb": round((max(peak, anonymous_memory()) - before) / 1e6, 1),
        "names_s": round(time.perf_counter() - began, 1),
    }


def rate(run: Callable[[], object], count: int) -> float:
    """Items per second of one run over `count` items."""
    began = time.perf_counter()
    run()
    return count / (time.perf_counter() - began)


def epoch_rate(run: Callable[[Callable[[str, int, int], None]], object], count: int) -> float:
    """Images per second from the end of the first epoch's training to the end of the second's."""
    ends: dict[str, float] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what.startswith("epoch"):
            ends[what] = time.perf_counter()

    run(tell)
    first, second = ends.values()
    return count / (second - first)


if __name__ == "__main__":
    typer.run(main)
