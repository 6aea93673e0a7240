"""Group images into bursts where the source does not.

The photographs decide: capture time, serial number of the camera, and "3 of 5" where cameras write it. Images of
unknown cameras count as taken by one camera, so that frames of a burst that were sorted into different class folders
still form one burst. This may join too much but never too little, so a split does not leak.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from uncia.imaging.capture_time import find_capture_time
from uncia.imaging.exif import read_exif_file
from uncia.imaging.maker_notes import read_maker_note
from uncia.training.datasets.dataset import Sample
from uncia.training.datasets.readers.reading_tools import intern_name
from uncia.training.progress import ProgressCallback

GAP_S = 60.0
"""Seconds without an image of a camera after which a new burst begins; most platforms use the same."""

_THREADS = 8
_FILES_IN_FLIGHT = 512


class ImageMetadata(NamedTuple):
    """What an image file states about itself."""

    time: datetime | None = None
    camera: str = ""
    """Serial number; empty where there is none."""
    model: str = ""
    """Make and model."""
    number: int | None = None
    """Number of the image in its burst, where the camera writes it."""
    of: int | None = None
    """Number of images in the burst."""


def read_image_metadata(path: Path) -> ImageMetadata:
    """Read EXIF and maker note. Never raises: a file that cannot be read has no metadata."""
    try:
        with path.open("rb") as file:
            exif = read_exif_file(file)
    except (OSError, ValueError):  # ValueError: a path that contains a zero byte
        return ImageMetadata()
    note = read_maker_note(exif.maker_note)
    taken = find_capture_time(exif, note, path.name)
    serial = exif.serial or (note.serial if note else None) or ""
    model = " ".join(filter(None, (exif.make, exif.model)))
    number, of = (note.sequence, note.sequence_length) if note else (None, None)
    return ImageMetadata(taken.time if taken else None, intern_name(serial), intern_name(model), number, of)


def assign_bursts(
    samples: Sequence[Sample], *, gap_s: float = GAP_S, progress: ProgressCallback | None = None
) -> tuple[Sample, ...]:
    """The same samples in the same order, each with a burst; missing times and cameras are taken from EXIF.

    Only files without a burst and without a time are opened, a few at a time. An image without any time is a burst of
    its own. A burst is named after the path of its first image.
    """
    unread = sorted({sample.path for sample in samples if not sample.burst and sample.taken is None})
    metadata = dict(zip(unread, _read_all(unread, progress), strict=True))
    by_camera: dict[str, list[int]] = defaultdict(list)
    grouped: list[Sample] = []
    for index, sample in enumerate(samples):
        found = metadata.get(sample.path)
        if found is not None:
            sample = dataclasses.replace(sample, taken=found.time, camera=sample.camera or found.camera)
        grouped.append(sample)
        if not sample.burst:
            by_camera[sample.camera or (found.model if found else "")].append(index)
    for indices in by_camera.values():
        timed = [index for index in indices if grouped[index].taken is not None]
        timed.sort(key=lambda index: _sort_key(grouped[index], metadata))
        _set_bursts(grouped, timed, metadata, timedelta(seconds=gap_s))
        for index in indices:
            if grouped[index].taken is None:
                grouped[index] = dataclasses.replace(grouped[index], burst=grouped[index].path.as_posix())
    return tuple(grouped)


def _read_all(paths: Sequence[Path], progress: ProgressCallback | None) -> Iterable[ImageMetadata]:
    with ThreadPoolExecutor(_THREADS) as threads:
        for begin in range(0, len(paths), _FILES_IN_FLIGHT):
            yield from threads.map(read_image_metadata, paths[begin : begin + _FILES_IN_FLIGHT])
            if progress:
                progress(min(begin + _FILES_IN_FLIGHT, len(paths)), len(paths))


def _sort_key(sample: Sample, metadata: dict[Path, ImageMetadata]) -> tuple[datetime, int, str]:
    assert sample.taken is not None
    return sample.taken, metadata.get(sample.path, ImageMetadata()).number or 0, sample.path.as_posix()


def _set_bursts(samples: list[Sample], indices: list[int], metadata: dict[Path, ImageMetadata], gap: timedelta) -> None:
    """Set the bursts of one camera's samples, in place. `indices` are in the order of time.

    A burst begins after a gap, or where the camera's own count begins again.
    """
    burst, last_time, previous = "", None, ImageMetadata()
    for index in indices:
        sample = samples[index]
        current = metadata.get(sample.path, ImageMetadata())
        assert sample.taken is not None
        after_gap = last_time is None or sample.taken - last_time > gap
        continues = _continues(previous, current)
        if burst == "" or continues is False or (after_gap and not continues):
            burst = intern_name(sample.path.as_posix())
        samples[index] = dataclasses.replace(sample, burst=burst)
        last_time, previous = sample.taken, current


def _continues(previous: ImageMetadata, current: ImageMetadata) -> bool | None:
    """Whether the camera's count ("3 of 5") continues; None where one of the two has none.

    A file that is listed twice continues its own burst.
    """
    if previous.number is None or current.number is None:
        return None
    return current.of == previous.of and (current.number > previous.number or current == previous)
