"""Reads which recordings a folder has: one sub-folder for each class, with WAV and FLAC files at any depth.

The folder's name is the class; `Turdus merula_Blackbird` is taxon and label, as in imported label files. Folders called
`background`, `noise` or the like are no class: their windows teach what is no call.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from uncia.camtrap.vocabulary import category_of, normalized_label
from uncia.serving.labels import LabelSet
from uncia.storage.recording_names import is_recording_name
from uncia.training import TrainingError
from uncia.triton_models.importing.sound_import import sound_labels

__all__ = ["MIN_RECORDINGS", "LabelledRecording", "SoundFolder", "read_sound_folder"]

MIN_RECORDINGS = 4
"""Of each class: two to train on, one to choose the threshold on, one for the test."""

_BACKGROUND = frozenset({"noise", "silence", "environmental", "wind", "rain"})
_RECORDER_AND_TIME = re.compile(r"(.*\S)[_-]\d{8}[_T-]?\d{6}.*")
"""File names of recorders that write their name before the time, such as `SMA01234_20260314_051500.wav`."""


@dataclass(frozen=True)
class LabelledRecording:
    """One file."""

    path: Path
    folder: str
    """Name of the class's folder."""
    index: int | None
    """Number of the class; None: background."""
    recorder: str
    """Who recorded it, by its sub-folder or its name; empty where neither says."""


@dataclass(frozen=True)
class SoundFolder:
    """Recordings, in the order of their paths, and their classes."""

    recordings: tuple[LabelledRecording, ...]
    labels: LabelSet


def read_sound_folder(folder: Path, name: str) -> SoundFolder:
    """The recordings of a folder; no file is opened. `name`: of the model. Raises `TrainingError`."""
    if not folder.is_dir():
        raise TrainingError(f"there is no folder {folder}")
    found = {
        place.name: sorted(path for path in place.rglob("*") if is_recording_name(path.name) and path.is_file())
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
    }
    classes = [one for one, paths in found.items() if paths and not _is_background(one)]
    if len(classes) < 2 and not (classes and any(map(_is_background, found))):
        raise TrainingError(
            f"{folder} has {len(classes)} classes: put the WAV or FLAC files of each class into a sub-folder with its "
            "name, for at least two classes, or for one and `background`"
        )
    recordings = tuple(
        LabelledRecording(path, one, classes.index(one) if one in classes else None, _recorder(path, folder / one))
        for one, paths in found.items()
        for path in paths
    )
    check_counts(recordings, folder)
    entries = [{"index": index, "label": one, "taxon": "", "group": "animal"} for index, one in enumerate(classes)]
    labels = LabelSet.model_validate(
        {"name": name.replace("_", "-"), "source": f"the folders of {folder.resolve().name}", "classes": entries}
    )
    return SoundFolder(recordings, sound_labels(labels))


def check_counts(recordings: tuple[LabelledRecording, ...], folder: Path) -> None:
    """Raises `TrainingError` where a class has too few recordings."""
    counts = Counter(one.folder for one in recordings)
    for name, count in sorted(counts.items()):
        if count < MIN_RECORDINGS:
            raise TrainingError(
                f"{folder / name} has {count} recording{'' if count == 1 else 's'} that can be used: at least "
                f"{MIN_RECORDINGS} are needed, to train on, to choose the threshold on, and for the test; windows of "
                "one recording are never divided"
            )


def _is_background(name: str) -> bool:
    return category_of(name) == "nothing" or normalized_label(name) in _BACKGROUND


def _recorder(path: Path, folder: Path) -> str:
    inner = path.parent.relative_to(folder)
    if inner.parts:
        return inner.as_posix()
    named = _RECORDER_AND_TIME.fullmatch(path.stem)
    return named[1] if named else ""
