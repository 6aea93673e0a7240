"""Thresholds from the validation side, and figures on recordings that were held back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncia.training.evaluation.thresholds import choose_threshold
from uncia.training.sound.examples import Examples

__all__ = ["ClassFigures", "SoundFigures", "choose_thresholds", "evaluate"]

Scores = NDArray[np.float32]
"""(N, classes), 0 to 1."""


@dataclass(frozen=True)
class ClassFigures:
    """One class on recordings that were held back; the fields are in the order of the tables."""

    recordings: int
    recordings_right: int
    windows: int
    windows_heard: int
    """Windows of the class that reach its threshold."""
    false_windows: int
    """Windows of other classes and of background that do."""


@dataclass(frozen=True)
class SoundFigures:
    """All classes."""

    classes: tuple[ClassFigures, ...]
    background_windows: int
    background_heard: int
    """Windows of background in which any class reaches its threshold."""

    @property
    def recordings(self) -> int:
        """Held-back recordings with a class."""
        return sum(one.recordings for one in self.classes)

    @property
    def accuracy(self) -> float:
        """Share of the held-back recordings in which the class with the highest score of all windows is theirs."""
        return sum(one.recordings_right for one in self.classes) / max(1, self.recordings)


def choose_thresholds(scores: Scores, truth: NDArray[np.int64], least_precision: float) -> list[float | None]:
    """For each class the score from which it counts as heard; None where none has the precision.

    `truth` (N,): the class of each window, -1 for background.
    """
    clipped = scores.astype(np.float64).clip(0, 1)
    return [
        choose_threshold(clipped[:, index], truth == index, least_precision=least_precision)
        for index in range(scores.shape[1])
    ]


def evaluate(scores: Scores, examples: Examples, thresholds: Sequence[float | None], default: float) -> SoundFigures:
    """Figures of windows and their recordings. `default`: the threshold of classes without one."""
    limits = np.array([default if one is None else one for one in thresholds], np.float32)
    heard = scores >= limits
    found = []
    for index in range(scores.shape[1]):
        own = examples.truth == index
        names = np.unique(examples.recording[own])
        best = [int(scores[own & (examples.recording == name)].max(axis=0).argmax()) for name in names]
        found.append(
            ClassFigures(
                recordings=len(names),
                recordings_right=sum(one == index for one in best),
                windows=int(own.sum()),
                windows_heard=int(heard[own, index].sum()),
                false_windows=int(heard[~own, index].sum()),
            )
        )
    background = examples.truth == -1
    return SoundFigures(tuple(found), int(background.sum()), int(heard[background].any(axis=1).sum()))
