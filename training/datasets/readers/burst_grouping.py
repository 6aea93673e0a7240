"""Which pictures were taken together, where the source does not tell.

What the photograph says of itself decides: time, serial number of the camera, and where cameras write it `n of m`.
Pictures of cameras that nobody knows count as of one camera, so that frames of one burst, sorted into different class
folders, are found together still. That joins more than it should, never less: a split stays honest.
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
from uncia.training.datasets.readers.vocabulary import intern_name
from uncia.training.progress import ProgressCallback

GAP_S = 60.0
"""Seconds between two pictures of a camera from which they are two bursts, as most platforms have it."""

_THREADS = 8
_AT_ONCE = 512


class ImageMetadata(NamedTuple):
    """What a photograph says of itself."""

    time: datetime | None = None
    camera: str = ""
    """The serial number; empty where there is none."""
    kind: str = ""
    """Make and model."""
    number: int | None = None
    of: int | None = None


def read_image_metadata(path: Path) -> ImageMetadata:
    """Never raises: a file that cannot be read says nothing."""
    try:
        with path.open("rb") as file:
            exif = read_exif_file(file)
    except (OSError, ValueError):  # a name with a zero byte in it is no name
        return ImageMetadata()
    maker = read_maker_note(exif.maker_note)
    taken = find_capture_time(exif, maker, path.name)
    serial = exif.serial or (maker.serial if maker else None) or ""
    kind = " ".join(filter(None, (exif.make, exif.model)))
    number, of = (maker.sequence, maker.sequence_length) if maker else (None, None)
    return ImageMetadata(taken.time if taken else None, intern_name(serial), intern_name(kind), number, of)


def assign_bursts(
    pictures: Sequence[Sample], *, gap_s: float = GAP_S, progress: ProgressCallback | None = None
) -> tuple[Sample, ...]:
    """The same pictures in the same order, each with a burst; time and camera from EXIF where they were not told.

    Only files without a burst and without a time are opened, a few at a time. A picture without any time is a burst
    of its own. A burst has the name of its first picture.
    """
    untold = sorted({one.path for one in pictures if not one.burst and one.taken is None})
    notes = dict(zip(untold, _read(untold, progress), strict=True))
    by_camera: dict[str, list[int]] = defaultdict(list)
    known: list[Sample] = []
    for place, one in enumerate(pictures):
        note = notes.get(one.path)
        if note is not None:
            one = dataclasses.replace(one, taken=note.time, camera=one.camera or note.camera)
        known.append(one)
        if not one.burst:
            by_camera[one.camera or (note.kind if note else "")].append(place)
    for places in by_camera.values():
        timed = [place for place in places if known[place].taken is not None]
        timed.sort(key=lambda place: _order(known[place], notes))
        _name(known, timed, notes, timedelta(seconds=gap_s))
        for place in places:
            if known[place].taken is None:
                known[place] = dataclasses.replace(known[place], burst=known[place].path.as_posix())
    return tuple(known)


def _read(paths: Sequence[Path], progress: ProgressCallback | None) -> Iterable[ImageMetadata]:
    with ThreadPoolExecutor(_THREADS) as threads:
        for begin in range(0, len(paths), _AT_ONCE):
            yield from threads.map(read_image_metadata, paths[begin : begin + _AT_ONCE])
            if progress:
                progress(min(begin + _AT_ONCE, len(paths)), len(paths))


def _order(picture: Sample, notes: dict[Path, ImageMetadata]) -> tuple[datetime, int, str]:
    assert picture.taken is not None
    return picture.taken, notes.get(picture.path, ImageMetadata()).number or 0, picture.path.as_posix()


def _name(known: list[Sample], places: list[int], notes: dict[Path, ImageMetadata], gap: timedelta) -> None:
    """A new burst after a gap, or where the camera's own count begins again."""
    burst, last, before = "", None, ImageMetadata()
    for place in places:
        one = known[place]
        note = notes.get(one.path, ImageMetadata())
        assert one.taken is not None
        far = last is None or one.taken - last > gap
        goes_on = _goes_on(before, note)
        if burst == "" or goes_on is False or (far and not goes_on):
            burst = intern_name(one.path.as_posix())
        known[place] = dataclasses.replace(one, burst=burst)
        last, before = one.taken, note


def _goes_on(before: ImageMetadata, note: ImageMetadata) -> bool | None:
    """By `n of m`; None where one of the two does not tell. The same file twice goes on with itself."""
    if before.number is None or note.number is None:
        return None
    return note.of == before.of and (note.number > before.number or note == before)
