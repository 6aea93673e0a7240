"""Samples without files: splits use only what is known of them."""

from pathlib import Path

from uncia.training.datasets.dataset import Dataset, Sample


def sample(number: int, label: str = "fox", burst: str = "", camera: str = "ridge/1") -> Sample:
    return Sample(Path(f"{number:06}.jpg"), label, burst or f"burst-{number}", camera)


def dataset(*samples: Sample) -> Dataset:
    return Dataset(samples, "made for a test")


def bursts_of(label: str, bursts: int, frames: int = 3, begin: int = 0, camera: str = "ridge/1") -> list[Sample]:
    return [
        sample(begin + burst * frames + frame, label, f"{label}-{burst}", camera)
        for burst in range(bursts)
        for frame in range(frames)
    ]
