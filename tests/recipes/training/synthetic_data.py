"""A tiny synthetic dataset: discs and bars on noise, and noise alone."""

from pathlib import Path

import numpy as np
from PIL import Image

from uncia.imaging.frame_spec import FrameSpec
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split

SPEC = FrameSpec(width=128, height=96, window=64, stride=32, crop_top=0, crop_bottom=0)
"""Small enough for a test; still a grid of 2 x 3 windows."""
WIDE, HIGH = 160, 120
_SIDE = 40


def draw(kind: str, seed: int) -> tuple[np.ndarray, tuple[float, float, float, float] | None]:
    """An image uint8 (HIGH, WIDE, 3) and the relative box of its shape; None for an empty image."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(110, 12, (HIGH, WIDE, 3))
    if kind == "empty":
        return pixels.clip(0, 255).astype(np.uint8), None
    x, y = int(rng.integers(WIDE - _SIDE)), int(rng.integers(HIGH - _SIDE))
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 < 360
    shape = disc if kind == "disc" else columns % 10 < 5
    pixels[y : y + _SIDE, x : x + _SIDE][shape] = (230, 60, 40) if kind == "disc" else (30, 60, 220)
    box = (x / WIDE, y / HIGH, _SIDE / WIDE, _SIDE / HIGH)
    return pixels.clip(0, 255).astype(np.uint8), box


def make_samples(
    folder: Path, kinds: tuple[str, ...] = ("bar", "disc", "empty"), bursts: int = 4, fresh: bool = True
) -> list[Sample]:
    """Bursts of two frames of each kind, as JPEG files; with `fresh` false, the files exist already."""
    samples = []
    for kind in kinds:
        for burst in range(bursts):
            for frame in range(2):
                pixels, box = draw(kind, seed=hash_of(kind) + burst * 10 + frame)
                path = folder / kind / f"{burst}_{frame}.jpg"
                if fresh:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels).save(path, quality=95)
                group = "nothing" if kind == "empty" else "animal"
                samples.append(Sample(path, kind, f"{kind}-{burst}", f"camera-{burst % 2}", box=box, group=group))
    return samples


def write_table(folder: Path, bursts: int) -> Path:
    """Write the images and a table with their bursts: a dataset for the commands. Returns the folder."""
    lines = ["path,label,burst,camera"]
    for sample in make_samples(folder, bursts=bursts):
        lines.append(f"{sample.path.relative_to(folder)},{sample.label},{sample.burst},ridge")
    (folder / "pictures.csv").write_text("\n".join(lines) + "\n")
    return folder


def hash_of(kind: str) -> int:
    return sum(kind.encode()) * 1000


def data_set(folder: Path, **options: object) -> tuple[Dataset, Split]:
    """The dataset and its split: the last burst of each kind is for testing, the one before it is held out."""
    samples = make_samples(folder, **options)  # type: ignore[arg-type]
    last = max(int(sample.burst.rsplit("-", 1)[1]) for sample in samples)
    subsets: tuple[list[Sample], list[Sample], list[Sample]] = ([], [], [])
    for sample in samples:
        number = int(sample.burst.rsplit("-", 1)[1])
        subsets[2 if number == last else 1 if number == last - 1 else 0].append(sample)
    train, held_out, test = map(tuple, subsets)
    return Dataset(tuple(samples), "synthetic discs and bars"), Split(train, held_out, test)
