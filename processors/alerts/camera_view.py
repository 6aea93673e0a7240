"""Whether a camera still shows the same view, from the luminance grids of its photographs. Pure.

1. A grid becomes a **texture**: the grey value of each cell, less the mean of its neighbourhood and divided by the
   contrast there. Brightness, exposure and the falloff of a flash leave it nearly unchanged. Printed strips are cut
   off.
2. A camera has several **appearances**: by day, by infrared, with snow. Each is a running mean of textures that
   resemble it. Photographs in the dark and others are compared among themselves: by what the camera says of its lamp,
   or else by their brightness.
3. A photograph is compared when it was taken `SPACING` before or after the last one that was: the first of a burst.
   Capture times serve for differences alone, so that a camera's clock may be wrong; a step counts `MAX_STEP` at most.
4. The first `LEARN_FRAMES` photographs over at least `LEARN_TIME` show the known view, whatever they show.
5. A photograph that resembles no known appearance is compared with those before it. The camera has **moved** when
   `MOVED_FRAMES` photographs resemble another such one, with `MOVED_TIME` since a known appearance was seen last. What
   alternates with a known appearance is one more appearance of the same view; what resembles nothing (fog, an animal
   before the lens) counts for nothing.
6. After a move the new view is the known one, and is learned as the first was; what resembles the view before the move
   is not learned, but compared (5) at once. When the camera has moved to that one, it has **returned**.
7. The state is bounded: three lists of `MOST_APPEARANCES`, at 0.8 KB each.
"""

import base64
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from uncia.imaging.luminance import COLUMNS, ROWS

__all__ = ["SPACING", "Appearance", "CameraView", "ViewChange", "is_dark", "similarity", "texture"]

SAME = 0.35
"""Similarity from which two textures show one view. Of one camera over five months, day and night, nine of ten pairs of
photographs reach 0.3; of pairs from different cameras one of a hundred reaches 0.26."""
DIFFERENT = 0.25
"""Similarity to every known appearance below which a photograph may show another view. Between the two it counts for
nothing."""

MOVED_FRAMES = 5
MOVED_TIME = timedelta(hours=24)
LEARN_FRAMES = 20
LEARN_TIME = timedelta(days=3)
SPACING = timedelta(minutes=10)
MAX_STEP = timedelta(hours=12)
MOST_APPEARANCES = 4

_ESTABLISHED = 3
"""Photographs of a lighting in which the view must be known, before another view in this lighting is a move."""
_MEMORY = 8
"""Photographs over which an appearance averages: it follows the seasons."""
_DARK = 50.0
"""Mean grey value below which a photograph counts as taken in the dark, where the camera does not say."""
_TOP, _BOTTOM = 2, 3
"""Rows of the grid without scene: printed strips, of a twelfth and an eighth of the height."""
_SHIFT = 1
"""Cells by which two textures may be shifted: a camera on a tree sways."""
_SHAPE = (ROWS - _TOP - _BOTTOM, COLUMNS)
_NEIGHBOURHOOD = 5
_NOISE = 2.0
"""Grey values that are added to the contrast, so that noise is not taken for structure."""
_SCALE = 40.0

