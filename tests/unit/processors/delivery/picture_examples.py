"""Crops for the tests of pictures."""

import io
from datetime import datetime

from PIL import Image

from tests.unit.processors.delivery.examples import MOMENT
from uncia import ids
from uncia.events import AlertRaised, BurstCategory, CropPublished, DetectionCategory

GPS = b"47.123456"


def jpeg(shade: int = 90) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, shade)).save(file, "JPEG")
    return file.getvalue()


def jpeg_with_exif() -> bytes:
    """A picture with a comment and EXIF."""
    exif = Image.Exif()
    exif[0x010E] = GPS.decode()
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (5, 5, 5)).save(file, "JPEG", exif=exif, comment=GPS)
    assert GPS in file.getvalue()
    return file.getvalue()


def crop(
    crop_id: str = "crp-1", burst_id: str = "bst-5e1f", score: float = 0.9, content: bytes | None = None
) -> CropPublished:
    data = content if content is not None else jpeg()
    return CropPublished(
        crop_id=crop_id,
        burst_id=burst_id,
        image_id="img-1",
        station="ridge",
        camera="ridge/north",
        bucket="uploads",
        key=f"crops/ridge/north/{crop_id}.jpg",
        sha256=ids.content_hash(data),
        size=len(data),
        width=32,
        height=24,
        box=(0.1, 0.1, 0.2, 0.2),
        crop_box=(0.1, 0.1, 0.2, 0.2),
        category=DetectionCategory.ANIMAL,
        score=score,
        captured_at=datetime(2026, 5, 1, 21, 36),
        published_at=MOMENT,
    )


def withdrawn(one: CropPublished) -> CropPublished:
    gone = {"sha256": None, "size": 0, "width": None, "height": None, "withdrawn": "person-in-burst"}
    return one.model_copy(update=gone)


def with_person(one: AlertRaised) -> AlertRaised:
    """The alert with a person in a burst of it that does not match."""
    person = one.bursts[0].model_copy(
        update={"burst_id": "bst-person", "category": BurstCategory.PERSON, "matches": False, "taxon": None}
    )
    return one.model_copy(update={"bursts": (*one.bursts, person)})
