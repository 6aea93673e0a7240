"""Divides recordings into those to train on, those for thresholds, and those for the test.

Windows of one recording are nearly the same sound, and recordings of one recorder share its place and its noise. A
recorder is on one side as a whole where all recorders are known and every class then has recordings on each side; else
a recording is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from uncia.training import TrainingError
from uncia.training.datasets.dataset import Dataset, Sample
from uncia.training.datasets.splits import Split, split
from uncia.training.sound.folders import LabelledRecording

__all__ = ["SoundSplit", "SplitBy", "split_recordings"]

SplitBy = Literal["auto", "recorder", "recording"]
_Side = tuple[LabelledRecording, ...]


@dataclass(frozen=True)
class SoundSplit:
    """Three sides without a common recording."""

    train: _Side
    validation: _Side
    test: _Side
    by: str
    """`recorder` or `recording`."""


def split_recordings(recordings: Sequence[LabelledRecording], seed: int, by: SplitBy = "auto") -> SoundSplit:
    """Three fifths, one and one; the same for the same recordings and seed.

    Raises `TrainingError` where the recorder of a recording is unknown with `by="recorder"`, or a class would be
    missing on a side.
    """
    wanted = {one.folder for one in recordings}
    known = all(one.recorder for one in recordings)
    if by == "recorder" and not known:
        unknown = next(one.path for one in recordings if not one.recorder)
        raise TrainingError(
            f"the recorder of {unknown} is not known: put it into a sub-folder with the recorder's name, or split by "
            "recording"
        )
    if by == "recorder" or (by == "auto" and known):
        sides = _split(recordings, seed, [f"recorder {one.recorder}" for one in recordings])
        missing = [name for name in sorted(wanted) if any(name not in {one.folder for one in side} for side in sides)]
        if not missing:
            return SoundSplit(*sides, "recorder")
        if by == "recorder":
            raise TrainingError(
                f"{missing[0]} has too few recorders to be on all three sides: record it with more, or split by "
                "recording"
            )
    return SoundSplit(*_split(recordings, seed, [f"file {one.path}" for one in recordings]), "recording")


def _split(recordings: Sequence[LabelledRecording], seed: int, groups: Sequence[str]) -> tuple[_Side, _Side, _Side]:
    by_path = {one.path: one for one in recordings}
    samples = tuple(Sample(one.path, one.folder, group, "") for one, group in zip(recordings, groups, strict=True))
    parts: Split = split(Dataset(samples, "recordings"), seed=seed)
    train, validation, test = (tuple(by_path[sample.path] for sample in side) for side in parts.subsets)
    return train, validation, test
