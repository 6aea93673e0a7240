"""Small photographs as camera traps write them: noise with EXIF, some with Reconyx's maker note, some damaged.

Some show an animal, some a person: two photographs of scikit-image, which the default detectors box.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache

import numpy as np
from PIL import ExifTags, Image
from skimage import data as pictures

from uncia.ids import content_hash
from uncia.producers.simulate import exif

WIDTH, HEIGHT = 640, 480


class Subject(StrEnum):
    """What a photograph shows; the name of the function of scikit-image that returns a picture of it."""

    ANIMAL = "chelsea"
    PERSON = "astronaut"


@dataclass(frozen=True)
class Trigger:
    """Contents of a Reconyx maker note: frame n of m of one event, and M for motion or T for time-lapse."""

    number: int
    of: int
    event: int
    kind: bytes = b"M"


@dataclass(frozen=True)
class Photograph:
    """One file of a scenario. `name` is the same in every round, for any station."""

    camera: str
    taken: datetime
    data: bytes
    rejection: str | None = None
    """The expected reason of its rejection."""

    @cached_property
    def sha256(self) -> str:
        return content_hash(self.data)

    @cached_property
    def name(self) -> str:
        return f"{self.camera}/{self.file}"

    @cached_property
    def file(self) -> str:
        return f"{self.taken:%Y%m%dT%H%M%S}-{self.sha256[:16]}.jpg"

    def key(self, station: str, before: str = "") -> str:
        """Object key like the gateway's. With the prefix `before`, the key of an exact copy."""
        return f"{station}/{self.camera}/{self.taken:%Y/%m/%d}/{before}{self.file}"


def camera_jpeg(
    taken: datetime, rng: np.random.Generator, trigger: Trigger | None = None, subject: Subject | None = None
) -> bytes:
    """A JPEG with random content, and the subject at a random place in front of it."""
    pixels = rng.integers(40, 220, (12, 16, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((WIDTH, HEIGHT))
    if subject is not None:
        shown = _picture(subject)
        right, down = (
            int(rng.integers(10, whole - part - 30)) for whole, part in zip(image.size, shown.size, strict=True)
        )
        image.paste(shown, (right, 20 + down))
    tags = Image.Exif()
    exif_ifd = tags.get_ifd(ExifTags.IFD.Exif)
    if trigger is not None:
        tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "RECONYX", "HYPERFIRE 2 COVERT"
        exif_ifd[exif.MAKER_NOTE] = _note(taken, trigger)
    exif_ifd[ExifTags.Base.DateTimeOriginal] = f"{taken:%Y:%m:%d %H:%M:%S}"
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, exif=tags)
    return buffer.getvalue()


def cut_off(data: bytes) -> bytes:
    """The first two thirds of the file, as when a card is removed while the camera writes."""
    return data[: len(data) * 2 // 3]


@lru_cache
def _picture(subject: Subject) -> Image.Image:
    picture = Image.fromarray(getattr(pictures, subject.value)())
    picture.thumbnail((320, 320))
    return picture


def _note(taken: datetime, trigger: Trigger) -> bytes:
    values = exif.ExifValues(
        time=taken,
        make="RECONYX",
        model="HYPERFIRE 2 COVERT",
        serial="H2XX0001",
        infrared=False,
        temperature_c=4,
        sequence=trigger.number,
        sequence_length=trigger.of,
        event_number=trigger.event,
        label="",
        reconyx=True,
    )
    note = bytearray(exif.maker_note(values))
    note[0x34:0x35] = trigger.kind
    return bytes(note)