_MOST_CHARACTERS = 4 * (_SHAPE[0] * _SHAPE[1] // 3 + 1)

Texture = NDArray[np.float32]
"""Shape (19, 32), whole numbers from -127 to 127."""


class ViewChange(StrEnum):
    """What became of a camera's view."""

    MOVED = "moved"
    RETURNED = "returned"


class Appearance(BaseModel):
    """What a view looks like in one light. Field names are the stored format."""

    i8: str = Field(max_length=_MOST_CHARACTERS)
    """The mean texture, as bytes in base64."""
    frames: int = 1
    dark: bool = False

    @classmethod
    def of(cls, values: Texture, dark: bool) -> "Appearance":
        """The appearance of one photograph."""
        return cls(i8=_pack(values), dark=dark)

    @property
    def texture(self) -> Texture:
        """The mean texture."""
        return np.frombuffer(base64.b64decode(self.i8), np.int8).astype(np.float32).reshape(_SHAPE)

    def add(self, values: Texture) -> None:
        """Include one more photograph in the mean."""
        self.frames += 1
        mean = self.texture
        weight = np.float32(1 / min(self.frames, _MEMORY))
        self.i8 = _pack(mean + weight * (values - mean))


class CameraView(BaseModel):
    """The view of one camera. Field names are the stored format."""

    known: list[Appearance] = []
    new: list[Appearance] = []
    """Since a known one was seen last."""
    earlier: list[Appearance] = []
    """Known ones before the last move."""
    learned_frames: int = 0
    learned_time: timedelta = timedelta(0)
    new_frames: int = 0
    new_time: timedelta = timedelta(0)
    captured: datetime | None = None
    """Of the last photograph that was compared, by the camera's clock."""
    deployment: str | None = None
    offset: int = -1
    logged_ms: int = -1

    def includes(self, offset: int, logged_ms: int) -> bool:
        """Whether a message was compared. A topic that was created again counts from 0, at later times."""
        return offset <= self.offset and logged_ms <= self.logged_ms

    def wants(self, captured: datetime) -> bool:
        """Whether a photograph of this time is compared (3)."""
        return self.captured is None or abs(captured - self.captured) >= SPACING

    def begin(self, deployment: str | None) -> bool:
        """Name the deployment of the next photograph; another one than before has its own view.

        Returns whether there was another one before.
        """
        if deployment is None or deployment == self.deployment:
            return False
        if replaced := self.deployment is not None:
            fresh = CameraView(captured=self.captured, offset=self.offset, logged_ms=self.logged_ms)
            for name in type(self).model_fields:
                setattr(self, name, getattr(fresh, name))
        self.deployment = deployment
        return replaced

    def compare(self, values: Texture, captured: datetime, dark: bool) -> ViewChange | None:
        """Compare a photograph, of this texture and capture time, and include it. `dark`: see `is_dark`."""
        step = min(max(captured - (self.captured or captured), timedelta(0)), MAX_STEP)
        self.captured = captured
        score, resembled = _best(self.known, values, dark)
        learns = self.learned_frames < LEARN_FRAMES or self.learned_time < LEARN_TIME
        if resembled is not None and score >= SAME:
            resembled.add(values)
            self._know(self.new)
            self._learn(step)
            return None
        if learns and _best(self.earlier, values, dark)[0] < SAME:
            _include(self.known, values, dark, None)
            self._learn(step)
            return None
        self.new_time += step
        if score >= DIFFERENT:
            return None
        again, candidate = _best(self.new, values, dark)
        established = sum(one.frames for one in self.known if one.dark == dark) >= _ESTABLISHED
        self.new_frames += established and again >= SAME
        _include(self.new, values, dark, candidate if again >= SAME else None)
        if self.new_frames < MOVED_FRAMES or self.new_time < MOVED_TIME:
            return None
        return self._accept()

    def _learn(self, step: timedelta) -> None:
        self.learned_frames = min(self.learned_frames + 1, LEARN_FRAMES)
        self.learned_time = min(self.learned_time + step, LEARN_TIME)

    def _know(self, more: list[Appearance]) -> None:
        """Add what alternated with the known appearances to them (5)."""
        found = [*self.known, *(one for one in more if one.frames > 1)]
        self.known = sorted(found, key=lambda one: -one.frames)[:MOST_APPEARANCES]
        self.new, self.new_frames, self.new_time = [], 0, timedelta(0)

    def _accept(self) -> ViewChange:
        """Take the new view for the known one (6)."""
        new = [one for one in self.new if one.frames > 1]
        returned = any(_best(self.earlier, one.texture, one.dark)[0] >= SAME for one in new)
        self.earlier, self.known = self.known, new
        self.new, self.new_frames, self.new_time = [], 0, timedelta(0)
        self.learned_frames, self.learned_time = 0, timedelta(0)
        return ViewChange.RETURNED if returned else ViewChange.MOVED


def texture(grid: NDArray[np.uint8]) -> Texture | None:
    """The texture of a luminance grid; None for a grid of another size than the default."""
    if grid.shape != (ROWS, COLUMNS):
        return None
    scene = grid[_TOP : ROWS - _BOTTOM].astype(np.float64)
    mean = _local_mean(scene)
    contrast = np.sqrt(np.maximum(_local_mean(scene * scene) - mean * mean, 0.0))
    values: Texture = np.rint((scene - mean) / (contrast + _NOISE) * _SCALE).clip(-127, 127).astype(np.float32)
    return values


def is_dark(grid: NDArray[np.uint8]) -> bool:
    """Whether a photograph was probably taken by night; a near animal in infrared light can be bright."""
    return bool(grid[_TOP : ROWS - _BOTTOM].mean() < _DARK)


def similarity(one: Texture, other: Texture) -> float:
    """The correlation of two textures, -1 to 1, at the best shift by at most a cell; 0 where one has no structure."""
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    if norm == 0.0:
        return 0.0
    shifted = sliding_window_view(np.pad(one, _SHIFT), other.shape)
    return float(np.tensordot(shifted, other, ((2, 3), (0, 1))).max()) / norm


def _best(appearances: list[Appearance], values: Texture, dark: bool) -> tuple[float, Appearance | None]:
    """The appearance in the same lighting that is most similar, and how similar; -1 without one."""
    best: tuple[float, Appearance | None] = (-1.0, None)
    for one in appearances:
        if one.dark == dark and (score := similarity(one.texture, values)) > best[0]:
            best = (score, one)
    return best


def _include(appearances: list[Appearance], values: Texture, dark: bool, resembled: Appearance | None) -> None:
    """Add a photograph to the appearance that it resembles, or as one of its own in the place of the rarest."""
    if resembled is not None:
        resembled.add(values)
        return
    if len(appearances) >= MOST_APPEARANCES:
        appearances.remove(min(appearances, key=lambda one: one.frames))
    appearances.append(Appearance.of(values, dark))


def _local_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the square neighbourhood of each cell; cells at the edge are repeated beyond it."""
    size = _NEIGHBOURHOOD
    sums = np.pad(np.pad(values, size // 2, mode="edge"), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    total: NDArray[np.float64] = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
    return total / (size * size)


def _pack(values: Texture) -> str:
    return base64.b64encode(np.rint(values).astype(np.int8).tobytes()).decode()
