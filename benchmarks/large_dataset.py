"""Generates a dataset of many small photographs, for benchmarks, in every supported dataset format.

Many files share the pixels of one of a few hundred scenes, as almost identical photographs of an empty scene do; time,
serial number and a comment differ, so that no two files have the same bytes. One file in a hundred has no capture
time: by its pixels alone it is detected as a copy although it is none.
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
"""Frames per burst, one second apart."""
WIDTH, HEIGHT = 160, 120

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_TIMELESS_EVERY = 100


class DatasetFile(NamedTuple):
    """One photograph of the dataset."""

    number: int
    label: str
    camera: str
    burst: str
    taken: datetime | None

    @property
    def path(self) -> str:
        """Path relative to the dataset's folder."""
        return f"{self.label}/{self.camera}/{self.number:06}.jpg"


def dataset_files(names: int) -> Iterator[DatasetFile]:
    """The files of a dataset of `names` photographs: bursts over cameras and classes in turn, frames in sequence."""
    for number in range(names):
        burst, frame = divmod(number, FRAMES)
        taken = _FIRST + timedelta(minutes=5 * burst, seconds=frame)
        yield DatasetFile(
            number,
            CLASSES[burst % len(CLASSES)],
            f"camera-{burst // len(CLASSES) % CAMERAS:02}",
            f"burst-{burst}",
            None if number % _TIMELESS_EVERY == 0 else taken,
        )


def write_folders(folder: Path, names: int) -> None:
    """Write class folders with a folder per camera; takes a few seconds for 10,000 files."""
    scenes = [_scene(seed) for seed in range(SCENES)]
    for file in dataset_files(names):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Classes share no scene, so that they can be learned; one burst in 49 has a wrong label.
        burst = file.number // FRAMES
        picture = scenes[(burst + (burst % 49 == 7)) % SCENES]
        path.write_bytes(picture[:2] + _exif(file) + _segment(0xFE, file.path.encode()) + picture[2:])


def write_table(folder: Path, names: int) -> Path:
    """Write a CSV table, `pictures.csv`, next to the class folders."""
    path = folder / "pictures.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("path", "label", "camera", "burst", "taken"))
        lines.writerows((s.path, s.label, s.camera, s.burst, _iso(s)) for s in dataset_files(names))
    return path


def write_coco(folder: Path, names: int) -> Path:
    """Write a COCO Camera Traps file next to the class folders, with a box per image that is not empty."""
    document = {
        "categories": [{"id": place, "name": label} for place, label in enumerate(CLASSES)],
        "images": [
            {
                "id": f"i{s.number}",
                "file_name": s.path,
                "width": WIDTH,
                "height": HEIGHT,
                "location": s.camera,
                "seq_id": s.burst,
                "datetime": _iso(s) or "unknown",
            }
            for s in dataset_files(names)
        ],
        "annotations": [
            {
                "id": f"a{s.number}",
                "image_id": f"i{s.number}",
                "category_id": CLASSES.index(s.label),
                "bbox": [0, 0, WIDTH, HEIGHT] if s.label == "nothing" else [40, 30, 50, 40],
            }
            for s in dataset_files(names)
        ],
    }
    path = folder / "coco.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def write_camtrap_dp(folder: Path, names: int) -> Path:
    """Write a Camtrap DP next to the class folders; half of the observations are per media file, half per event."""
    with (folder / "media.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(("mediaID", "deploymentID", "timestamp", "filePath", "fileMediatype"))
        lines.writerows((f"m{s.number}", s.camera, _moment(s), s.path, "image/jpeg") for s in dataset_files(names))
    with (folder / "observations.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        head = ("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd")
        lines.writerow((*head, "observationType", "scientificName"))
        every = dataset_files(names)
        while burst := list(islice(every, FRAMES)):
            first = burst[0]
            begin = _FIRST + timedelta(minutes=5 * (first.number // FRAMES))
            times = (begin.isoformat(), (begin + timedelta(seconds=FRAMES)).isoformat())
            kind = {"person": "human", "vehicle": "vehicle", "nothing": "blank"}.get(first.label, "animal")
            media = [""] if first.number // FRAMES % 2 else [f"m{s.number}" for s in burst]
            lines.writerows(
                (f"o{first.number}-{m}", first.camera, m, first.burst, *times, kind, first.label) for m in media
            )
    resources = [{"name": name, "path": f"{name}.csv"} for name in ("media", "observations")]
    path = folder / "datapackage.json"
    path.write_text(json.dumps({"name": "generated", "resources": resources}), encoding="utf-8")
    return path


def _scene(seed: int) -> bytes:
    """A JPEG without EXIF, of a few kilobytes: coloured blotches, noise, and a square that shows the class."""
    chance = np.random.default_rng(seed)
    blotches = Image.fromarray(chance.integers(30, 220, (6, 8, 3), np.uint8)).resize(
        (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(blotches, np.float32) + chance.normal(0, 8, (HEIGHT, WIDTH, 1))
    # The only difference between classes: the colour of this square.
    pixels[40:80, 60:100] = np.random.default_rng(10_000 + seed % len(CLASSES)).integers(0, 255, 3)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=80)
    return file.getvalue()


def _exif(file: DatasetFile) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "ACME"
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.BodySerialNumber] = file.camera
    if file.taken:
        inner[ExifTags.Base.DateTimeOriginal] = file.taken.strftime("%Y:%m:%d %H:%M:%S")
    return _segment(0xE1, exif.tobytes())


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data


def _iso(file: DatasetFile) -> str:
    return file.taken.replace(tzinfo=None).isoformat(" ") if file.taken else ""


def _moment(file: DatasetFile) -> str:
    return file.taken.isoformat() if file.taken else ""
