"""Merge several datasets into one, of which every sample knows the one that it is from."""

from collections.abc import Sequence
from dataclasses import replace

from uncia.training.datasets.dataset import Dataset

__all__ = ["merge_datasets"]


def merge_datasets(datasets: Sequence[Dataset], names: Sequence[str]) -> Dataset:
    """The samples of all datasets, in order. `names` are unique; bursts and cameras of two datasets are never the same.

    A dataset whose cameras are unknown counts as one camera.
    """
    samples = [
        replace(
            sample,
            dataset=name,
            burst=f"{name}/{sample.burst}",
            camera=f"{name}/{sample.camera}" if sample.camera else name,
        )
        for name, data in zip(names, datasets, strict=True)
        for sample in data.samples
    ]
    return Dataset(tuple(samples), "; ".join(data.source for data in datasets))
