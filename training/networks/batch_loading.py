"""Photographs as batches for torch: decoded in threads, a bounded number of batches ahead."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.datasets.dataset import Sample
from uncia.training.features.inputs import Augmentation, ImageRegion, augment, load_pixels

_BATCHES_AHEAD = 2
"""Batches that are decoded before they are needed."""


def load_batches(
    samples: Sequence[Sample],
    order: Sequence[int],
    spec: FrameSpec,
    size: int,
    unreadable: dict[Path, str],
    augmentations: Sequence[Augmentation] = (),
    seed_text: str = "",
    transform: Callable[[Pixels], NDArray[Any]] | None = None,
) -> Generator[tuple[Tensor, list[int]], None, None]:
    """Yield batches of frames uint8 (B, height, width, 3) and the indices of their samples, in `order`.

    Each of `augmentations` is applied to a frame with probability one half; equal `seed_text` gives equal frames.
    `transform` is applied to each frame, in the threads that decode, and its results are batched instead. Samples that
    cannot be read are skipped and recorded in `unreadable`; so are batches without any readable sample.
    """

    def load(index: int) -> NDArray[Any] | str:
        try:
            pixels = load_pixels(ImageRegion(samples[index].path), spec)
        except (UnciaError, OSError) as error:
            return str(error)
        random = np.random.default_rng([index, *seed_text.encode()])
        for augmentation in augmentations:
            if random.random() < 0.5:
                pixels = augment(pixels, augmentation, f"{seed_text} {index}")
        return pixels if transform is None else transform(pixels)

    wanted = [index for index in order if samples[index].path not in unreadable]
    batches = [wanted[begin : begin + size] for begin in range(0, len(wanted), size)]
    waiting: deque[tuple[list[int], list[Future[NDArray[Any] | str]]]] = deque()
    with ThreadPoolExecutor() as pool:
        for number in range(len(batches) + _BATCHES_AHEAD):
            if number < len(batches):
                waiting.append((batches[number], [pool.submit(load, index) for index in batches[number]]))
            if number < _BATCHES_AHEAD:
                continue
            indices, futures = waiting.popleft()
            loaded = [(index, future.result()) for index, future in zip(indices, futures, strict=True)]
            readable = [(index, pixels) for index, pixels in loaded if not isinstance(pixels, str)]
            unreadable.update({samples[index].path: reason for index, reason in loaded if isinstance(reason, str)})
            if readable:
                frames = torch.from_numpy(np.stack([pixels for _, pixels in readable]))
                yield frames, [index for index, _ in readable]
