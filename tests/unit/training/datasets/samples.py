"""Pictures that are not there: the splits look at nothing but what is known of them."""

from pathlib import Path

from uncia.training.datasets.dataset import Dataset, Sample


def picture(number: int, label: str = "fox", burst: str = "", camera: str = "ridge/1") -> Sample:
    return Sample(Path(f"{number:06}.jpg"), label, burst or f"burst-{number}", camera)


def data_set(*pictures: Sample) -> Dataset:
    return Dataset(pictures, "made for a test")


def bursts_of(label: str, bursts: int, frames: int = 3, begin: int = 0, camera: str = "ridge/1") -> list[Sample]:
    return [
        picture(begin + burst * frames + frame, label, f"{label}-{burst}", camera)
        for burst in range(bursts)
        for frame in range(frames)
    ]
