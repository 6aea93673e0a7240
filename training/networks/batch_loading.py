"""Photographs as batches for torch: decoded in threads, a few batches ahead and no more."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uncia.errors import UnciaError
from uncia.imaging.frames import FrameSpec, Pixels
from uncia.training.datasets.dataset import Sample
from uncia.training.features.inputs import Augmentation, ImageRegion, augment, load_pixels

_AHEAD = 2
"""Batches that are decoded before they are asked for."""


def load_batches(
    pictures: Sequence[Sample],
    order: Sequence[int],
    spec: FrameSpec,
    size: int,
    unreadable: dict[Path, str],
    augmentations: Sequence[Augmentation] = (),
    chance: str = "",
    prepare: Callable[[Pixels], NDArray[Any]] | None = None,
) -> Iterator[tuple[Tensor, list[int]]]:
    """Frames uint8 (B, height, width, 3) and which pictures they are, in `order`.

    `augmentations` may each befall a picture, every other time; `chance` decides when: the same text, the same frames.
    `prepare` is asked with each frame, in the threads that decode, and what it says is batched instead.
    What cannot be read is left out and told in `unreadable`; a batch of nothing is left out too.
    """

    def frame(place: int) -> NDArray[Any] | str:
        picture = pictures[place]
        try:
            pixels = load_pixels(ImageRegion(picture.path), spec)
        except (UnciaError, OSError) as error:
            return str(error)
        draw = np.random.default_rng([place, *chance.encode()])
        for augmentation in augmentations:
            if draw.random() < 0.5:
                pixels = augment(pixels, augmentation, f"{chance} {place}")
        return pixels if prepare is None else prepare(pixels)

    wanted = [place for place in order if pictures[place].path not in unreadable]
    parts = [wanted[begin : begin + size] for begin in range(0, len(wanted), size)]
    waiting: deque[tuple[list[int], list[Future[NDArray[Any] | str]]]] = deque()
    with ThreadPoolExecutor() as pool:
        for number in range(len(parts) + _AHEAD):
            if number < len(parts):
                waiting.append((parts[number], [pool.submit(frame, place) for place in parts[number]]))
            if number < _AHEAD:
                continue
            places, frames = waiting.popleft()
            read = [(place, future.result()) for place, future in zip(places, frames, strict=True)]
            good = [(place, pixels) for place, pixels in read if not isinstance(pixels, str)]
            unreadable.update({pictures[place].path: told for place, told in read if isinstance(told, str)})
            if good:
                yield torch.from_numpy(np.stack([pixels for _, pixels in good])), [place for place, _ in good]
