"""Coat patterns by reaction-diffusion (Gray and Scott 1984; parameters after Pearson, "Complex patterns in a simple
system", Science 1993)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

ROWS, COLUMNS = 96, 192
"""Cells of a flank; a spot is about ten cells wide."""

_STEPS = 1800
"""Enough for the pattern to fill the flank from its seeds."""
_DIFFUSION_U, _DIFFUSION_V = 0.16, 0.08
_SEEDS = 60


@dataclass(frozen=True)
class CoatStyle:
    """Feed and kill rates: from round spots to short worms."""

    feed: float
    kill: float


SPOTS = CoatStyle(feed=0.034, kill=0.0635)
ROSETTES = CoatStyle(feed=0.030, kill=0.0605)
BARS = CoatStyle(feed=0.040, kill=0.0620)
STYLES = (SPOTS, ROSETTES, BARS)


def grow_coat(seed: int, style: CoatStyle) -> FloatArray:
    """Grow the pattern of one flank: (ROWS, COLUMNS) in [0, 1], 1 where the coat is dark. The same seed gives the same
    coat."""
    rng = np.random.default_rng(seed)
    u: FloatArray = np.ones((ROWS + 2, COLUMNS + 2), dtype=np.float32)
    v: FloatArray = np.zeros_like(u)
    for row, column in zip(rng.integers(2, ROWS - 2, _SEEDS), rng.integers(2, COLUMNS - 2, _SEEDS), strict=True):
        u[row - 1 : row + 3, column - 1 : column + 3] = 0.5
        v[row - 1 : row + 3, column - 1 : column + 3] = 0.25
    u[1:-1, 1:-1] += rng.normal(0, 0.01, (ROWS, COLUMNS)).astype(np.float32)
    # A kill rate that drifts over the body: spots are denser here than there, differently on each flank.
    kill = style.kill + 0.0006 * _drift(rng)
    inner_u, inner_v = u[1:-1, 1:-1], v[1:-1, 1:-1]
    for _ in range(_STEPS):
        _reflect(u)
        _reflect(v)
        reaction = inner_u * inner_v * inner_v
        change_u = _DIFFUSION_U * _laplacian(u) - reaction + style.feed * (1 - inner_u)
        change_v = _DIFFUSION_V * _laplacian(v) + reaction - (style.feed + kill) * inner_v
        inner_u += change_u
        inner_v += change_v
    low, high = np.percentile(inner_v, (2, 98))
    return np.asarray(np.clip((inner_v - low) / max(float(high - low), 1e-6), 0, 1), dtype=np.float32)


def _laplacian(padded: FloatArray) -> FloatArray:
    return np.asarray(
        padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * padded[1:-1, 1:-1]
    )


def _reflect(padded: FloatArray) -> None:
    padded[0], padded[-1] = padded[1], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]


def _drift(rng: np.random.Generator) -> FloatArray:
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, 2)
    waves = rng.uniform(0.5, 1.5, 2)
    return np.asarray(
        np.sin(2 * np.pi * waves[0] * columns / COLUMNS + phase[0])
        + np.cos(2 * np.pi * waves[1] * rows / ROWS + phase[1]),
        dtype=np.float32,
    )
