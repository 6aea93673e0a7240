"""Frames of annotated photographs as batches: decoded as the stream decodes, in threads ahead of the network."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec
from uncia.imaging.frames import Pixels
from uncia.training.datasets.image_decoding import load_frame
from uncia.training.detectors.annotated_frames import AnnotatedFrame
from uncia.training.detectors.augmentation import FrameBoxes, augment_frame, to_frame

_AHEAD = 2
"""Batches that are decoded before they are needed."""


@dataclass(frozen=True)
class Augmentation:
    """How frames are changed in an epoch."""

    size: tuple[int, int]
    """Width and height in pixels that the network is trained on."""
    sides: tuple[float, float]
    """Range of the crop's side, as a share of the frame."""
    seed_text: str


@dataclass(frozen=True)
class LoadedFrame:
    """One frame of a batch."""

    index: int
    """Of the frame in the sequence that was loaded."""
    pixels: Pixels
    boxes: FrameBoxes
    """(G, 4), as shares of the frame."""
    visible: tuple[bool, ...]
    """Which of the annotated boxes the frame shows."""


def load_batches(
    frames: Sequence[AnnotatedFrame],
    order: Sequence[int],
    spec: FrameSpec,
    batch: int,
    unreadable: dict[Path, str],
    augmentation: Augmentation | None = None,
) -> Iterator[list[LoadedFrame]]:
    """Batches of the frames at `order`; a file that cannot be read is recorded and left out."""

    def load(index: int) -> LoadedFrame | str:
        frame = frames[index]
        try:
            pixels = load_frame(frame.path, spec)
        except (UnciaError, OSError) as error:
            return str(error)
        boxes = to_frame(np.array([true.box for true in frame.boxes], np.float64).reshape(-1, 4), spec)
        if augmentation is None:
            return LoadedFrame(index, pixels, boxes, tuple(bool(area > 0) for area in boxes[:, 2:].prod(axis=1)))
        seed_text = f"{augmentation.seed_text} {frame.path.name} {frame.burst}"
        pixels, boxes, visible = augment_frame(pixels, boxes, augmentation.size, augmentation.sides, seed_text)
        return LoadedFrame(index, pixels, boxes, tuple(map(bool, visible)))

    chunks = [order[begin : begin + batch] for begin in range(0, len(order), batch)]
    with ThreadPoolExecutor(min(4, len(os.sched_getaffinity(0)))) as pool:
        waiting = [[pool.submit(load, index) for index in chunk] for chunk in chunks[:_AHEAD]]
        for number, chunk in enumerate(chunks):
            if number + _AHEAD < len(chunks):
                waiting.append([pool.submit(load, index) for index in chunks[number + _AHEAD]])
            loaded = []
            for index, future in zip(chunk, waiting.pop(0), strict=True):
                result = future.result()
                if isinstance(result, str):
                    unreadable[frames[index].path] = result
                else:
                    loaded.append(result)
            if loaded:
                yield loaded
