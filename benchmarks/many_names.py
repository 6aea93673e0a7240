"""A data set of many small photographs, for benchmarks: each file another one, drawn from a few hundred scenes.

A scene's pixels are shared by many files, as those of a camera that nothing moves before nearly are; time, serial
number and a comment are each file's own, so that no two have the same bytes. One in a hundred has no time: nothing
but its pixels tells that it is no copy, and they say that it is one.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

SCENES = 600
CLASSES = ("fox", "hare", "yak", "bear", "wolf", "marmot", "ibex", "person", "vehicle", "nothing")
CAMERAS = 20
FRAMES = 5
"""Of a burst, a second from each to the next."""
WIDTH, HEIGHT = 160, 120

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_TIMELESS_EVERY = 100


class Shot(NamedTuple):
    """One photograph, before it is written."""

    number: int
    label: str
    camera: str
    burst: str
    taken: datetime | None

    @property
    def place(self) -> str:
        """Below the data set's folder."""
        return f"{self.label}/{self.camera}/{self.number:06}.jpg"


def shots(names: int) -> Iterator[Shot]:
    """Bursts in turn over cameras and classes; the frames of a burst follow each other."""
    for number in range(names):
        burst, frame = divmod(number, FRAMES)
        taken = _FIRST + timedelta(minutes=5 * burst, seconds=frame)
        yield Shot(
            number,
            CLASSES[burst % len(CLASSES)],
            f"camera-{burst // len(CLASSES) % CAMERAS:02}",
            f"burst-{burst}",
            None if number % _TIMELESS_EVERY == 0 else taken,
        )


def write_folders(folder: Path, names: int) -> None:
    """Class folders with a folder for each camera in them; a few seconds for 10,000."""
    scenes = [_scene(seed) for seed in range(SCENES)]
    for shot in shots(names):
        path = folder / shot.place
        path.parent.mkdir(parents=True, exist_ok=True)
        # The classes share no scene, so that there is something to learn; one burst in 49 has a wrong label.
        burst = shot.number // FRAMES
        picture = scenes[(burst + (burst % 49 == 7)) % SCENES]
        path.write_bytes(picture[:2] + _exif(shot) + _segment(0xFE, shot.place.encode()) + picture[2:])


def write_table(folder: Path, names: int) -> Path:
    """`pictures.csv` beside the class folders."""
    path = folder / "pictures.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("path", "label", "camera", "burst", "taken"))
        lines.writerows((s.place, s.label, s.camera, s.burst, _iso(s)) for s in shots(names))
    return path


def write_coco(folder: Path, names: int) -> Path:
    """A COCO Camera Traps file beside the class folders, with a box for each picture that is not empty."""
    told = {
        "categories": [{"id": place, "name": label} for place, label in enumerate(CLASSES)],
        "images": [
            {
                "id": f"i{s.number}",
                "file_name": s.place,
                "width": WIDTH,
                "height": HEIGHT,
                "location": s.camera,
                "seq_id": s.burst,
                "datetime": _iso(s) or "unknown",
            }
            for s in shots(names)
        ],
        "annotations": [
            {
                "id": f"a{s.number}",
                "image_id": f"i{s.number}",
                "category_id": CLASSES.index(s.label),
                "bbox": [0, 0, WIDTH, HEIGHT] if s.label == "nothing" else [40, 30, 50, 40],
            }
            for s in shots(names)
        ],
    }
    path = folder / "coco.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def write_camtrap_dp(folder: Path, names: int) -> Path:
    """A Camtrap DP beside the class folders: half of the media have observations, the others lie in events."""
    with (folder / "media.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("mediaID", "deploymentID", "timestamp", "filePath", "fileMediatype"))
        lines.writerows((f"m{s.number}", s.camera, _moment(s), s.place, "image/jpeg") for s in shots(names))
    with (folder / "observations.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        head = ("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd")
        lines.writerow((*head, "observationType", "scientificName"))
        every = shots(names)
        while burst := list(islice(every, FRAMES)):
            first = burst[0]
            begin = _FIRST + timedelta(minutes=5 * (first.number // FRAMES))
            times = (begin.isoformat(), (begin + timedelta(seconds=FRAMES)).isoformat())
            kind = {"person": "human", "vehicle": "vehicle", "nothing": "blank"}.get(first.label, "animal")
            whose = [""] if first.number // FRAMES % 2 else [f"m{s.number}" for s in burst]
            lines.writerows(
                (f"o{first.number}-{m}", first.camera, m, first.burst, *times, kind, first.label) for m in whose
            )
    names_of = [{"name": name, "path": f"{name}.csv"} for name in ("media", "observations")]
    path = folder / "datapackage.json"
    path.write_text(json.dumps({"name": "drawn", "resources": names_of}), encoding="utf-8")
    return path


def _scene(seed: int) -> bytes:
    """A JPEG without EXIF: blotches and grain; half a kilobyte to some kilobytes."""
    chance = np.random.default_rng(seed)
    blotches = Image.fromarray(chance.integers(30, 220, (6, 8, 3), np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(blotches, np.float32) + chance.normal(0, 8, (HEIGHT, WIDTH, 1))
    # What the classes differ in: a square of a colour of its own.
    pixels[40:80, 60:100] = np.random.default_rng(10_000 + seed % len(CLASSES)).integers(0, 255, 3)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    return file.getvalue()


def _exif(shot: Shot) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "ACME"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.BodySerialNumber] = shot.camera
    if shot.taken:
        inner[ExifTags.Base.DateTimeOriginal] = shot.taken.strftime("%Y:%m:%d %H:%M:%S")
    return _segment(0xE1, exif.tobytes())


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data


def _iso(shot: Shot) -> str:
    return shot.taken.replace(tzinfo=None).isoformat(" ") if shot.taken else ""


def _moment(shot: Shot) -> str:
    return shot.taken.isoformat() if shot.taken else ""
