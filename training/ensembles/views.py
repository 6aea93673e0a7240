"""Views of one frame: mirrored, and at other scales. Each is a frame for a member, and the mapping of its windows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.errors import UnciaError
from uncia.imaging.frame_spec import FrameSpec

_STRIDE = 32
"""Frame sizes are multiples of this, the distance between the networks' features in pixels."""

SCALES = (0.7, 1.5)
"""The meaning of `scale` alone: a smaller frame finds bodies that fill it, a larger one distant animals."""


class ViewError(UnciaError):
    """There is no such view, or not for this model."""


@dataclass(frozen=True, slots=True)
class View:
    """The frame at `scale` times a model's own size, mirrored or not."""

    scale: float = 1.0
    mirror: bool = False

    def __str__(self) -> str:
        size = "plain" if self.scale == 1 else f"scale {self.scale:g}"
        return f"{size}, mirrored" if self.mirror else size


def parse_views(text: str) -> tuple[View, ...]:
    """Parse `mirror,scale` and similar lists: the plain view, and all combinations of what is listed.

    `scale` is 0.7 and 1.5 times the size; `scale:0.7` that alone. Raises `ViewError`.
    """
    scales, mirror = [1.0], False
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition(":")
        if name == "mirror" and not value:
            mirror = True
        elif name == "scale":
            try:
                listed = SCALES if not value else (float(value),)
            except ValueError:
                listed = (0.0,)
            if not all(0.25 <= scale <= 4 for scale in listed):
                raise ViewError(f"{part!r}: a scale is a number from 0.25 to 4, as in scale:0.7")
            scales += [scale for scale in listed if scale not in scales]
        elif part != "plain":
            raise ViewError(f"there is no view {part!r}: use mirror, scale, or scale:0.7")
    return tuple(View(scale, mirrored) for scale, mirrored in itertools.product(scales, (False, True)[: 1 + mirror]))


def scale_spec(spec: FrameSpec, scale: float) -> FrameSpec:
    """The frame at another size, with windows of the same size in pixels. A whole-frame window stays the frame."""
    if scale == 1:
        return spec
    width, height = (max(_STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in (spec.width, spec.height))
    window = max(width, height) if spec.grid == (1, 1) else min(spec.window, width, height)
    return spec.model_copy(update={"width": width, "height": height, "window": window})


def common_frame(specs: Sequence[FrameSpec], own: Sequence[FrameSpec]) -> FrameSpec:
    """A frame as large as the largest of `specs`, so that no view is magnified.

    Its windows cover the same part of the picture as those of the first model in `own` (the members' frames at scale
    1) that has several. Raises `ViewError` where the models cut off different strips.
    """
    strips = {(spec.crop_top, spec.crop_bottom) for spec in specs}
    if len(strips) > 1:
        raise ViewError("these models cut off different strips of the photograph: they cannot share a frame")
    width, height = max(spec.width for spec in specs), max(spec.height for spec in specs)
    dense = next((spec for spec in own if spec.grid != (1, 1)), None)
    if dense is None:
        window = stride = max(width, height)
    else:
        window, stride = (round(side * width / dense.width) for side in (dense.window, dense.stride))
    return specs[0].model_copy(update={"width": width, "height": height, "window": window, "stride": stride})


def area_matrix(source: int, target: int) -> NDArray[np.float32]:
    """(target, source): the weights of area averaging, where each target pixel is the mean of what it covers."""
    edges = np.arange(target + 1) * (source / target)
    pixels = np.arange(source)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(covered, 0, None)
    matrix: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def resize_frames(frames: NDArray[np.uint8], spec: FrameSpec) -> NDArray[np.uint8]:
    """Frames uint8 (B, H, W, 3) at a smaller size, computed as in the graph."""
    if frames.shape[1:3] == (spec.height, spec.width):
        return frames
    rows, columns = area_matrix(frames.shape[1], spec.height), area_matrix(frames.shape[2], spec.width)
    small = np.einsum("hH,bHWc,wW->bhwc", rows, frames.astype(np.float32), columns, optimize=True)
    rounded: NDArray[np.uint8] = np.floor(np.clip(small, 0, 255) + 0.5).astype(np.uint8)
    return rounded


def map_windows(spec: FrameSpec, mirror: bool, common: FrameSpec) -> NDArray[np.int32]:
    """For each window of a view, the window of the common frame with the nearest centre; the first of equals."""
    centres = np.array([_centre(common, window) for window in range(common.grid[0] * common.grid[1])])
    nearest = []
    for window in range(spec.grid[0] * spec.grid[1]):
        x, y = _centre(spec, window)
        distances = (centres - (1 - x if mirror else x, y)) ** 2
        nearest.append(int(np.argmin(distances.sum(axis=1).round(9))))
    return np.array(nearest, dtype=np.int32)


def _centre(spec: FrameSpec, window: int) -> tuple[float, float]:
    x, y, width, height = spec.window_box(window)
    return x + width / 2, y + height / 2
